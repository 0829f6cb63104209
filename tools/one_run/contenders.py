"""What is run: weights of a learned optimizer, and rules that need one run as well."""

import argparse

import numpy as np

RIVALS = ("relative_nadam", "relative_muon", "schedule_free_adamw", "prodigy", "mlp_pes")


def rivals(names):
    """Those of RIVALS called `names`."""
    import learned
    from taskset.optimizers import get_optimizer

    found = [get_optimizer(name) for name in names if name != "mlp_pes"]
    if "mlp_pes" in names:
        found.append(learned.load("mlp_pes", "mlp_pes"))
    return found


def named_checkpoint(text):
    """(NAME, CHECKPOINT) of NAME=CHECKPOINT, as a type of argparse."""
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"{text!r}: allowed is NAME=CHECKPOINT")
    return name, path


def trained_weights(given):
    """(learned optimizer, {name: weights}) of (name, checkpoint) pairs; checkpoint "start": the weights before training."""
    from learned import optimizers
    from learned.deploy import pretrained
    from learned.outer_training import checkpoint

    loaded = {}
    for name, path in given:
        loaded[name] = None if path == "start" else checkpoint.load(pretrained.find(path))
    (kind,) = {found.optimizer for found in loaded.values() if found} or {"anchored"}
    optimizer = optimizers.get(kind)
    start = {path: np.asarray(w) for path, w in optimizer.init_theta(0).items()}
    return optimizer, {name: found.theta if found else start for name, found in loaded.items()}
