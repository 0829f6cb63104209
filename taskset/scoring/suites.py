"""Suites: named, versioned lists of tasks with the scales of their losses, kept as JSON. No TensorFlow.

    {"name": "small", "version": 1, "source": "synthetic", "horizon": 1000, "modules": [], "rule": {..},
     "taskset_version": "0.2.0",
     "tasks": [{"task": "mlp_family_seed3", "family": "mlp_family", "split": "train",
                "scales": {"train": [2.31, 0.12], "valid_outer": [2.30, 0.2]}}, ..]}

A scale is [initial, best] of a normalizer (`taskset.normalization`): a suite carries all that training on it needs to know of
baselines; {} stands for a task that has not been measured yet (`taskset.scoring.measuring`). `split` follows from the task's name
alone (`split_of`), so that no task is ever trained on under one suite and held out under another.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskset import catalogue, changes
from taskset.errors import ConfigError, StoreError, UnknownName, cut, shown, unknown
from taskset.execution import costs
from taskset.normalization.store import make_directory, write_text
from taskset.version import __version__

if TYPE_CHECKING:
    import pandas as pd

SplitScales = dict[str, tuple[float, float]]  # {split of data: (initial, best)}

SPLITS = ("train", "valid", "test")
SOURCES = ("tfds", "synthetic")
SCALES = ("train", "valid_outer")  # the splits of data that objectives are measured on
LONGEST = 200  # letters of a task's name


def split_of(task: str) -> str:
    """ "train" (70%), "valid" (10%) or "test" (20%): by the CRC-32 of the task's name."""
    place = zlib.crc32(task.encode()) % 10
    return "train" if place < 7 else "valid" if place == 7 else "test"


@dataclass(frozen=True)
class Entry:
    """A task of a suite. scales: those of SCALES, or {}: not measured yet."""

    task: str
    family: str
    split: str
    scales: SplitScales


@dataclass(frozen=True)
class Suite:
    """A list of tasks made by a rule.

    source: of their data; horizon: training steps of the baselines that the scales come from; modules: those that register tasks
    outside the package, which whoever uses the suite has to name; rule: how the list was made; taskset_version: version of the
    package that the scales hold for.
    """

    name: str
    version: int
    source: str
    horizon: int
    tasks: tuple[Entry, ...]
    modules: tuple[str, ...] = ()
    rule: dict[str, Any] = field(default_factory=dict)
    taskset_version: str = __version__

    def of_split(self, split: str) -> list[Entry]:
        """The tasks of a split, in order."""
        return [entry for entry in self.tasks if entry.split == split]

    @property
    def unmeasured(self) -> list[str]:
        """The names of the tasks without scales."""
        return [entry.task for entry in self.tasks if not entry.scales]

    def entry(self, task: str) -> Entry:
        """The entry of a task."""
        return next(entry for entry in self.tasks if entry.task == task)

    def as_json(self) -> dict[str, Any]:
        """The suite as JSON values."""
        return json.loads(json.dumps(asdict(self)))


def from_json(values: Any, where: object) -> Suite:
    """The `Suite` of JSON values; `where` is named in errors. Its tasks are looked up; its modules are never imported.

    Raises `StoreError` where fields are missing or wrong, `UnknownName` where a task isn't there.
    """
    try:
        entries = tuple(
            Entry(**{**e, "scales": {k: tuple(map(float, v)) for k, v in e["scales"].items()}}) for e in values["tasks"]
        )
        suite = Suite(
            **{"taskset_version": changes.FIRST, **values, "tasks": entries, "modules": tuple(values.get("modules", ()))}
        )
        changes.release(suite.taskset_version)
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError, ConfigError) as error:
        reason = cut(f"{type(error).__name__}: {error}")
        raise StoreError(f"{where} is no suite ({reason}): make one with `python -m learned suite`") from error
    _check_fields(suite, where)
    for entry in suite.tasks:
        if not isinstance(entry.task, str) or len(entry.task) > LONGEST:
            raise StoreError(f"{where}: task {shown(entry.task)}: allowed is a name of at most {LONGEST} letters")
        try:
            catalogue.resolve(entry.task)
        except UnknownName as error:
            raise _lacking(suite, error, where) from error
        _check_entry(entry, where)
    if not suite.tasks:
        raise StoreError(f"{where} has no tasks: make one with `python -m learned suite`")
    _require_current(suite, where)
    return suite


