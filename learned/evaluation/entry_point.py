"""How `taskset` finds checkpoints and pretrained optimizers: entry point group `taskset.optimizers` in setup.cfg."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from learned.deploy import pretrained
from taskset.execution import carried

if TYPE_CHECKING:
    from learned.optimizers.as_optimizer import WithWeights


def optimizer(text: str) -> WithWeights | None:
    """The `taskset.optimizers.base.Optimizer` of a checkpoint file (.npz) or of a pretrained name; None for any other text."""
    if Path(text).suffix != ".npz" and text not in pretrained.names():
        return None
    from learned.evaluation import runs

    return runs.optimizer_of(runs.named_checkpoint(carried.place(text)))
