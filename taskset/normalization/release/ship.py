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
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from taskset.errors import StoreError, counted
from taskset.execution.costs import measured_milliseconds
from taskset.files import write_text
from taskset.normalization import store
from taskset.normalization.release import card, croissant, merged
from taskset.normalization.release.collect import find
from taskset.normalization.release.groups import group_key, group_names
from taskset.normalization.release.merged_tables import require_used, sweep_row, tables_of
from taskset.normalization.release.stored_curves import StoredCurves
from taskset.normalization.store import file_metadata, layout, packing, sha256_sums


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
    report: called with one line per step. Raises StoreError: see `collect.find`; an `out` that holds something else, or runs that
    are not among these (of another optimizer, seed or version); names in `costs` or `data_notes` that fit nothing; another merge
    or addition that is at work there.
    """
    out = Path(out)
    found = find(roots)
    names = group_names(found)
    rows = [sweep_row(c, names[group_key(c.options)], data_notes or {}) for c in found]
    _require_free(out, roots)
    with merged.alone(out):
        _require_nothing_lost(out, rows)
        require_used(rows, costs or {}, data_notes or {})
        tables = tables_of(found, rows, {**measured_milliseconds(), **merged.costs(roots), **(costs or {})}, roots)
        report("tables")
        # all that can be refused was; a merge interrupted from here on doesn't pass for a whole one, and can be done again
        write_text("", out / sha256_sums.NAME)
        kept = _write_curves(found, names, out, report)
        for old in (out / "curves").rglob("*.parquet"):
            if old not in kept:
                old.unlink()
        report(counted(len(kept), "curve file"))
        write_beside(tables, out)
    return len({c.task for c in found}), sum(c.runs for c in found)


def write_beside(tables: Mapping[str, pa.Table], out: Path) -> None:
    """Write what stands beside the curves: {name: table}, then the card, the description and the sums, which read all of it.

    sweeps.parquet comes last of the tables: curve files that it doesn't name are those of an addition that was interrupted.
    """
    for name in sorted(tables, key=lambda name: name == "sweeps"):
        store.write_table(tables[name], out / f"{name}.parquet")
    card.write(out)
    croissant.write(out)
    sha256_sums.write(out)


def _require_free(out: Path, roots: Sequence[str | Path]) -> None:
    """Raise StoreError where `out` is something else than a place for, or of, a merge."""
    if out.resolve() in {Path(root).resolve() for root in roots} or (out / layout.SWEEP).exists():
        raise StoreError(f"{out} is one of those merged, or the output of a sweep: give the result a directory of its own")
    if (out / "curves").exists() and not (out / sha256_sums.NAME).exists():
        raise StoreError(f"{out} has curves and no {sha256_sums.NAME}, so nothing merged before: choose another --out")


_SWEEP = ("task", "source", "horizon", "taskset_version")


def _require_nothing_lost(out: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Raise StoreError where `out` has a run that is not among those of `rows` (of sweeps.parquet), by the same version."""
    if not (out / layout.SWEEPS).exists():  # nothing merged yet, or a first merge that was interrupted
        return
    there = store.read_table(out / layout.SWEEPS, columns=[*_SWEEP, "optimizers", "seeds"]).to_pylist()
    lost = _runs(there) - _runs(rows)
    if lost:
        task, source, horizon, version, optimizer, seed = min(lost, key=str)
        raise StoreError(
            f"{out} has {counted(len(lost), 'run')} that none of these directories has, such as {optimizer}, seed {seed} "
            f"of {task} (source {source}, horizon {horizon}, version {version}), and would lose them: add to it "
            "with `python -m taskset data add`, or choose another --out"
        )


def _runs(rows: Iterable[Mapping[str, Any]]) -> set[tuple[Any, ...]]:
    """The runs in rows of sweeps.parquet."""
    return {(*(row[name] for name in _SWEEP), o, s) for row in rows for o in row["optimizers"] for s in row["seeds"]}


def _write_curves(found: list[StoredCurves], names: dict[str, str], out: Path, report: Callable[[str], object]) -> set[Path]:
    files: defaultdict[Path, list[StoredCurves]] = defaultdict(list)
    for curves in found:
        name = names[group_key(curves.options)]
        files[store.curve_path(out, curves.source, curves.family, name)].append(curves)
    for path, members in files.items():
        write_file(path, members)
        report(f"{path.relative_to(out)}: {counted(len(members), 'task')}, {path.stat().st_size / 1e6:.2f} MB")
    return set(files)


def write_file(path: Path, members: Sequence[StoredCurves]) -> None:
    """Write a curve file of merged baselines: `StoredCurves` of equal source, family and options."""
    tables = (packing.in_order(curves.read()) for curves in members)
    packing.write_packed(path, tables, _file_metadata(layout.group_of(path.stem), members))


def _all_of(members: Sequence[StoredCurves], name: str) -> str:
    """The values that several tasks have under one name in their metadata, each once."""
    return ", ".join(sorted({c.metadata[name] for c in members if c.metadata.get(name)}))


def _file_metadata(group: str, members: Sequence[StoredCurves]) -> dict[str, str]:
    first = members[0]
    options = {**first.options, "source": first.source}
    same = ("source", "family", "taskset_version", "git_commit", "tensorflow_version", "mode", "machine")
    seconds = [c.core_seconds for c in members if c.core_seconds is not None]
    own = {what: code for c in members for what, code in file_metadata.own_code(c.path, c.metadata).items()}
    return {
        **{name: _all_of(members, name) for name in same},
        "group": group,
        "options": json.dumps(options),
        "batches_per_evaluation": str(options["batches"]),
        "data_origin": f"[{', '.join(sorted({c.metadata.get('data_origin', 'null') for c in members}))}]",
        "tasks": str(len(members)),
        "core_seconds": f"{sum(seconds):.1f}" if seconds else "",
        "created": max(c.metadata.get("created", "") for c in members),
        **({"own_code": json.dumps(own)} if own else {}),
    }