def _check_fields(suite: Suite, where: object) -> None:
    for name, holds, allowed in (
        ("name", isinstance(suite.name, str), "a text"),
        ("version", type(suite.version) is int, "an integer"),
        ("source", suite.source in SOURCES, " or ".join(SOURCES)),
        ("horizon", type(suite.horizon) is int and 1 <= suite.horizon < 2**31, "an integer of at least 1"),
        ("modules", all(isinstance(module, str) for module in suite.modules), "a list of texts"),
        ("rule", isinstance(suite.rule, dict), "an object"),
    ):
        if not holds:
            value = shown(getattr(suite, name))
            raise StoreError(f"{where}: {name} is {value}: allowed is {allowed}; make one with `python -m learned suite`")


def _check_entry(entry: Entry, where: object) -> None:
    scales = entry.scales.values()
    if (
        set(entry.scales) not in (set(SCALES), {*SCALES, "test"}, set())
        or not all(len(scale) == 2 and -math.inf < scale[1] < scale[0] < math.inf for scale in scales)
        or entry.split not in SPLITS
    ):
        raise StoreError(f"{where}: task {entry.task!r} needs scales for {' and '.join(SCALES)}, best below initial, and a split")
    family = catalogue.resolve(entry.task)[0]
    if entry.family != family:
        raise StoreError(f"{where}: task {entry.task!r} has family {shown(entry.family)}: allowed is its own, {family!r}")


def _lacking(suite: Suite, error: UnknownName, where: object) -> UnknownName:
    """The error for a task that isn't there: misspelt, or of a module that wasn't imported, which a file never does by itself."""
    if not suite.modules:
        return UnknownName(f"{where}: {error}")
    wanted = cut(" ".join(f"--import {module}" for module in suite.modules), 200)
    return UnknownName(f"{where} has tasks of modules of its author's: read them, and if you trust them give {wanted}; {error}")


def _require_current(suite: Suite, where: object) -> None:
    """Raise `StoreError` where tasks changed since their scales were measured."""
    old = [e.task for e in suite.tasks if e.scales and changes.outdated(e.task, suite.source, suite.taskset_version)]
    if old:
        more = f" and {len(old) - 1} more" if len(old) > 1 else ""
        raise StoreError(
            f"{where}: the scales of task {old[0]!r}{more} are of version {suite.taskset_version}, and the task changed in "
            f"{changes.changed_in(old[0], suite.source)}: take such tasks out, or make a new suite with `python -m learned suite`"
        )


def load(path: str | Path) -> Suite:
    """The `Suite` of a JSON file, all its tasks measured."""
    suite = load_any(path)
    require_measured(suite)
    return suite


def load_any(path: str | Path) -> Suite:
    """The `Suite` of a JSON file, whether its tasks were measured or not."""
    try:
        values = json.loads(Path(path).read_text())
    except TypeError as error:
        raise StoreError(f"suite {shown(path)}: allowed is the name of a .json file") from error
    except OSError as error:
        raise StoreError(
            f"can't read the suite {path}: {(error.strerror or str(error)).lower()}; make one with `python -m learned suite`"
        ) from error
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} is no valid JSON: make a suite with `python -m learned suite`") from error
    return from_json(values, path)


def require_measured(suite: Suite) -> None:
    """Raise `ConfigError` where a task of the suite has not been measured."""
    waiting = suite.unmeasured
    if waiting:
        more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
        raise ConfigError(
            f"suite {suite.name!r}: task {waiting[0]!r}{more} has no normalizer; allowed are measured tasks: "
            "`python -m learned train --unmeasured measure` measures them first"
        )


def save(suite: Suite, path: str | Path) -> None:
    """Write a suite as JSON, whole or not at all."""
    make_directory(Path(path).parent)
    write_text(json.dumps(suite.as_json(), indent=1) + "\n", path)


