"""`python -m taskset data ship`: outputs of several sweeps become one directory of baselines, described and summed.

    curves/source=SOURCE/family=FAMILY/GROUP.parquet   one file per group of options, one row group per task
    tasks.parquet        every task there is, swept or not        optimizers.parquet   those that have curves
    sweeps.parquet       how the curves of each task were made    normalizers.parquet  from Adam's fixed learning rates
    README.md, croissant.json, SHA256SUMS

A group is a set of equal options (optimizers, horizon, seeds, batches, evaluations): the tasks of a family may have several.
The same input gives the same files, byte for byte. `taskset.normalization.release.add` adds to such a directory without writing
its curve files again.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from taskset.errors import StoreError
from taskset.execution.costs import measured_milliseconds
from taskset.normalization import store
from taskset.normalization.release import card, croissant, merged
from taskset.normalization.release.collect import Curves, find, group_key, group_names
from taskset.normalization.release.merged_tables import sweep_row, tables_of
from taskset.normalization.store import layout, packing, sums


def ship(
    roots: Sequence[str | Path],
    out: str | Path,
    costs: dict[str, float] | None = None,
    data_notes: dict[str, str] | None = None,
    report: Callable[[str], object] = lambda text: None,
) -> tuple[int, int]:
    """Merge the outputs of sweeps under `roots` into the directory `out`; returns the number of tasks and of runs.

    A root may be a directory merged before: new sweeps are added to it by merging it and them into another one.
    costs: {task: milliseconds a step} of tasks not swept, beside those of `taskset.execution.costs` and of merged roots.
    data_notes: {data set: what is particular about the copy of the real data that was read}; a merged root brings its own.
    report: called with one line per step. Raises StoreError: see `collect.find`; an `out` that holds something else, or curves
    of sweeps that are not among these.
    """
    out = Path(out)
    found = find(roots)
    names = group_names(found)
    rows = [sweep_row(c, names[group_key(c.options)], data_notes or {}) for c in found]
    tables = tables_of(found, rows, {**measured_milliseconds(), **merged.costs(roots), **(costs or {})})
    report("tables")
    _claim(out, roots, rows)  # all that can be refused was: from here on files are written
    kept = _write_curves(found, names, out, report)
    for old in (out / "curves").rglob("*.parquet"):
        if old not in kept:
            old.unlink()
    report(f"{len(kept)} curve files")
    write_beside(tables, out)
    return len({c.task for c in found}), sum(len(row["seeds"]) * len(row["optimizers"]) for row in rows)


_SWEEP = ("task", "source", "horizon")


def write_beside(tables: Mapping[str, pa.Table], out: Path) -> None:
    """Write what stands beside the curves: {name: table}, then the card, the description and the sums, which read all of it."""
    for name, table in tables.items():
        store.write_table(table, out / f"{name}.parquet")
    card.write(out)
    croissant.write(out)
    sums.write(out)


def _claim(out: Path, roots: Sequence[str | Path], rows: Sequence[Mapping[str, Any]]) -> None:
    if out.resolve() in {Path(root).resolve() for root in roots} or (out / "sweep.json").exists():
        raise StoreError(f"{out} is one of those merged, or the output of a sweep: give the result a directory of its own")
    if (out / "curves").exists() and not (out / sums.NAME).exists():
        raise StoreError(f"{out} has curves and no {sums.NAME}, so nothing merged before: choose another --out")
    if (out / "sweeps.parquet").exists():
        there = store.load_sweeps(out)[list(_SWEEP)].itertuples(index=False, name=None)
        lost = sorted(set(there) - {tuple(row[name] for name in _SWEEP) for row in rows})
        if lost:
            raise StoreError(
                f"{out} has curves that none of these directories has, {len(lost)} such as those of {lost[0][0]}, and would lose "
                "them: add to it with `python -m taskset data add`, or choose another --out"
            )
    store.write_text("", out / sums.NAME)  # a merge that is interrupted doesn't pass for a whole one, and can be done again


def _write_curves(found: list[Curves], names: dict[str, str], out: Path, report: Callable[[str], object]) -> set[Path]:
    files: defaultdict[Path, list[Curves]] = defaultdict(list)
    for curves in found:
        name = names[group_key(curves.options)]
        files[store.curve_path(out, curves.source, curves.family, name)].append(curves)
    for path, members in files.items():
        write_file(path, members)
        report(f"{path.relative_to(out)}: {len(members)} tasks, {path.stat().st_size / 1e6:.2f} MB")
    return set(files)


def write_file(path: Path, members: Sequence[Curves]) -> None:
    """Write a curve file of merged baselines: `Curves` of equal source, family and options."""
    tables = (packing.in_order(curves.read()) for curves in members)
    packing.write_packed(path, tables, _file_metadata(layout.group_of(path.stem), members))


def _all_of(members: Sequence[Curves], name: str) -> str:
    """The values that several tasks have under one name in their metadata, each once."""
    return ", ".join(sorted({c.metadata[name] for c in members if c.metadata.get(name)}))


def _file_metadata(group: str, members: Sequence[Curves]) -> dict[str, str]:
    first = members[0]
    options = {**first.options, "source": first.source}
    same = ("source", "family", "taskset_version", "git_commit", "tensorflow_version", "mode", "machine")
    seconds = [c.core_seconds for c in members if c.core_seconds is not None]
    return {
        **{name: _all_of(members, name) for name in same},
        "group": group,
        "options": json.dumps(options),
        "batches_per_evaluation": str(options["batches"]),
        "data_origin": f"[{', '.join(sorted({c.metadata.get('data_origin', 'null') for c in members}))}]",
        "tasks": str(len(members)),
        "core_seconds": f"{sum(seconds):.1f}" if seconds else "",
        "created": max(c.metadata.get("created", "") for c in members),
    }
