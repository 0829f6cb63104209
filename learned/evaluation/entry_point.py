"""What `taskset` finds checkpoints and pretrained optimizers by: entry point group `taskset.optimizers` in setup.cfg."""

from pathlib import Path

from learned.deploy import pretrained


def optimizer(text):
    """The `taskset.optimizers.base.Optimizer` of a checkpoint file (.npz) or of a pretrained name; None for any other text."""
    if Path(text).suffix != ".npz" and text not in pretrained.names():
        return None
    from learned.evaluation import runs

    return runs.optimizer_of(runs.contestant(text))
