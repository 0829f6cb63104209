"""A directory that `data ship` made, as input of the next one: what its tables say of each task's curves.

Curve files of a sweep carry how they were made; in a merged file, which has many tasks, sweeps.parquet and tasks.parquet do.
"""

import json
from pathlib import Path

import pyarrow as pa

from taskset.errors import StoreError
from taskset.normalization import store
from taskset.normalization.store.columns import schema
from taskset.normalization.sweep.runner import SweepOptions

_TEXTS = [field.name for field in schema("sweeps") if pa.types.is_string(field.type)]  # there as they were in the sweep's file


def is_merged(root):
    """Whether `root` is a directory of merged sweeps."""
    return (root / "sweeps.parquet").exists()


def stored(root):
    """{(task, source, group): {name: text}}: for each part of the curves what the file of a single sweep would say."""
    tasks = {row["task"]: row for row in _rows(root, "tasks", ["task", "config", "num_params"])}
    found = {}
    for row in _rows(root, "sweeps", schema("sweeps").names):
        if row["task"] not in tasks:
            raise StoreError(f"{root / 'sweeps.parquet'} has {row['task']}, which tasks.parquet hasn't: merge the sweeps again")
        found[row["task"], row["source"], row["group"]] = _told(row, tasks[row["task"]])
    return found


def costs(roots):
    """{task: milliseconds a training step} of the tasks that have a cost and no curves, in those of `roots` that are merged."""
    return {
        row["task"]: row["ms_per_step"]
        for root in filter(is_merged, map(Path, roots))
        for row in _rows(root, "tasks", ["task", "ms_per_step", "runs"])
        if row["runs"] == 0 and row["ms_per_step"] is not None
    }


def _rows(root, table, columns):
    return store.read_table(root / f"{table}.parquet", columns=columns).to_pylist()


def _told(row, task):
    options = SweepOptions(
        tuple(row["optimizers"]), row["source"], row["horizon"], tuple(row["seeds"]), row["batches"], row["evaluations"]
    )
    told = {name: row[name] for name in _TEXTS}
    told |= {"config": task["config"], "num_params": task["num_params"], "options": json.dumps(options.as_json())}
    told |= {name: None if row[name] is None else json.dumps(row[name]) for name in ("core_seconds", "copies", "ms_per_step")}
    return {name: str(value) for name, value in told.items() if value is not None}
