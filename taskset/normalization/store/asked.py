"""What is asked for of curves: arguments checked, globs resolved to names that there are, and the files to look into first."""

from __future__ import annotations

import fnmatch
import functools
import itertools
import numbers
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.dataset as ds

from taskset import catalogue, registry, samplers
from taskset.errors import NoCurves, StoreError, shown
from taskset.normalization.store.columns import COLUMNS
from taskset.normalization.store.present import NAMES_IN, where
from taskset.normalization.store.row_groups import partition

STORED_SOURCES = ("none", "synthetic", "tfds", "published")


def sources_of(source: str) -> list[str]:
    """The sources of curves that are compared on `source`: those of tasks without data have the source "none"."""
    return [source, "none"]


class Asked:
    """The arguments of `load_curves`, checked: {column: values} and the columns wanted (None: all)."""

    def __init__(self, columns: str | Iterable[str] | None, **asked: Any) -> None:
        self.given = {column: _values(column, value) for column, value in asked.items() if value is not None}
        self.wanted = dict(self.given)
        self.globs = {column: [value for value in self.wanted.get(column, ()) if catalogue.is_glob(value)] for column in NAMES_IN}
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
                raise StoreError(f"curves have no column {shown(column)}: there are {', '.join(COLUMNS)}")
        if self.columns == []:
            raise StoreError(f"columns=[]: allowed are {', '.join(COLUMNS)}, at least one; None: all")

    def match(self, column: str, dataset: ds.Dataset, root: str | Path | None, families: Iterable[str] | None = None) -> None:
        """Put the names that there are in the place of a column's globs. Raises `NoCurves` for a glob without a match.

        families: those in whose files to look first; None: all.
        """
        globs = self.globs[column]
        if not globs:
            return
        found = _matches(globs, NAMES_IN[column](self._first(column, dataset, families)))
        if not all(found.values()):
            found = _matches(globs, NAMES_IN[column](dataset.get_fragments()))
        for glob, names in found.items():
            if not names:
                raise NoCurves(f"no curves of {column} {shown(glob)}; {where(column, root)}")
        self.wanted[column] = list(dict.fromkeys([*self.named[column], *itertools.chain(*found.values())]))

    def _first(self, column: str, dataset: ds.Dataset, families: Iterable[str] | None) -> list[Any]:
        """The files that can have the curves that are wanted, by their places: a look into every file takes long."""
        found = list(dataset.get_fragments())
        if column == "family":
            return found
        for part in ("source", "family"):
            if part in self.wanted:
                found = [fragment for fragment in found if partition(fragment.path, part) in self.wanted[part]]
        if families is not None:
            found = [fragment for fragment in found if partition(fragment.path, "family") in families]
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
        return ", ".join(f"{column}={shown(values[0] if len(values) == 1 else values)}" for column, values in self.given.items())


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
        family = partition(path, "family")
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
    alone = isinstance(value, (str, bytes, numbers.Number))
    values = [value] if alone else _listed(value)
    if not values or not all(isinstance(v, kind) and not isinstance(v, bool) for v in values):
        raise StoreError(f"{column}={shown(value if alone else values)}: allowed are {allowed}, one or several")
    return [int(v) if is_number else str(v) for v in values]


def _listed(value):
    try:
        return list(value)
    except TypeError:
        return []
