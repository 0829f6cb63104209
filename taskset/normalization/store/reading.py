"""Reading curves: only what is asked for, only what was computed of today's tasks, and nothing that was damaged."""

from __future__ import annotations

import bisect
import fnmatch
import functools
import itertools
import numbers
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from taskset import catalogue, changes, registry, samplers
from taskset.errors import NoCurves, StoreError, guessed, shown
from taskset.normalization.store import file_metadata, files, layout, sealed
from taskset.normalization.store.columns import LOADED, STORED
from taskset.normalization.store.outdated import by_version, outdated_line, tasks_and_versions, warn_left_out
from taskset.samplers.optimizers import is_optimizer_name

_PARTITIONING = ds.partitioning(pa.schema([("source", pa.string()), ("family", pa.string())]), flavor="hive")
_PATH = [("source", pa.string()), ("family", pa.string())]
_ALL = pa.schema([*STORED, ("seconds", pa.float32()), *_PATH])  # of new files and old ones
COLUMNS = (*LOADED.names, "source", "family")
STORED_SOURCES = ("none", "synthetic", "tfds", "published")


def sources_of(source: str) -> list[str]:
    """The sources of curves that are compared on `source`: those of tasks without data have the source "none"."""
    return [source, "none"]


WHERE = {  # root: the argument with which what is read can be looked up
    "task": "taskset.load_tasks({root}) lists what there is",
    "family": "the column family of taskset.load_tasks({root}) tells what there is",
    "optimizer": "taskset.load_optimizers({root}) lists what there is",
}
WHERE_MERGED = {  # whose tables have all tasks, with curves and without
    "task": "the column runs of taskset.load_tasks({root}) tells what there is",
    "family": "the columns family and runs of taskset.load_tasks({root}) tell what there is",
    "optimizer": WHERE["optimizer"],
}
NAMED = {  # whether a name is right, and only its curves are lacking
    "task": catalogue.is_task,
    "family": lambda name: name in catalogue.families(),
    "optimizer": is_optimizer_name,
}


def curves_dataset(root: str | Path | None = None) -> ds.Dataset:
    """All curves under a root as a `pyarrow.dataset.Dataset` of stored columns; nothing is read yet, nothing left out."""
    files.require_whole(root)
    paths, base = [str(path) for path in files.curve_files(root)], str(files.curves_directory(root))
    return ds.dataset(paths, schema=_ALL, format=sealed.FORMAT, partitioning=_PARTITIONING, partition_base_dir=base)


