"""`python -m taskset data add`: the outputs of further sweeps become part of merged baselines, as new files beside the old ones.

What was added is in GROUP-2.parquet, GROUP-3.parquet and so on: one file per source, family, group and addition. Curve files that
were there stay as they are, byte for byte; tables, card, description and sums are made again. Readers find the same as if all
sweeps had been merged at once (`taskset.normalization.release.ship`), and the outdated curves of tasks that were added anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from taskset import changes
from taskset.errors import StoreError, argument, counted
from taskset.execution.costs import measured_milliseconds
from taskset.normalization import store
from taskset.normalization.release import merged
from taskset.normalization.release.collect import find, of_merged, without_outdated
from taskset.normalization.release.conflicts import check_runs
from taskset.normalization.release.groups import group_key, group_names, order
from taskset.normalization.release.merged_tables import fit_adam, is_fitted, normalizers, require_used, sweep_row, tables_of
from taskset.normalization.release.ship import write_beside, write_file
from taskset.normalization.release.stored_curves import StoredCurves, same
from taskset.normalization.store import layout, row_groups, sha256_sums
from taskset.normalization.store.columns import schema
from taskset.version import __version__


def add(
    roots: Sequence[str | Path],
    to: str | Path,
    costs: dict[str, float] | None = None,
    data_notes: dict[str, str] | None = None,
    report: Callable[[str], object] = lambda text: None,
) -> tuple[int, int]:
    """Add the curves under `roots` that the baselines in `to` lack; returns the number of tasks and of runs that were added.

    `to` lacks a task in a setting (source and options) if it has no curves of it, or none of today's task. Curves that it has
    already, equal in every value, are passed over: `roots` may be a sweep that is still growing.
    costs, data_notes, report: as in `ship`. An addition that was interrupted is made up for by the next one.
    Curves that are out of date are passed over, too, where `to` has some of today's task: a merge of all would leave them out,
    and nothing would tell them from those that `to` has of their version.
    Raises StoreError: `to` holds no merged baselines, or those of a merge that was interrupted, or a curve file of it was
    changed; a run that is there with other values; another merge or addition that is at work there.
    """
    to = Path(to)
    if not (to / sha256_sums.NAME).exists():
        made = f"python -m taskset data ship .. --out {argument(to)}"
        raise StoreError(f"{to} holds no merged baselines to add to: make them with `{made}`")
    with merged.alone(to):
        return _add(roots, to, costs or {}, data_notes or {}, report)


def _add(
    roots: Sequence[str | Path],
    to: Path,
    costs: dict[str, float],
    data_notes: dict[str, str],
    report: Callable[[str], object],
) -> tuple[int, int]:
    """`add`, by the only process that is at work on `to`."""
    store.require_whole(to)
    _remove_leftovers(to)
    there = of_merged(to)
    new = _new(find(roots), there)
    today = without_outdated([*there, *new])
    check_runs(today)
    valid = set(map(id, today))
    added = [c for c in new if id(c) in valid]
    if len(added) < len(new):
        passed = counted(len(new) - len(added), "sweep")
        report(f"{passed} of tasks that changed since, and that are there as they are today: passed over")
    report(f"{counted(len(added), 'sweep')} of tasks to add")
    files = _files(added, there, to)
    names = {id(c): path.stem for path, members in files.items() for c in members}
    stored = _stored_rows(to)
    rows = {id(c): stored[c.task, c.source, c.path.stem] for c in there}
    rows |= {id(c): sweep_row(c, names[id(c)], data_notes) for c in added}
    require_used(rows.values(), costs, data_notes)
    everything = sorted([*there, *added], key=lambda c: (*order(c), changes.release(c.version)))
    tables = tables_of(
        everything,
        [rows[id(c)] for c in everything],
        {**measured_milliseconds(), **merged.costs([*roots, to]), **costs},
        [*roots, to],
        lambda: _normalizers(to, today, {(c.task, c.source) for c in added}),
        _known_tasks(to, {c.task for c in added}),
    )
    report("tables")
    for path, members in files.items():
        write_file(path, members)
        report(f"{path.relative_to(to)}: {counted(len(members), 'task')}, {path.stat().st_size / 1e6:.2f} MB")
    write_beside(tables, to)
    return len({c.task for c in added}), sum(c.runs for c in added)


def _remove_leftovers(to: Path) -> None:
    """Delete curve files of an addition that was interrupted before sweeps.parquet; refuse where an older file is changed."""
    listed = sha256_sums.listed(to)
    known = {(source, told["family"], file) for (_, source, file), told in merged.stored(to).items()}
    for path in store.curve_files(to):
        name = path.relative_to(to).as_posix()
        if name in listed and sha256_sums.digest(path) != listed[name]:
            raise StoreError(
                f"{name}: its SHA-256 is not the one in {to / sha256_sums.NAME}: restore {to} before anything is added to it"
            )
        source, family = (row_groups.partition(name, part) for part in ("source", "family"))
        if name not in listed and (source, family, path.stem) not in known:
            path.unlink()


def _new(found: list[StoredCurves], there: list[StoredCurves]) -> list[StoredCurves]:
    """Those of `found` that are not `there`, equal in every value."""
    alike = defaultdict(list)
    for curves in there:
        alike[curves.task, curves.source, group_key(curves.options)].append(curves)
    return [c for c in found if not any(same(c, o) for o in alike[c.task, c.source, group_key(c.options)])]


def _files(added: list[StoredCurves], there: list[StoredCurves], to: Path) -> dict[Path, list[StoredCurves]]:
    """{path of a new file: the curves it gets}: the next one of each source, family and group."""
    names = group_names(added, {group_key(c.options): layout.group_of(c.path.stem) for c in there})
    last: defaultdict[tuple[str, str, str], int] = defaultdict(int)
    for c in there:
        place = c.source, c.family, layout.group_of(c.path.stem)
        last[place] = max(last[place], layout.number_in_group(c.path.stem))
    files = defaultdict(list)
    for c in added:
        place = c.source, c.family, names[group_key(c.options)]
        file = layout.file_in_group(place[2], last[place] + 1)
        files[store.curve_path(to, c.source, c.family, file)].append(c)
    return dict(files)


def _stored_rows(to: Path) -> dict[tuple[str, str, str], dict[str, Any]]:
    rows = store.read_table(to / layout.SWEEPS, columns=schema("sweeps").names).to_pylist()
    return {(row["task"], row["source"], row["group"]): row for row in rows}


def _known_tasks(to: Path, changed: set[str]) -> dict[str, dict[str, Any]]:
    """{task: its row in tasks.parquet} of all but `changed`; {} where another version of the package wrote it."""
    path = to / layout.TASKS
    if store.table_metadata(path).get("taskset_version") != __version__:
        return {}
    rows = store.read_table(path, columns=schema("tasks").names).to_pylist()
    return {row["task"]: row for row in rows if row["task"] not in changed}


def _normalizers(to: Path, today: list[StoredCurves], changed: set[tuple[str, str]]) -> pa.Table:
    """Normalizers from the curves `today`: those of {(task, source)} `changed` are computed, the others are as they were.

    Those whose rows were not computed from these curves are computed as well. An addition that was interrupted may have left
    rows of curves that it never named; and a change of a task can take another back, and with it make older curves valid again
    that were left out when they were fitted.
    """
    known = store.read_table(to / layout.NORMALIZERS)
    fitted: defaultdict[tuple[str, str], set[tuple[int, int, str]]] = defaultdict(set)
    for row in known.select(["task", "source", "horizon", "runs", "version"]).to_pylist():
        fitted[row["task"], row["source"]].add((row["horizon"], row["runs"], row["version"]))
    expected = _fitted_from(today)
    changed = changed | {key for key in {*fitted, *expected} if fitted.get(key) != expected.get(key)}
    keep = [key not in changed for key in zip(known["task"].to_pylist(), known["source"].to_pylist())]
    known = known.filter(pa.array(keep, pa.bool_())).select(schema("normalizers").names)
    return normalizers([c for c in today if (c.task, c.source) in changed], fit_adam, known)


def _fitted_from(found: list[StoredCurves]) -> dict[tuple[str, str], set[tuple[int, int, str]]]:
    """{(task, source): (horizon, runs, oldest version) of each horizon}: what normalizers say of the curves behind them."""
    runs: defaultdict[tuple[str, str, int], int] = defaultdict(int)
    versions: defaultdict[tuple[str, str, int], list[str]] = defaultdict(list)
    for c in found:
        place = c.task, c.source, c.options["steps"]
        if count := len(c.options["seeds"]) * sum(map(is_fitted, c.options["optimizers"])):
            runs[place] += count
            versions[place].append(c.version)
    fitted: defaultdict[tuple[str, str], set[tuple[int, int, str]]] = defaultdict(set)
    for (task, source, horizon), count in runs.items():
        fitted[task, source].add((horizon, count, changes.oldest(versions[task, source, horizon])))
    return dict(fitted)