def make(
    name: str,
    patterns: Iterable[str],
    baselines: str | Path | None,
    source: str,
    horizon: int,
    max_milliseconds: float = math.inf,
    max_parameters: float = math.inf,
    version: int = 1,
    modules: Iterable[str] = (),
    baselines_version: str | None = None,
) -> Suite:
    """The `Suite` of all tasks matching `patterns` that are feasible, normalizable, and small enough.

    baselines: directory of a sweep with its normalizers; None: those that come with the package.
    baselines_version: None: tasks that changed since they were measured are left out, with a warning; "0.1": as that version
    measured them, for comparisons with what was done then: a file of such a suite is refused by `load`.
    max_milliseconds: a training step under Adam, as the sweep measured it; max_parameters: of the task.
    """
    from taskset.normalization.store import load_normalizers, load_tasks

    names = _matching(patterns)
    _check_source(source)
    normalizers = load_normalizers(baselines, baselines_version)
    found = scales(normalizers, source, horizon)
    rows = load_tasks(baselines)
    if "source" in rows:  # a single sweep's table has one row per task and source, that of merged baselines one per task
        rows = rows[rows["source"].isin([source, "none"])]
    row_of = {row["task"]: row for row in rows.to_dict("records")}
    entries = []
    for task in names:
        row = row_of.get(task)
        if row is None or task not in found or not row["feasible"]:
            continue
        if row["ms_per_step"] <= max_milliseconds and _known(row["num_params"]) <= max_parameters:
            entries.append(Entry(task, row["family"], split_of(task), found[task]))
    if not entries:
        where = baselines or "the package's baselines"
        raise ConfigError(
            f"no task of {', '.join(map(repr, patterns))} has a normalizer (source {source}, horizon {horizon}) in {where} and "
            "is small enough; allowed are measured tasks: `python -m taskset baseline` measures more"
        )
    rule = _rule(patterns, max_milliseconds, max_parameters)
    made_by = __version__ if baselines_version is None else min(normalizers["version"], key=changes.release)
    return Suite(name, version, source, horizon, tuple(entries), tuple(modules), rule, made_by)


def _known(count: Any) -> float:
    """A number of parameters; infinite where it isn't known, which only "no limit" allows."""
    import pandas as pd

    return math.inf if pd.isna(count) else int(count)


def make_unmeasured(
    name: str,
    patterns: Iterable[str],
    source: str,
    horizon: int,
    max_milliseconds: float = math.inf,
    max_parameters: float = math.inf,
    version: int = 1,
    modules: Iterable[str] = (),
) -> Suite:
    """The `Suite` of all tasks matching `patterns` that are feasible and small enough, none of them measured yet.

    max_milliseconds: a training step by `taskset.execution.costs`, on the machine named there; other arguments as of `make`.
    """
    entries = []
    _check_source(source)
    for task in _matching(patterns):
        size, cost = catalogue.num_params(task), None if max_milliseconds == math.inf else costs.milliseconds(task)
        if not catalogue.feasible(task) or (size if size is not None else 0) > max_parameters:
            continue
        if max_milliseconds == math.inf or (cost is not None and cost[0] <= max_milliseconds):
            entries.append(Entry(task, catalogue.resolve(task)[0], split_of(task), {}))
    if not entries:
        raise ConfigError(
            f"no task of {', '.join(map(repr, patterns))} can run and is small enough: python -m taskset list shows all"
        )
    return Suite(
        name, version, source, horizon, tuple(entries), tuple(modules), _rule(patterns, max_milliseconds, max_parameters)
    )


def _check_source(source: str) -> None:
    if source not in SOURCES:
        raise unknown("source", source, list(SOURCES), f"Allowed are {' and '.join(SOURCES)}.")


def _rule(patterns: Iterable[str], max_milliseconds: float, max_parameters: float) -> dict[str, Any]:
    return {
        "patterns": list(patterns),
        "max_milliseconds": None if max_milliseconds == math.inf else max_milliseconds,
        "max_parameters": None if max_parameters == math.inf else max_parameters,
    }


def _matching(patterns: Iterable[str]) -> list[str]:
    names: dict[str, None] = {}
    for pattern in patterns:
        found = catalogue.list_tasks(pattern) if any(c in pattern for c in "*?[") else [pattern]
        for name in found:
            catalogue.resolve(name)
            names[name] = None
    return list(names)


def scales(normalizers: pd.DataFrame, source: str, horizon: int) -> dict[str, SplitScales]:
    """{task: {split: (initial, best)}} of the tasks that are normalizable in all SCALES."""
    frame = normalizers[(normalizers["horizon"] == horizon) & normalizers["source"].isin([source, "none"])]
    if frame.empty:
        there = sorted({(row["source"], int(row["horizon"])) for row in normalizers[["source", "horizon"]].to_dict("records")})
        raise ConfigError(f"no normalizers for source {source!r} and horizon {horizon}; allowed are {there}")
    found: dict[str, SplitScales] = {}
    for row in frame[frame["normalizable"] & frame["split"].isin(SCALES)].to_dict("records"):
        found.setdefault(row["task"], {})[row["split"]] = (row["initial"], row["best"])
    return {task: both for task, both in found.items() if len(both) == len(SCALES)}
