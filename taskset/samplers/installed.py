"""Optimizers that installed packages have under names of their own: entry point group `taskset.optimizers`.

An entry point is a function `text -> optimizer, or None where text names none of theirs`. That of `learned` (setup.cfg) finds
checkpoints and pretrained optimizers. The function may have an attribute `is_one`, `text -> bool`: whether it would make an
optimizer, which then need not be made to check a name.
"""

from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Any

ENTRY_POINTS = "taskset.optimizers"


def optimizer(text: str) -> Any:
    """The `taskset.optimizers.base.Optimizer` that an installed package makes of a text; None where none knows it."""
    for make in _makers():
        found = make(text)
        if found is not None:
            return found
    return None


def is_one(text: str) -> bool:
    """Whether `optimizer` finds one; makes none where the package can tell without."""
    return any(make.is_one(text) if hasattr(make, "is_one") else make(text) is not None for make in _makers())


def _makers() -> Iterator[Callable[[str], Any]]:
    for entry in sorted(metadata.entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        yield entry.load()
