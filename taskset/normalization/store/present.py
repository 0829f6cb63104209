"""The names of which there are curves, and what is said where a name is not among them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from taskset import catalogue
from taskset.errors import NoCurves, guessed, shown
from taskset.normalization.store import file_metadata, files
from taskset.normalization.store.row_groups import partition, ranges_of
from taskset.samplers.optimizers import is_optimizer_name

_WHERE = {  # root: the argument with which what is read can be looked up
    "task": "taskset.load_tasks({root}) lists what there is",
    "family": "the column family of taskset.load_tasks({root}) tells what there is",
    "optimizer": "taskset.load_optimizers({root}) lists what there is",
}
_WHERE_MERGED = {  # whose tables have all tasks, with curves and without
    "task": "the column runs of taskset.load_tasks({root}) tells what there is",
    "family": "the columns family and runs of taskset.load_tasks({root}) tell what there is",
    "optimizer": _WHERE["optimizer"],
}
_IS_NAME = {  # whether a name is right, and only its curves are lacking
    "task": catalogue.is_task,
    "family": lambda name: name in catalogue.families(),
    "optimizer": is_optimizer_name,
}


def tasks_in(fragments: Iterable[Any]) -> set[str]:
    """The tasks of curve files, by the statistics of their row groups."""
    return {ranges["task"][0] for f in fragments for ranges in ranges_of(f.metadata, {"task"})}


def optimizers_in(fragments: Iterable[Any]) -> set[str]:
    """The optimizers of curve files, by the options that are stored in them; a file without options is read."""
    found = set()
    for fragment in fragments:
        metadata = files.read_metadata(fragment.path)
        if "options" in metadata:
            found |= set(file_metadata.options(fragment.path, metadata)["optimizers"])
        else:
            found |= names_in([fragment.to_table(columns=["optimizer"])], "optimizer")
    return found


def families_in(fragments: Iterable[Any]) -> set[str]:
    """The families of curve files, by their places."""
    return {partition(fragment.path, "family") for fragment in fragments}


def names_in(tables: Iterable[pa.Table], column: str) -> set[str]:
    """The names in a column of curves that were read."""
    return {name for table in tables for name in table[column].unique().cast(pa.string()).to_pylist()}


NAMES_IN = {"family": families_in, "task": tasks_in, "optimizer": optimizers_in}  # {column: what looks into files}


def where(kind: str, root: str | Path | None) -> str:
    """Where to look for the tasks, families or optimizers that there are: a clause for an error."""
    return (_WHERE_MERGED if files.is_merged(root) else _WHERE)[kind].format(root="" if root is None else f"root={str(root)!r}")


def require(kind: str, names: Iterable[str], there: set[str], root: str | Path | None) -> None:
    """Raise `NoCurves` for the first of the names that is not `there`."""
    for name in names:
        if name not in there:
            guess = ";" if _IS_NAME[kind](name) else guessed(name, there) or ";"
            raise NoCurves(f"no curves of {kind} {shown(name)}{guess} {where(kind, root)}")
