"""What `python -m taskset data check` compares in the tables beside the curves: with the curves, the registry and one another."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from taskset import catalogue, changes
from taskset.errors import StoreError, UnknownName, shown
from taskset.normalization import store
from taskset.normalization.normalizer import fit
from taskset.normalization.release import merged_tables
from taskset.normalization.release.stored_curves import StoredCurves
from taskset.normalization.store import columns, layout
from taskset.normalization.tables import optimizers_frame, task_row
from taskset.version import __version__

_KEY = ["task", "source", "horizon", "split"]
_MOST = 10  # lines about one table: a column may be wrong from end to end


def schema_problems(root: Path, name: str, merged: bool) -> list[str]:
    """What is wrong with the columns of a table; merged: whether it is one of merged baselines."""
    path = Path(root, f"{name}.parquet")
    try:
        store.read_table(path)
        schema = pq.read_schema(path)
    except StoreError:
        return [f"{path.name}: missing, or no complete Parquet file"]
    if name == "optimizers":
        lacking = sorted(set(columns.OPTIMIZER) - set(schema.names))
        return [f"{path.name}: no column {column!r}" for column in lacking]
    if not merged:  # a sweep's own tables have fewer columns
        return []
    there = schema.remove_metadata()
    if there.equals(columns.schema(name)):
        return []
    wrong = f"columns {', '.join(there.names)} with their types are not those of the schema"
    return [f"{path.name}: {wrong}; `data ship` rewrites tables of an older version"]


def normalizer_problems(root: Path, valid: Sequence[StoredCurves]) -> list[str]:
    """What normalizers.parquet says otherwise than the curves `valid` of today's tasks."""
    path = Path(root, layout.NORMALIZERS)
    rule = merged_tables.fit_adam if store.table_metadata(path).get("computed_from") == merged_tables.COMPUTED_FROM else fit
    expected = merged_tables.normalizers(valid, rule).to_pandas().set_index(_KEY).sort_index()
    there = store.all_normalizers(root).set_index(_KEY).sort_index()
    if not there.index.is_unique:
        return ["normalizers.parquet: a task, source, horizon and split stand there twice"]
    found = [f"normalizers.parquet: no row for {', '.join(map(str, key))}" for key in expected.index.difference(there.index)]
    found += [f"normalizers.parquet: {', '.join(map(str, key))} has no curves" for key in there.index.difference(expected.index)]
    both = expected.index.intersection(there.index)
    old, new = there.loc[both], expected.loc[both]
    for column in ("initial", "best", "runs", "diverged_share", "normalizable"):
        left, right = old[column].astype(float), new[column].astype(float)
        wrong = ~np.isclose(left, right, rtol=1e-6, atol=0, equal_nan=True)
        for key, a, b in zip(both[wrong], left[wrong], right[wrong]):
            found.append(f"normalizers.parquet: {', '.join(map(str, key))}: {column} is {a:g}; the curves say {b:g}")
    for column in ("best_optimizer", "version"):
        wrong = (old[column].fillna("") != new[column].fillna("")) if column in old else np.zeros(len(both), bool)
        found += [f"normalizers.parquet: {', '.join(map(str, key))}: {column} is not what the curves say" for key in both[wrong]]
    return found[:_MOST]


def optimizer_problems(root: Path, readable: Sequence[StoredCurves]) -> list[str]:
    """What optimizers.parquet lacks of the optimizers of these curves, or says otherwise."""
    used = sorted({name for curves in readable for name in curves.options["optimizers"]})
    there = store.load_optimizers(root).set_index("optimizer")
    if not there.index.is_unique:
        return ["optimizers.parquet: an optimizer stands there twice"]
    found = [f"optimizers.parquet: {name} is missing" for name in used if name not in there.index]
    expected = optimizers_frame([name for name in used if name in there.index]).set_index("optimizer")
    expected = expected[expected.notna().any(axis="columns")]  # nothing is known here of users' own and of learned optimizers
    for column in expected.columns.intersection(there.columns):
        wrong = expected.index[~_same_hyperparameter(there.loc[expected.index, column], expected[column])]
        found += [f"optimizers.parquet: {name}: {column} is not that of the optimizer of this name" for name in wrong]
    found += [f"optimizers.parquet: no column {column!r}" for column in expected.columns.difference(there.columns)]
    return found[:_MOST]


def _same_hyperparameter(left, right):
    """Where two columns agree, to the last digit but one: NumPy's powers and exponentials differ in it between processors."""
    if left.dtype.kind != "f" or right.dtype.kind != "f":
        return _equal(left, right)
    return np.isclose(left, right, rtol=1e-14, atol=0, equal_nan=True)


def _equal(left, right):
    return ((left == right) | (left.isna() & right.isna())).to_numpy(bool)


def merged_problems(root: Path, readable: Sequence[StoredCurves], diverged: Mapping[tuple[Path, int], int]) -> list[str]:
    """What sweeps.parquet and tasks.parquet say otherwise than the curves, the registry and one another.

    readable: all curves, each with the version of its rows; diverged: {(path, row group): runs that diverged}.
    """
    for load in (store.load_sweeps, store.load_tasks):
        load(root)  # raises where a row has no name
    sweeps, tasks = (store.read_table(root / f"{name}.parquet").to_pylist() for name in ("sweeps", "tasks"))
    written_by = store.table_metadata(root / layout.TASKS).get("taskset_version", changes.FIRST)
    of_sweeps = [*_sweep_problems(sweeps, readable, diverged), *_time_problems(sweeps, readable)]
    of_tasks = [*_count_problems(tasks, sweeps, readable), *_description_problems(tasks, readable, written_by)]
    return [f"sweeps.parquet: {text}" for text in of_sweeps[:_MOST]] + [f"tasks.parquet: {text}" for text in of_tasks[:_MOST]]


