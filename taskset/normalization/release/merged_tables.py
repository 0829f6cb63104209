"""The tables of merged baselines: tasks, sweeps, optimizers and normalizers, made from the curves that are merged."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from taskset import catalogue, changes, registry
from taskset.datasets.base import SPLITS
from taskset.errors import StoreError, UnknownName
from taskset.normalization.normalizer import fit
from taskset.normalization.release.groups import by_family_and_seed
from taskset.normalization.release.stored_curves import StoredCurves
from taskset.normalization.store import file_metadata, packing
from taskset.normalization.store.columns import schema
from taskset.normalization.sweep.provenance import git_commit
from taskset.normalization.tables import milliseconds, num_params_of, optimizer_table, task_row, with_earlier_rows
from taskset.version import __version__

if TYPE_CHECKING:
    import pandas as pd


def sweep_row(curves: StoredCurves, group: str, notes: dict[str, str]) -> dict[str, Any]:
    """What sweeps.parquet says of one task's curves. notes: {data set: what is particular about the copy that was read}."""
    metadata, options = curves.metadata, curves.options
    table = curves.read()
    frame = table.select(["optimizer", "seed", "step", "diverged", "seconds_per_step"]).to_pandas()
    # a merged root's own cost, as it was when it was merged first
    cost = json.loads(metadata["ms_per_step"]) if "ms_per_step" in metadata else milliseconds(frame)
    origin = json.loads(metadata.get("data_origin", "null"))
    data_set = str(origin.get("name")) if isinstance(origin, dict) else ""
    note = notes.get(data_set, metadata.get("data_note")) if curves.source == "tfds" else None
    return {
        "task": curves.task,
        "family": curves.family,
        "source": curves.source,
        "group": group,
        "horizon": options["steps"],
        **{name: options[name] for name in ("evaluations", "batches", "seeds", "optimizers")},
        "rows": len(table),
        "diverged_runs": diverged_runs(frame),
        "ms_per_step": None if math.isnan(cost) else cost,
        "copies": file_metadata.whole_number(curves.path, metadata, "copies"),
        "core_seconds": curves.core_seconds,
        "data_origin": None if origin is None else json.dumps(origin),
        "data_note": note,
        **{
            name: metadata.get(name) or None
            for name in ("mode", "machine", "taskset_version", "git_commit", "tensorflow_version", "created")
        },
    }


def require_used(sweeps: Iterable[dict[str, Any]], costs: Mapping[str, float], notes: Mapping[str, str]) -> None:
    """Raise StoreError for a name in `costs` that is no task, or one in `notes` of whose data set `sweeps` has no real data."""
    rows = list(sweeps)
    unknown = sorted({*costs} - {*catalogue.list_tasks(), *(row["task"] for row in rows)})
    if unknown:
        raise StoreError(
            f"a cost is given for {unknown[0]!r}, which is in no table here: they have the named tasks, seeds 0 to 999, and all "
            "that were swept; correct the name, or leave it out"
        )
    origins = [json.loads(row["data_origin"]) for row in rows if row["source"] == "tfds" and row["data_origin"]]
    there = sorted({str(origin["name"]) for origin in origins if isinstance(origin, dict) and "name" in origin})
    unread = sorted({*notes} - {*there})
    if unread:
        read = f"real data there is of {', '.join(there)}" if there else "none of these curves is on real data"
        raise StoreError(f"a note is given on {unread[0]!r}, which none of these curves has read: {read}")


def diverged_runs(frame: pd.DataFrame) -> int:
    """How many runs of one task in one sweep diverged."""
    return len(frame.loc[frame["diverged"], ["optimizer", "seed"]].drop_duplicates())


