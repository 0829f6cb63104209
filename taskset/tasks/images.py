"""What several image families do to pixels and logits."""

from taskset.tasks.losses import accuracy, cross_entropy


def center(image):
    """[0, 1] -> [-1, 1]."""
    return 2.0 * image - 1.0


def network_input(image, config):
    """The image as a classifier sees it: centred where the config's `center_data` says so."""
    return center(image) if config["center_data"] else image


def classification(logits, labels):
    """(cross-entropy, {"accuracy"}) of logits [batch, classes]."""
    return cross_entropy(logits, labels), {"accuracy": accuracy(logits, labels)}