def _sweep_problems(
    sweeps: Sequence[Mapping[str, Any]], readable: Sequence[StoredCurves], diverged: Mapping[tuple[Path, int], int]
) -> Iterator[str]:
    """Rows that say otherwise than their curves, rows without curves, and curves without a row."""
    of_curves = {(c.task, c.source, c.path.stem): c for c in readable}
    listed = {(row["task"], row["source"], row["group"]): row for row in sweeps}
    for key in sorted({*of_curves, *listed}):
        row, curves, place = listed.get(key), of_curves.get(key), ", ".join(key)
        if row is None or curves is None:
            yield f"{place}: {'no' if row is None else row['rows']} rows; the curves have {'none' if curves is None else 'some'}"
            continue
        for name, value in _row_of(curves, diverged[curves.path, curves.row_group]).items():
            if row[name] != value:
                yield f"{place}: {name} is {shown(row[name])}; the curves have {shown(value)}"
    if len(listed) < len(sweeps):
        yield "a task, source and group stand there twice"


def _row_of(curves: StoredCurves, diverged: int) -> dict[str, Any]:
    """What `merged_tables.sweep_row` says of curves, as far as it follows from the curves."""
    options = curves.options
    return {
        "family": curves.family,
        "horizon": options["steps"],
        **{name: options[name] for name in ("evaluations", "batches", "seeds", "optimizers")},
        "rows": curves.runs * (options["evaluations"] + 1),
        "diverged_runs": diverged,
        "taskset_version": curves.version,
    }


def _time_problems(sweeps: Sequence[Mapping[str, Any]], readable: Sequence[StoredCurves]) -> Iterator[str]:
    """Times that are none, and files whose core-seconds are not the sum of those of their tasks."""
    spent: defaultdict[tuple[str, str, str], float] = defaultdict(float)
    for row in sweeps:
        for name in ("core_seconds", "ms_per_step"):
            if row[name] is not None and not 0 <= row[name] < math.inf:
                place = f"{row['task']}, {row['source']}, {row['group']}"
                yield f"{place}: {name} is {row[name]:g}; allowed are numbers of at least 0"
        spent[row["source"], row["family"], row["group"]] += row["core_seconds"] or 0.0
    for c in {c.path: c for c in readable}.values():
        total = spent[c.source, c.family, c.path.stem]
        if c.core_seconds is not None and abs(total - c.core_seconds) > 0.051 + 1e-6 * total:  # it is written with one digit
            yield f"{c.source}, {c.family}, {c.path.stem}: core_seconds are {total:.1f}; the metadata says {c.core_seconds:.1f}"


def _count_problems(
    tasks: Sequence[Mapping[str, Any]], sweeps: Sequence[Mapping[str, Any]], readable: Sequence[StoredCurves]
) -> Iterator[str]:
    """Tasks that are missing or stand there twice, and counts and costs that are not those of their curves and sweeps."""
    stored = {(row["task"], row["source"], row["group"]): row["ms_per_step"] for row in sweeps}
    runs: Counter[str] = Counter()
    costs: defaultdict[str, list[float]] = defaultdict(list)
    old: defaultdict[str, list[float]] = defaultdict(list)
    for c in readable:
        runs[c.task] += c.runs
        cost = stored.get((c.task, c.source, c.path.stem))
        (old if changes.outdated(c.task, c.source, c.version) else costs)[c.task] += [] if cost is None else [cost]
    there = Counter(row["task"] for row in tasks)
    if len(there) < len(tasks):
        yield "a task stands there twice"
    yield from (f"{name} is missing" for name in dict.fromkeys([*catalogue.list_tasks(), *runs]) if name not in there)
    for row in tasks:
        name, cost = row["task"], row["ms_per_step"]
        if row["runs"] != runs[name]:
            yield f"{name}: runs is {row['runs']}; the curves have {runs[name]}"
        measured = costs[name] if name in costs else old[name]
        if measured and cost != min(measured):
            yield f"{name}: ms_per_step is {cost}; the lowest of its sweeps is {min(measured)}"
        elif cost is not None and not 0 <= cost < math.inf:
            yield f"{name}: ms_per_step is {cost:g}; allowed are numbers of at least 0"


def _description_problems(tasks: Sequence[Mapping[str, Any]], readable: Sequence[StoredCurves], written_by: str) -> Iterator[str]:
    """Tasks that are not described as the tasks of their names; those of families registered elsewhere are not known here.

    written_by: the version that made the table. Of a task that changed since, its name, family, seed and config are the same.
    """
    swept = {c.task for c in readable}
    today = {c.task for c in readable if not changes.outdated(c.task, c.source, c.version)}
    for row in tasks:
        name = row["task"]
        try:
            family, config = catalogue.resolve(name)
        except UnknownName:
            continue
        expected = task_row(name, family, config, catalogue.facts(family, config))
        if not _same_json(row["config"], expected.pop("config")):
            yield f"{name}: its config is not that of the task of this name"
        if written_by != __version__:
            del expected["reason"]  # the same in other words
        if changes.outdated(name, None, written_by):
            expected = {column: expected[column] for column in ("family", "seed")}
        if name in swept - today:
            expected.pop("num_params", None)  # as counted then
        for column, value in expected.items():
            if row[column] != value:
                yield f"{name}: {column} is {shown(row[column])}; that of the task of this name is {shown(value)}"


def _same_json(text: str | None, expected: str) -> bool:
    if text == expected:
        return True
    try:
        return json.loads(text or "null") == json.loads(expected)
    except (ValueError, RecursionError):
        return False