class _Asked:
    """The arguments of `load_curves`, checked: {column: values} and the columns wanted (None: all)."""

    def __init__(self, columns: str | Iterable[str] | None, **asked: Any) -> None:
        self.given = {column: value for column, value in asked.items() if value is not None}
        self.wanted = {column: _values(column, value) for column, value in self.given.items()}
        self.globs = {column: [value for value in self.wanted.get(column, ()) if catalogue.is_glob(value)] for column in _NAMES}
        self.named = {  # names that must be there
            column: [value for value in values if value not in self.globs.get(column, ())]
            for column, values in self.wanted.items()
        }
        for value in self.wanted.get("source", ()):
            if value not in STORED_SOURCES:
                raise StoreError(f"source={value!r}: allowed are {', '.join(STORED_SOURCES)}")
        if columns is not None and not isinstance(columns, Iterable):
            raise StoreError(f"columns={shown(columns)}: allowed are names of columns, {', '.join(COLUMNS)}; None: all")
        self.columns = None if columns is None else [columns] if isinstance(columns, str) else list(columns)
        for column in self.columns or ():
            if column not in COLUMNS:
                raise StoreError(f"curves have no column {column!r}: there are {', '.join(COLUMNS)}")
        if self.columns == []:
            raise StoreError(f"columns={columns!r}: allowed are {', '.join(COLUMNS)}, at least one; None: all")

    def match(self, column: str, dataset: ds.Dataset, root: str | Path | None, families: Iterable[str] | None = None) -> None:
        """Put the names that there are in the place of a column's globs. Raises `NoCurves` for a glob without a match.

        families: those in whose files to look first; None: all.
        """
        globs = self.globs[column]
        if not globs:
            return
        found = _matches(globs, _NAMES[column](self._first(column, dataset, families)))
        if not all(found.values()):
            found = _matches(globs, _NAMES[column](dataset.get_fragments()))
        for glob, names in found.items():
            if not names:
                raise NoCurves(f"no curves of {column} {shown(glob)}; {_where(column, root)}")
        self.wanted[column] = list(dict.fromkeys([*self.named[column], *itertools.chain(*found.values())]))

    def _first(self, column: str, dataset: ds.Dataset, families: Iterable[str] | None) -> list[Any]:
        """The files that can have the curves that are wanted, by their places: a look into every file takes long."""
        found = list(dataset.get_fragments())
        if column == "family":
            return found
        for part in ("source", "family"):
            if part in self.wanted:
                found = [fragment for fragment in found if _part(fragment.path, part) in self.wanted[part]]
        if families is not None:
            found = [fragment for fragment in found if _part(fragment.path, "family") in families]
        return _of_globs(found, self.globs["task"]) if column == "task" else found

    @property
    def condition(self) -> pc.Expression | None:
        found = None
        for column, values in self.wanted.items():
            one = pc.field(column).isin(values)
            found = one if found is None else found & one
        return found

    @functools.cached_property
    def likely_families(self) -> set[str] | None:
        """The families in the names of the tasks; None where none are asked for, or a name has no family.

        A task is nearly always in the files of its family. The others, thousands of row groups, need no look then. To be
        asked for after `match` of tasks.
        """
        families = {_family(name) for name in self.wanted.get("task", ())}
        return None if not families or None in families else families

    @property
    def likely(self) -> pc.Expression | None:
        """The condition, in the files of `likely_families`; None where there are none."""
        families = self.likely_families
        return None if families is None else self.condition & pc.field("family").isin(sorted(families))

    def __str__(self) -> str:
        return ", ".join(f"{k}={v!r}" for k, v in self.given.items())


def _matches(globs, names):
    names = sorted(names)
    return {glob: fnmatch.filter(names, glob) for glob in globs}


def _of_globs(fragments, globs):
    """Where each glob of tasks begins with a family's name, the files of such families, and of all that are not the package's.

    The latter may hold tasks that a user gave a name like another family's.
    """
    beginnings = [re.split(r"[*?[]", glob, maxsplit=1)[0] for glob in globs]
    if not all(any(start.startswith(f"{family}_") for family in catalogue.families()) for start in beginnings):
        return fragments

    packaged = {*samplers.PUBLISHED_FAMILIES, *samplers.OWN_FAMILIES}

    def may_have(path):
        family = _part(path, "family")
        return any(start.startswith(f"{family}_") or family.startswith(start) or family not in packaged for start in beginnings)

    return [fragment for fragment in fragments if may_have(fragment.path)]


def _family(task):
    parsed = registry.parse(task)
    if parsed:
        return parsed[0]
    return catalogue.family_of(task) if catalogue.is_task(task) else None


def _values(column, value):
    is_number = column in ("horizon", "seed")
    kind, allowed = (numbers.Integral, "integers") if is_number else (str, "names")
    values = [value] if isinstance(value, (str, bytes, numbers.Number)) else _listed(value)
    if not values or not all(isinstance(v, kind) and not isinstance(v, bool) for v in values):
        raise StoreError(f"{column}={value!r}: allowed are {allowed}, one or several")
    return [int(v) if is_number else str(v) for v in values]


def _listed(value):
    try:
        return list(value)
    except TypeError:
        return []


