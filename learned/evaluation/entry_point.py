"""How `taskset` finds checkpoints and pretrained optimizers: entry point group `taskset.optimizers` in setup.cfg."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from learned.deploy import pretrained
from taskset.execution import carried

if TYPE_CHECKING:
    from learned.evaluation.runs import NamedCheckpoint
    from learned.optimizers.as_optimizer import WithWeights


def optimizer(text: str) -> WithWeights | None:
    """The `taskset.optimizers.base.Optimizer` of a checkpoint file (.npz) or of a pretrained name; None for any other text."""
    found = _checkpoint(text)
    if found is None:
        return None
    from learned.evaluation import runs

    return runs.optimizer_of(found)


def is_one(text: str) -> bool:
    """Whether `optimizer` makes one of a text. Reads the file, which may be missing or damaged; imports no TensorFlow."""
    return _checkpoint(text) is not None


def _checkpoint(text: str) -> NamedCheckpoint | None:
    if Path(text).suffix != ".npz" and text not in pretrained.names():
        return None
    from learned.evaluation import runs

    return runs.named_checkpoint(carried.place(text))


optimizer.is_one = is_one  # type: ignore[attr-defined]  # where `taskset.samplers.installed` looks for it
