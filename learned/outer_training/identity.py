"""Which training a file is of: its options and its suite. No TensorFlow."""

from typing import Any

from learned.outer_training.checkpoint import Checkpoint
from learned.outer_training.options import DEFAULTS
from taskset.errors import StoreError, cut
from taskset.files import different_keys

KEPT = "weights-*.npz"  # in a directory of outer training: weights that were kept at intervals


def require_same_training(found: Checkpoint, options: dict[str, Any], suite: dict[str, Any], way_out: str) -> None:
    """Raise `StoreError` unless a file was made with these options and this suite. way_out: what the error says to do."""
    # a checkpoint of an earlier version lacks the options that it had no choice of
    _require_same(found.path, "other options", {**DEFAULTS, **found.value("options", dict)}, options, way_out)
    _require_same(found.path, "another suite", found.value("suite", dict), suite, way_out)


def _require_same(path, other, there, here, way_out):
    # which version made a suite is no part of what it is: `require_current` looks at that
    different = [key for key in different_keys(there, here) if key != "taskset_version"]
    if different:
        raise StoreError(f"{path} was made with {other} ({cut(', '.join(different), 200)}): {way_out}")