class _Found:
    """The row groups to read, by file layout and version; what was left out; and the versions of each task that has any."""

    def __init__(self, dataset: ds.Dataset, asked: _Asked, version: str | None, condition: pc.Expression | None) -> None:
        self.parts: dict[str | None, list[Any]] = {}
        self._old: dict[tuple[str, str, str], str] = {}  # {(task, source, group of options): version} that is out of date
        self._new: set[tuple[str, str, str]] = set()
        self.versions: dict[str, set[str]] = {}
        wanted = {column: sorted(values) for column, values in asked.wanted.items()}
        for fragment in dataset.get_fragments(filter=condition):
            sums = sealed.footer_sums(fragment.path)
            layout.check_columns(fragment.path, fragment.physical_schema)
            _check_task(fragment.path, fragment.physical_schema.metadata or {})
            old = layout.is_old(fragment.physical_schema)
            made_by = layout.version_of(fragment.physical_schema.metadata) if old else None
            metadata, sweep = fragment.metadata, (_part(fragment.path, "source"), layout.group_of(Path(fragment.path).stem))
            groups = [
                group
                for group, ranges in enumerate(_ranges(metadata, {*asked.wanted, "task", "version"}))
                if self._chosen(fragment.path, sweep, ranges, wanted, made_by, version)
            ]
            sealed.verify_groups(fragment.path, groups, metadata, sums)
            if groups:
                self.parts.setdefault(made_by, []).append(fragment.subset(row_group_ids=groups))

    def _chosen(self, path, sweep, ranges, wanted, files_version, version):
        """Whether a row group can hold what is wanted, by its statistics, which Arrow passes over for columns of names.

        sweep: (source, group of options) of the file; wanted: {column: sorted values}.
        """
        for column, values in wanted.items():
            if column in ranges and not _any_between(values, *ranges[column]):
                return False
        task, made_by = _one(path, ranges.get("task")), files_version or _one(path, ranges.get("version"))
        self.versions.setdefault(task, set()).add(made_by)
        if version is not None:
            return changes.is_of(made_by, version)
        source, group = sweep
        if changes.outdated(task, source, made_by):
            self._old[task, source, group] = made_by
            return False
        self._new.add((task, source, group))
        return True

    @property
    def left_out(self) -> set[tuple[str, str]]:
        """{(task, version)} of curves that are out of date and that no later file of their group renews."""
        return {(sweep[0], made_by) for sweep, made_by in self._old.items() if sweep not in self._new}


def _any_between(values, lowest, highest):
    """Whether any of sorted values is in a range, ends included: there may be hundreds, for each of thousands of row groups."""
    place = bisect.bisect_left(values, lowest)
    return place < len(values) and values[place] <= highest


def _check_task(path, metadata):
    """Raise `StoreError` for a sweep's file under the name of another task, which would count twice beside its own."""
    task = metadata.get(b"task", b"").decode(errors="replace")
    if task and not f"{Path(path).stem}.".startswith(f"{task}."):  # TASK.LIST.parquet where curves were published elsewhere
        raise StoreError(f"{path} has the curves of {shown(task)}: give the file its task's name, or delete it")


def _ranges(metadata, columns):
    """For each row group {column: (lowest, highest)} of those `columns` that it has statistics of."""
    places = [(i, name) for i, name in enumerate(metadata.schema.names) if name in columns]
    for number in range(metadata.num_row_groups):
        group, found = metadata.row_group(number), {}
        for i, name in places:
            statistics = group.column(i).statistics
            if statistics is not None and statistics.has_min_max:
                found[name] = statistics.min, statistics.max
        yield found


def _one(path, found):
    if found is None or found[0] != found[1]:
        raise StoreError(f"{path} has row groups of several tasks or versions: it wasn't written by this package")
    return found[0]


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
    asked = _Asked(columns, task=task, family=family, optimizer=optimizer, source=source, horizon=horizon, seed=seed)
    if version is not None:
        changes.release(version)
    dataset = curves_dataset(root)
    try:
        asked.match("family", dataset, root)
        asked.match("task", dataset, root)
        found, tables = _find(dataset, asked, version, root)
    except sealed.FAULTS as error:
        raise _damaged(dataset, error) from error
    there = {column: _there(tables, column) for column in ("task", "optimizer") if column in asked.wanted}
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


