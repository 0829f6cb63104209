"""Reading curves: only what is asked for, only what was computed of today's tasks, and nothing that was damaged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from taskset import changes
from taskset.errors import NoCurves, StoreError, shown
from taskset.normalization.store import checked_parquet, files, layout
from taskset.normalization.store.asked import Asked
from taskset.normalization.store.columns import COLUMNS, STORED
from taskset.normalization.store.outdated import by_version, outdated_line, tasks_and_versions, warn_left_out
from taskset.normalization.store.present import families_in, names_in, optimizers_in, require, tasks_in, where
from taskset.normalization.store.row_groups import Found, find, partition

_PARTITIONING = ds.partitioning(pa.schema([("source", pa.string()), ("family", pa.string())]), flavor="hive")
_PATH = [("source", pa.string()), ("family", pa.string())]
_ALL = pa.schema([*STORED, ("seconds", pa.float32()), *_PATH])  # of new files and old ones


def curves_dataset(root: str | Path | None = None) -> ds.Dataset:
    """All curves under a root as a `pyarrow.dataset.Dataset` of stored columns; nothing is read yet, nothing left out."""
    files.require_whole(root)
    paths, base = [str(path) for path in files.curve_files(root)], str(files.curves_directory(root))
    return ds.dataset(paths, schema=_ALL, format=checked_parquet.FORMAT, partitioning=_PARTITIONING, partition_base_dir=base)


def curves_table(
    root: str | Path | None = None,
    task: str | Iterable[str] | None = None,
    family: str | Iterable[str] | None = None,
    optimizer: str | Iterable[str] | None = None,
    source: str | Iterable[str] | None = None,
    columns: str | Iterable[str] | None = None,
    horizon: int | Iterable[int] | None = None,
    version: str | None = None,
    seed: int | Iterable[int] | None = None,
) -> pa.Table:
    """The Arrow table behind `load_curves`."""
    asked = Asked(columns, task=task, family=family, optimizer=optimizer, source=source, horizon=horizon, seed=seed)
    if version is not None:
        changes.release(version)
    dataset = curves_dataset(root)
    try:
        asked.match("family", dataset, root)
        asked.match("task", dataset, root)
        found, tables = _find(dataset, asked, version, root)
    except checked_parquet.FAULTS as error:
        raise _damaged(dataset, error) from error
    there = {column: names_in(tables, column) for column in ("task", "optimizer") if column in asked.wanted}
    _check_names(dataset, root, asked, there, found, version)
    if not sum(map(len, tables)):
        raise _nothing(asked, found, version, root)
    if found.left_out:
        warn_left_out("curves", found.left_out, stacklevel=4)  # of who calls `load_curves`
    table = pa.concat_tables(tables).unify_dictionaries()
    for column in set(table.column_names) & {"task", "optimizer", "seed", "step", "horizon"}:
        if table[column].null_count:
            raise StoreError(
                f"{files.curves_directory(root)} has curves without {column}: `python -m taskset data check` says where"
            )
    return table.select(list(COLUMNS) if asked.columns is None else asked.columns)


def _nothing(asked: Asked, found: Found, version: str | None, root: str | Path | None) -> StoreError:
    """The error for curves of which there are none: the versions that there are, or where to look."""
    what = f"no curves for {asked}" if asked.given else "no curves"
    if version is not None:
        what = f"{what} of version {shown(version)}"
        if others := _other_versions(set().union(*found.versions.values()), version):
            return StoreError(f"{what}: {others}")
    elif found.left_out:
        old, way = tasks_and_versions(found.left_out), by_version(found.left_out)
        return StoreError(f"{what} of tasks as they are today: those of {old} were computed before the tasks changed; pass {way}")
    return NoCurves(f"{what}; {where('task', root)}")


def _other_versions(versions: Iterable[str], wanted: str) -> str:
    """What there is instead of the version wanted, in words; "" where there is some of it."""
    versions = sorted(versions, key=changes.release)
    if not versions or any(changes.is_of(version, wanted) for version in versions):
        return ""
    return f"there are those of {', '.join(versions)}"


def curves_by_family(
    root: str | Path | None, columns: Iterable[str], tasks: Iterable[str] | None = None
) -> Iterator[tuple[str, pa.Table]]:
    """(family, its curves) one family after the other, for whoever needs all curves and not all of them at a time.

    columns: of COLUMNS; tasks: None: all. Curves of tasks that changed since are left out, with a warning. Raises `StoreError`.
    """
    asked, dataset = Asked(list(columns), task=tasks), curves_dataset(root)
    try:
        found = find(dataset, asked.wanted, None, asked.condition)
        if found.left_out:
            warn_left_out("curves", found.left_out, stacklevel=3)
        families: dict[str, dict[str | None, list[Any]]] = {}
        for made_by, parts in found.parts.items():
            for part in parts:
                families.setdefault(partition(part.path, "family"), {}).setdefault(made_by, []).append(part)
        for family, of_family in sorted(families.items()):
            table = pa.concat_tables([_read(dataset, parts, made_by, asked) for made_by, parts in of_family.items()])
            yield family, table.unify_dictionaries().select(asked.columns)
    except checked_parquet.FAULTS as error:
        raise _damaged(dataset, error) from error


def _damaged(dataset: ds.Dataset, error: Exception) -> StoreError:
    """The error for curves that can't be read; the damaged file's own where there is one."""
    for fragment in dataset.get_fragments():
        checked_parquet.verify(fragment.path)
    return StoreError(f"can't read the curves: {error}")


def _find(dataset: ds.Dataset, asked: Asked, version: str | None, root: str | Path | None) -> tuple[Found, list[pa.Table]]:
    """What was found, and the tables read from it: in the likely files if all tasks asked for are there, else in all files.

    What a glob of tasks finds out of date is looked for nowhere else. Globs of optimizers are matched in the files that are read.
    """
    if asked.likely_families is not None:
        asked.match("optimizer", dataset, root, asked.likely_families)
        found = find(dataset, asked.wanted, version, asked.likely)
        tables = [_read(dataset, parts, made_by, asked) for made_by, parts in found.parts.items()]
        out_of_date = {task for task, _ in found.left_out} - set(asked.named["task"])
        if set(asked.wanted["task"]) <= names_in(tables, "task") | out_of_date:
            return found, tables
    asked.match("optimizer", dataset, root)
    found = find(dataset, asked.wanted, version, asked.condition)
    return found, [_read(dataset, parts, made_by, asked) for made_by, parts in found.parts.items()]


def _read(dataset: ds.Dataset, parts: list[Any], old_version: str | None, asked: Asked) -> pa.Table:
    """Row groups of one layout as an Arrow table of the columns asked for, and of those that names are looked up in.

    old_version: of files from before versions were stored with the curves; None: they are.
    """
    columns = list(dict.fromkeys([*(asked.columns or COLUMNS), *(c for c in ("task", "optimizer") if c in asked.wanted)]))
    found = ds.FileSystemDataset(parts, dataset.schema, dataset.format, dataset.filesystem)
    if old_version is None:
        table = found.to_table(filter=asked.condition, columns=layout.stored_columns(columns))
        table = layout.with_seconds(table) if "seconds" in columns else table
    else:
        table = found.to_table(filter=asked.condition, columns=[column for column in columns if column != "version"])
        table = layout.with_version(table, old_version) if "version" in columns else table
    return table.select(columns)


def _check_names(dataset, root, asked, there, found, version):
    """Raise `StoreError` for a name asked for that is nowhere, or a task whose curves are all of other versions or outdated."""
    missing = [name for name in asked.named.get("task", ()) if name not in there["task"]]
    versions = dict(sorted(found.left_out))
    for name in missing:
        if name in versions:
            raise StoreError(outdated_line("curves", name, versions[name]))
        if version is not None and (others := _other_versions(found.versions.get(name, ()), version)):
            raise StoreError(f"no curves of task {shown(name)} of version {shown(version)}: {others}")
    if missing:
        require("task", missing, tasks_in(dataset.get_fragments()), root)
    missing = [name for name in asked.named.get("optimizer", ()) if name not in there["optimizer"]]
    if missing:
        require("optimizer", missing, optimizers_in(dataset.get_fragments()), root)
    if "family" in asked.named:
        require("family", asked.named["family"], families_in(dataset.get_fragments()), root)
