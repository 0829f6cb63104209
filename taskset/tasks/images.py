"""What several image families do to pixels and logits."""

from typing import Any

import tensorflow as tf

from taskset.tasks.base import Metrics
from taskset.tasks.losses import accuracy, cross_entropy


def center(image: tf.Tensor) -> tf.Tensor:
    """[0, 1] -> [-1, 1]."""
    return 2.0 * image - 1.0


def network_input(image: tf.Tensor, config: dict[str, Any]) -> tf.Tensor:
    """The image as a classifier sees it: centred if the config's `center_data` is true."""
    return center(image) if config["center_data"] else image


def classification(logits: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, Metrics]:
    """(cross-entropy, {"accuracy"}) of logits [batch, classes]."""
    return cross_entropy(logits, labels), {"accuracy": accuracy(logits, labels)}