def _nothing(asked: _Asked, found: _Found, version: str | None, root: str | Path | None) -> StoreError:
    """The error for curves of which there are none: the versions that there are, or where to look."""
    what = f"no curves for {asked}" if asked.given else "no curves"
    if version is not None:
        what = f"{what} of version {shown(version)}"
        if others := _other_versions(set().union(*found.versions.values()), version):
            return StoreError(f"{what}: {others}")
    elif found.left_out:
        old, way = tasks_and_versions(found.left_out), by_version(found.left_out)
        return StoreError(f"{what} of tasks as they are today: those of {old} were computed before the tasks changed; pass {way}")
    return NoCurves(f"{what}; {_where('task', root)}")


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
    asked, dataset = _Asked(list(columns), task=tasks), curves_dataset(root)
    try:
        found = _Found(dataset, asked, None, asked.condition)
        if found.left_out:
            warn_left_out("curves", found.left_out, stacklevel=3)
        families: dict[str, dict[str | None, list[Any]]] = {}
        for made_by, parts in found.parts.items():
            for part in parts:
                families.setdefault(_part(part.path, "family"), {}).setdefault(made_by, []).append(part)
        for family, of_family in sorted(families.items()):
            table = pa.concat_tables([_read(dataset, parts, made_by, asked) for made_by, parts in of_family.items()])
            yield family, table.unify_dictionaries().select(asked.columns)
    except sealed.FAULTS as error:
        raise _damaged(dataset, error) from error


def _damaged(dataset: ds.Dataset, error: Exception) -> StoreError:
    """The error for curves that can't be read; the damaged file's own where there is one."""
    for fragment in dataset.get_fragments():
        sealed.verify(fragment.path)
    return StoreError(f"can't read the curves: {error}")


def _find(dataset: ds.Dataset, asked: _Asked, version: str | None, root: str | Path | None) -> tuple[_Found, list[pa.Table]]:
    """What was found, and the tables read from it: in the likely files if all tasks asked for are there, else in all files.

    Globs of optimizers are matched in the files that are read.
    """
    if asked.likely_families is not None:
        asked.match("optimizer", dataset, root, asked.likely_families)
        found = _Found(dataset, asked, version, asked.likely)
        tables = [_read(dataset, parts, made_by, asked) for made_by, parts in found.parts.items()]
        if set(asked.wanted["task"]) <= _there(tables, "task"):
            return found, tables
    asked.match("optimizer", dataset, root)
    found = _Found(dataset, asked, version, asked.condition)
    return found, [_read(dataset, parts, made_by, asked) for made_by, parts in found.parts.items()]


def _read(dataset: ds.Dataset, parts: list[Any], old_version: str | None, asked: _Asked) -> pa.Table:
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


def _there(tables, column):
    return {name for table in tables for name in table[column].unique().cast(pa.string()).to_pylist()}


def _where(kind, root):
    return (WHERE_MERGED if files.is_merged(root) else WHERE)[kind].format(root="" if root is None else f"root={str(root)!r}")


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
        _require("task", missing, _all_tasks(dataset.get_fragments()), root)
    missing = [name for name in asked.named.get("optimizer", ()) if name not in there["optimizer"]]
    if missing:
        _require("optimizer", missing, _all_optimizers(dataset.get_fragments()), root)
    if "family" in asked.named:
        _require("family", asked.named["family"], _all_families(dataset.get_fragments()), root)


def _part(path, name):
    """The source or the family of a curve file, by its two last directories: others above them may be called so as well."""
    place = Path(path).parent if name == "family" else Path(path).parents[1]
    return place.name.removeprefix(f"{name}=")


def _require(kind, names, there, root):
    for name in names:
        if name not in there:
            guess = ";" if NAMED[kind](name) else guessed(name, there) or ";"
            raise NoCurves(f"no curves of {kind} {shown(name)}{guess} {_where(kind, root)}")


def _all_tasks(fragments):
    return {ranges["task"][0] for f in fragments for ranges in _ranges(f.metadata, {"task"})}


def _all_optimizers(fragments):
    found = set()
    for fragment in fragments:
        metadata = files.read_metadata(fragment.path)
        if "options" in metadata:
            found |= set(file_metadata.options(fragment.path, metadata)["optimizers"])
        else:
            found |= _there([fragment.to_table(columns=["optimizer"])], "optimizer")
    return found


def _all_families(fragments):
    return {_part(fragment.path, "family") for fragment in fragments}


_NAMES = {"family": _all_families, "task": _all_tasks, "optimizer": _all_optimizers}  # those of which there are curves