def _task_rows(
    found: list[StoredCurves], sweeps: list[dict[str, Any]], costs: dict[str, float], known: Mapping[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    """Rows of tasks.parquet: every task there is, and those of families registered elsewhere that were swept."""
    swept = defaultdict(list)
    for row in sweeps:
        swept[row["task"]].append(row)
    stored = {c.task: c for c in found}
    rows = []
    for name in dict.fromkeys([*catalogue.list_tasks(), *sorted(stored, key=by_family_and_seed)]):
        one = stored.get(name)
        row = dict(known[name]) if name in known else _described(name, one)
        if one:
            row["num_params"] = num_params_of(one.path, one.metadata, row["num_params"])
        today = [r for r in swept[name] if not changes.outdated(name, r["source"], r["taskset_version"])] or swept[name]
        measured = [r["ms_per_step"] for r in today if r["ms_per_step"] is not None]
        row["ms_per_step"] = min(measured) if measured else costs.get(name)
        row["runs"] = sum(len(r["seeds"]) * len(r["optimizers"]) for r in swept[name])
        rows.append(row)
    return rows


def _described(name: str, stored: StoredCurves | None) -> dict[str, Any]:
    """A row of tasks.parquet without what its curves say. stored: its curves, whose metadata knows families from elsewhere."""
    try:
        family, config = catalogue.resolve(name)
    except UnknownName:
        if stored is None:
            raise
        return task_row(name, stored.family, stored.config, registry.Facts())
    if stored is not None and _was_edited(family, config, stored):
        return task_row(name, family, stored.config, registry.Facts())
    return task_row(name, family, config, catalogue.facts(family, config))


def _was_edited(family: str, config: Any, stored: StoredCurves) -> bool:
    """Whether a user's family gives a task another config now than when its curves were computed."""
    return registry.own_builder(family) is not None and "config" in stored.metadata and stored.config != config


BATCH = 500_000  # rows of curves in memory at a time
COMPUTED_FROM = "adam_lr_*"  # what normalizers of merged baselines say that they are made from
_FITTED = COMPUTED_FROM.removesuffix("*")


def fit_adam(curves: pd.DataFrame) -> pd.DataFrame | None:
    """Normalizers from the runs of Adam's fixed learning rates alone, None where there are none.

    Which other optimizers a task was swept with differs from task to task, and must not move its normalizer.
    """
    adam = curves[curves["optimizer"].astype(str).str.startswith(_FITTED)]
    return fit(adam) if len(adam) else None


def is_fitted(optimizer: str) -> bool:
    """Whether `fit_adam` looks at the runs of an optimizer."""
    return optimizer.startswith(_FITTED)


def _batches_of_tasks(found: Iterable[StoredCurves]) -> Iterator[pd.DataFrame]:
    """The curves as DataFrames of many whole tasks each, about BATCH rows at a time."""
    places: defaultdict[tuple[str, str, str], list[StoredCurves]] = defaultdict(list)
    for c in found:
        places[c.source, c.family, c.task].append(c)
    waiting: list[pa.Table] = []
    count = 0
    for (source, family, _), members in places.items():
        for c in members:
            table = c.read()
            for name, value in (("source", source), ("family", family)):
                table = table.append_column(name, pa.array([value] * len(table)).dictionary_encode())
            waiting.append(table)
            count += len(table)
        if count >= BATCH:
            yield pa.concat_tables(waiting).unify_dictionaries().to_pandas()
            waiting, count = [], 0
    if waiting:
        yield pa.concat_tables(waiting).unify_dictionaries().to_pandas()


def normalizers(
    found: Iterable[StoredCurves], rule: Callable[[pd.DataFrame], pd.DataFrame | None], known: pa.Table | None = None
) -> pa.Table:
    """The normalizers of all tasks as an Arrow table, some tasks in memory at a time; rule: `fit` or `fit_adam`.

    known: those of other tasks, which become part of the table as they are.
    """
    kinds = schema("normalizers")
    tables = [kinds.empty_table()] if known is None else [known.cast(kinds)]
    for frame in map(rule, _batches_of_tasks(found)):
        if frame is not None:
            tables.append(pa.Table.from_pandas(frame[kinds.names], preserve_index=False).cast(kinds))
    table = pa.concat_tables(tables)
    rows = table.select(["source", "family", "task", "horizon", "split"]).to_pylist()
    keys = [(r["source"], r["family"], by_family_and_seed(r["task"]), r["horizon"], SPLITS.index(r["split"])) for r in rows]
    return table.take(pa.array(sorted(range(len(keys)), key=keys.__getitem__), pa.int64()))


def tables_of(
    found: list[StoredCurves],
    sweeps: list[dict[str, Any]],
    costs: dict[str, float],
    roots: Iterable[str | Path] = (),
    fitted: Callable[[], pa.Table] | None = None,
    known: Mapping[str, dict[str, Any]] | None = None,
) -> dict[str, pa.Table]:
    """{name: Arrow table with its metadata} of what stands beside the curves.

    sweeps: the `sweep_row` of each of `found`; costs: {task: milliseconds a step} of tasks that weren't swept; roots: the
    directories that are merged, whose tables know the hyperparameters of users' own optimizers.
    fitted: makes the normalizers; None: from all of `found`. known: {task: its row in an earlier tasks.parquet of this version of
    the package}: to describe 13,000 tasks takes half a minute.
    """
    created = max(c.metadata.get("created", "") for c in found)
    metadata = {"taskset_version": __version__, "git_commit": git_commit(), "created": created}
    used = sorted({optimizer for row in sweeps for optimizer in row["optimizers"]}, key=packing.optimizer_key())
    tables = {
        "tasks": pa.Table.from_pylist(_task_rows(found, sweeps, costs, known or {}), schema("tasks")),
        "sweeps": pa.Table.from_pylist(sweeps, schema("sweeps")),
        "optimizers": with_earlier_rows(optimizer_table(used), roots),
        "normalizers": (fitted() if fitted else normalizers(found, fit_adam)).replace_schema_metadata(
            {"computed_from": COMPUTED_FROM}
        ),
    }
    return {name: _with_metadata(table, metadata) for name, table in tables.items()}


def _with_metadata(table: pa.Table, metadata: dict[str, str]) -> pa.Table:
    own = {k: v for k, v in (table.schema.metadata or {}).items() if k != b"pandas"}
    return table.replace_schema_metadata({**own, **metadata})
