"""A directory that `data ship` made, as input of the next one: what its tables say of each task's curves.

The curve files of a sweep say in their metadata how they were made. A merged file has many tasks: what was said of
each is in sweeps.parquet and tasks.parquet.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from taskset.errors import StoreError, cut
from taskset.files import make_directory, remove_temporaries
from taskset.jobs import claims
from taskset.normalization import store
from taskset.normalization.store import file_metadata, layout
from taskset.normalization.store.columns import schema
from taskset.normalization.sweep import resume

# Columns that are unchanged from the metadata of the sweep's file.
_TEXTS = [field.name for field in schema("sweeps") if pa.types.is_string(field.type)]


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """Have the directory `root` for one merge or addition until the end of the block, without what killed ones left half-written.

    Two at a time would each take the other's curve files for leftovers. Raises StoreError where another one is at work.
    """
    make_directory(root)
    try:
        with claims.claim(root, "merge") as mine:
            if not mine:
                raise StoreError(f"another data add or ship is at work on {root}: let it end, and repeat the command")
            resume.remove_leftovers(root)
            remove_temporaries(root)
            yield
    finally:
        claims.tidy(root)


def stored(root: Path) -> dict[tuple[str, str, str], dict[str, str]]:
    """{(task, source, group): {name: text}}: for each part of the curves the metadata that a single sweep's file has."""
    tasks = {row["task"]: row for row in _rows(root, "tasks", ["task", "config", "num_params"])}
    found = {}
    for row in _rows(root, "sweeps", schema("sweeps").names):
        if row["task"] not in tasks:
            raise StoreError(f"{root / 'sweeps.parquet'} has {row['task']}, which tasks.parquet lacks: merge the sweeps again")
        found[row["task"], row["source"], row["group"]] = _metadata(root / layout.SWEEPS, row, tasks[row["task"]])
    return found


def costs(roots: Iterable[str | Path]) -> dict[str, float]:
    """{task: milliseconds a training step} of the tasks that have a cost and no curves, in those of `roots` that are merged."""
    return {
        row["task"]: row["ms_per_step"]
        for root in filter(store.is_merged, map(Path, roots))
        for row in _rows(root, "tasks", ["task", "ms_per_step", "runs"])
        if row["runs"] == 0 and row["ms_per_step"] is not None
    }


def _rows(root: Path, table: str, columns: list[str]) -> list[dict[str, Any]]:
    path = root / f"{table}.parquet"
    kinds = pa.schema([schema(table).field(name) for name in columns])
    try:
        return store.read_table(path, columns=columns).select(columns).cast(kinds).to_pylist()
    except pa.ArrowException as error:
        raise StoreError(f"{path}: its columns are not those of a merge ({cut(str(error))}): merge the sweeps again") from error


def _metadata(path: Path, row: dict[str, Any], task: dict[str, Any]) -> dict[str, str]:
    options = {"optimizers": row["optimizers"], "source": row["source"], "steps": row["horizon"]}
    options |= {name: row[name] for name in ("seeds", "batches", "evaluations")}
    metadata = {name: row[name] for name in _TEXTS}
    metadata |= {"config": task["config"], "num_params": task["num_params"], "options": json.dumps(options)}
    metadata |= {name: None if row[name] is None else json.dumps(row[name]) for name in ("core_seconds", "copies", "ms_per_step")}
    found = {name: str(value) for name, value in metadata.items() if value is not None}
    file_metadata.check(path, found, row["rows"] or 0)
    for name in ("task", "family", "source"):
        file_metadata.text(path, found, name)
    return found
