"""Which training a file is of: its options, its suite, the code of what a user registered for it, and the data. No TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from learned.outer_training.checkpoint import Checkpoint
from learned.outer_training.options import DEFAULTS
from taskset.errors import ConfigError, StoreError, cut, shown
from taskset.files import different_keys
from taskset.normalization.sweep.provenance import changed_code
from taskset.registry import is_own

if TYPE_CHECKING:
    from taskset.tasks.base import Task

KEPT = "weights-*.npz"  # in a directory of outer training: weights that were kept at intervals


def made_with(found: Checkpoint) -> dict[str, Any]:
    """What a file was made with, as `require_same_training` takes it; {} for what earlier versions didn't keep."""
    kept = {name: found.value(name, dict) for name in ("options", "suite")}
    return kept | {name: found.value(name, dict) if name in found.meta else {} for name in ("own_code", "data_origins")}


def require_same_training(found: Checkpoint, meta: Mapping[str, Any], way_out: str) -> None:
    """Raise `StoreError` unless a file has the options, the suite, the code and the data of `meta`, the metadata of another.

    way_out: what the error says to do.
    """
    made = made_with(found)
    # a checkpoint of an earlier version lacks the options that it had no choice of
    there, here = ({**DEFAULTS, **one["options"]} for one in (made, meta))
    _require_same(found, "other options", there, here, way_out)
    _require_same(found, "another suite", made["suite"], meta["suite"], way_out)
    changed = changed_code(made["own_code"], meta.get("own_code", {}))
    if changed:
        raise StoreError(f"{found.path} was made with other code of {changed[0]} than it has now: restore it, or {way_out}")
    require_same_data(found.path, made["data_origins"], meta.get("data_origins", {}), f"restore them, or {way_out}")


def _require_same(found, other, there, here, way_out):
    # which version made a suite is no part of what it is: `require_current` looks at that
    different = [key for key in different_keys(there, here) if key != "taskset_version"]
    if different:
        raise StoreError(f"{found.path} was made with {other} ({cut(', '.join(different), 200)}): {way_out}")


def require_same_data(made: object, there: Mapping[str, Any], here: Mapping[str, Any], way_out: str) -> None:
    """Raise `StoreError` where both of two {data: origin} have some data, and from other origins.

    made: what `there` is of, in the error; way_out: what that says to do.
    """
    for name, was in there.items():
        now = here.get(name, was)
        if json.dumps(was, sort_keys=True) == json.dumps(now, sort_keys=True):  # as text: NaN is not equal to itself
            continue
        both = [was, now]
        if isinstance(was, dict) and isinstance(now, dict):
            both = [{key: one.get(key) for key in different_keys(was, now)} for one in both]
        old, new = (shown(one, 150) for one in both)
        raise StoreError(f"{made} was made with other data ({name}: {old}, not {new}): {way_out}")


def data_origins(task: Task) -> dict[str, Any]:
    """{data: `Task.data_origin`} of what a task reads.

    {} where its data have none, or are the package's synthetic ones: its versions say when those change. Data sets of the package
    are known by their names, so that all tasks have to agree about them; other data by the name of the task.
    """
    origin, own = task.data_origin, is_own(type(task.data))
    if origin is None or (task.source == "synthetic" and not own):
        return {}
    try:
        origin = json.loads(json.dumps(origin))
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"the data of {task.name!r} have the origin {shown(origin)}: allowed are texts, numbers, and lists and dicts of them"
        ) from error
    return {origin["name"] if task.source == "tfds" and not own else f"data of {task.name}": origin}
