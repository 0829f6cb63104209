"""The groups of equal options that merged curves fall into: their names, and the order of curves."""

from __future__ import annotations

import json
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from taskset import registry
from taskset.normalization.release.stored_curves import StoredCurves


def order(curves: StoredCurves) -> tuple[Any, ...]:
    """A sorting key: by task as tables list them, then by group."""
    return curves.source, curves.family, by_family_and_seed(curves.task), group_key(curves.options)


def by_family_and_seed(task: str) -> tuple[str, int]:
    """A sorting key of task names: seeds as numbers."""
    parsed = registry.parse(task)
    return (parsed[0], parsed[1]) if parsed else (task, -1)


def group_key(options: dict[str, Any]) -> str:
    """Options as text; the source is no part of them, it has a directory of its own."""
    return json.dumps({k: v for k, v in options.items() if k != "source"}, sort_keys=True)


def _readable(options: dict[str, Any]) -> str:
    families = sorted({name.rpartition("_")[0] or name for name in options["optimizers"]})
    shown = re.sub(r"[^A-Za-z0-9_.@+-]", "-", families[0]) if len(families) == 1 else "mixed"
    return f"{shown}{len(options['optimizers'])}_steps{options['steps']}_seeds{len(options['seeds'])}_batches{options['batches']}"


def group_names(found: Iterable[StoredCurves], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """{options as text: name of the group}: readable, with a checksum where two groups would share one.

    given: names that some of the groups have already, and keep.
    """
    given = given or {}
    options = {group_key(c.options): c.options for c in found}
    taken = defaultdict(list)
    for key in sorted(options):
        taken[_readable(options[key])].append(key)
    unique = {name for name, keys in taken.items() if len(keys) == 1} - set(given.values())
    names = {key: name if name in unique else f"{name}_{_checksum(key)}" for name, keys in taken.items() for key in keys}
    return {**names, **given}


def _checksum(key: str) -> str:
    return f"{zlib.crc32(key.encode()):08x}"
