"""Optimizers that installed packages have under names of their own: entry point group `taskset.optimizers`.

An entry point is a function `text -> optimizer, or None where text names none of theirs`. That of `learned` (setup.cfg) finds
checkpoints and pretrained optimizers.
"""

from importlib import metadata
from typing import Any

ENTRY_POINTS = "taskset.optimizers"


def optimizer(text: str) -> Any:
    """The `taskset.optimizers.base.Optimizer` that an installed package makes of a text; None where none knows it."""
    for entry in sorted(metadata.entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        found = entry.load()(text)
        if found is not None:
            return found
    return None
