"""The curves of one task and the file that they are kept in: its metadata, what is in it before a sweep adds to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from taskset import changes
from taskset.execution import compile_cache, machine
from taskset.normalization import store
from taskset.normalization.store import layout, packing
from taskset.normalization.sweep import resume
from taskset.normalization.sweep.options import SweepOptions
from taskset.normalization.sweep.provenance import git_commit, own_code
from taskset.version import __version__

if TYPE_CHECKING:
    from taskset.tasks.base import Task


@dataclass(frozen=True)
class Curves:
    """The curves of one task as a file will have them. table: `store.SCHEMA`; metadata: {name: text}."""

    table: pa.Table
    metadata: dict[str, str]

    def path(self, root: str | Path) -> Path:
        """Where the file stands in a directory of results."""
        return store.curve_path(root, self.metadata["source"], self.metadata["family"], self.metadata["task"])

    def write(self, root: str | Path) -> Path:
        """Write the file, whole or not at all; returns its path. Raises `StoreError` as `store.write_curves`."""
        path = self.path(root)
        store.write_curves(self.table, path, self.metadata)
        return path


def metadata_of(task: Task, options: SweepOptions, mode: str, core_seconds: dict[str, float]) -> dict[str, str]:
    """The metadata of a curve file as {name: text}; core_seconds: {purpose: seconds}."""
    import tensorflow as tf

    own = own_code(task.family, options.optimizers)
    return {
        "task": task.name,
        "family": task.family,
        "config": json.dumps(task.config),
        "source": task.source,
        "data_origin": json.dumps(task.data_origin),
        "options": json.dumps(options.as_json()),
        "taskset_version": __version__,
        "git_commit": git_commit(),
        "tensorflow_version": tf.__version__,
        "settings": json.dumps(compile_cache.settings()),
        "mode": mode,
        "batches_per_evaluation": str(options.batches),
        "machine": machine.kind(),
        "core_seconds": json.dumps({k: round(v, 2) for k, v in core_seconds.items()}),
        "num_params": str(task.num_params),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        **({"own_code": json.dumps(own)} if own else {}),
    }


def made_by(before: dict[str, str], now: dict[str, str]) -> dict[str, str]:
    """What made curves of which some were there `before` and some are made `now`, each of them metadata: {name: text}."""
    oldest = changes.oldest([before.get("taskset_version", changes.FIRST), now["taskset_version"]])
    names = ("git_commit", "tensorflow_version", "mode", "machine")
    return {"taskset_version": oldest, **{name: _both(before.get(name, ""), now[name]) for name in names}}


def _both(before: str, now: str) -> str:
    """Two lists of values as one, each value once; a value may have a comma of its own."""
    if not before or f", {before}, " in f", {now}, ":
        return now
    return before if not now or f", {now}, " in f", {before}, " else f"{before}, {now}"


def earlier(name: str, options: SweepOptions, root: str | Path) -> Curves | None:
    """What the file of a task has before a sweep adds to it, from that file alone; None where there is no file."""
    file = resume.task_file(root, name, options)
    if not file.path.exists():
        return None
    metadata = store.read_metadata(file.path)
    resume.check_current(file, metadata)
    stored = pa.concat_tables([packing.read_part(*place) for place in packing.places(file.path)])
    return Curves(layout.with_seconds(stored).select(store.SCHEMA.names).cast(store.SCHEMA), metadata)


def keep(curves: Curves, options: SweepOptions, root: str | Path) -> Path:
    """Write the curves of a sweep with these options into `root`; returns the path.

    Raises `StoreError` where it holds others' by now, and as `store.write_curves`.
    """
    with resume.settling(root):
        resume.settle_options(root, options.as_json())  # once more: another sweep may have been first to have curves here
        return curves.write(root)
