"""Which row groups of curve files to read: by their statistics, and by the version that computed them."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.dataset as ds

from taskset import changes
from taskset.errors import StoreError, shown
from taskset.normalization.store import checked_parquet, layout


@dataclass
class Found:
    """What is there of the curves that were asked for.

    parts: the row groups to read, by the version of files from before versions were stored with the curves; None: of later files.
    versions: {task: those that its curves are of}. left_out: {(task, version)} of curves that are out of date and that no later
    file of their group renews.
    """

    parts: dict[str | None, list[Any]] = field(default_factory=dict)
    versions: dict[str, set[str]] = field(default_factory=dict)
    left_out: set[tuple[str, str]] = field(default_factory=set)


def find(
    dataset: ds.Dataset, wanted: Mapping[str, Iterable[Any]], version: str | None, condition: pc.Expression | None = None
) -> Found:
    """The row groups that can hold curves of a version; None: those that hold for today's tasks.

    wanted: {column: values}; condition: which files to look into, by their places. Raises `StoreError` for damaged files.
    """
    found = Found()
    outdated: dict[tuple[str, str, str], str] = {}  # {(task, source, group of options): version}
    current: set[tuple[str, str, str]] = set()
    values = {column: sorted(those) for column, those in wanted.items()}
    for fragment in dataset.get_fragments(filter=condition):
        path, sums = fragment.path, checked_parquet.footer_sums(fragment.path)
        layout.check_columns(path, fragment.physical_schema)
        _check_task(path, fragment.physical_schema.metadata or {})
        source, options = partition(path, "source"), layout.group_of(Path(path).stem)
        old = layout.is_old(fragment.physical_schema)
        files_version = layout.version_of(fragment.physical_schema.metadata) if old else None
        metadata, chosen = fragment.metadata, []
        for number, ranges in enumerate(ranges_of(metadata, {*values, "task", "version"})):
            if not _can_hold(ranges, values):
                continue
            task, made_by = _one(path, ranges.get("task")), files_version or _one(path, ranges.get("version"))
            found.versions.setdefault(task, set()).add(made_by)
            if version is None and changes.outdated(task, source, made_by):
                outdated[task, source, options] = made_by
            elif version is None or changes.is_of(made_by, version):
                current.add((task, source, options))
                chosen.append(number)
        checked_parquet.verify_groups(path, chosen, metadata, sums)
        if chosen:
            found.parts.setdefault(files_version, []).append(fragment.subset(row_group_ids=chosen))
    found.left_out = {(sweep[0], made_by) for sweep, made_by in outdated.items() if sweep not in current}
    return found


def _can_hold(ranges: Mapping[str, tuple[Any, Any]], values: Mapping[str, list[Any]]) -> bool:
    """Whether a row group can hold what is wanted, by its statistics, which Arrow passes over for columns of names.

    ranges: {column: (lowest, highest)}; values: {column: sorted values}.
    """
    return all(any_between(those, *ranges[column]) for column, those in values.items() if column in ranges)


def any_between(values: list[Any], lowest: Any, highest: Any) -> bool:
    """Whether any of sorted values is in a range, ends included: there may be hundreds, for each of thousands of row groups."""
    place = bisect.bisect_left(values, lowest)
    return place < len(values) and values[place] <= highest


def _check_task(path, metadata):
    """Raise `StoreError` for a sweep's file under the name of another task, which would count twice beside its own."""
    task = metadata.get(b"task", b"").decode(errors="replace")
    if task and not f"{Path(path).stem}.".startswith(f"{task}."):  # TASK.LIST.parquet where curves were published elsewhere
        raise StoreError(f"{path} has the curves of {shown(task)}: give the file its task's name, or delete it")


def ranges_of(metadata: Any, columns: set[str]) -> Iterator[dict[str, tuple[Any, Any]]]:
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


def partition(path: str, name: str) -> str:
    """The source or the family of a curve file, by its two last directories: others above them may be called so as well."""
    place = Path(path).parent if name == "family" else Path(path).parents[1]
    return place.name.removeprefix(f"{name}=")
