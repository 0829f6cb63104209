"""Which training a file is of: its options, its suite and the code of what a user registered for it. No TensorFlow."""

from collections.abc import Mapping
from typing import Any

from learned.outer_training.checkpoint import Checkpoint
from learned.outer_training.options import DEFAULTS
from taskset.errors import StoreError, cut
from taskset.files import different_keys
from taskset.normalization.sweep.provenance import changed_code

KEPT = "weights-*.npz"  # in a directory of outer training: weights that were kept at intervals


def require_same_training(found: Checkpoint, meta: Mapping[str, Any], way_out: str) -> None:
    """Raise `StoreError` unless a file has the options, the suite and the code of `meta`, the metadata of another.

    way_out: what the error says to do.
    """
    # a checkpoint of an earlier version lacks the options that it had no choice of
    there, here = ({**DEFAULTS, **one} for one in (found.value("options", dict), meta["options"]))
    _require_same(found, "other options", there, here, way_out)
    _require_same(found, "another suite", found.value("suite", dict), meta["suite"], way_out)
    changed = changed_code(found.value("own_code", dict) if "own_code" in found.meta else {}, meta.get("own_code", {}))
    if changed:
        raise StoreError(f"{found.path} was made with other code of {changed[0]} than it has now: restore it, or {way_out}")


def _require_same(found, other, there, here, way_out):
    # which version made a suite is no part of what it is: `require_current` looks at that
    different = [key for key in different_keys(there, here) if key != "taskset_version"]
    if different:
        raise StoreError(f"{found.path} was made with {other} ({cut(', '.join(different), 200)}): {way_out}")
