"""A suite: a named, versioned list of tasks with the scales of their losses, kept as JSON. No TensorFlow.

    {"name": "small", "version": 1, "source": "synthetic", "horizon": 1000, "modules": [], "rule": {..},
     "taskset_version": "0.2.0",
     "tasks": [{"task": "mlp_family_seed3", "family": "mlp_family", "split": "train",
                "scales": {"train": [2.31, 0.12], "valid_outer": [2.30, 0.2]}}, ..]}

A scale is [initial, best] of a normalizer (`taskset.normalization`): a suite carries all that training on it needs to know of
baselines; {} stands for a task that has not been measured yet (`taskset.scoring.suites.baseline_protocol`). `split` follows from
the task's name alone (`split_of`), so that no task is ever trained on under one suite and held out under another. A task that a
user registered has a checksum of its `config` beside these: no version tells when it changes.
"""

from __future__ import annotations

import json
import math
import zlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from taskset import catalogue, changes
from taskset.datasets.base import SOURCES
from taskset.errors import ConfigError, StoreError, UnknownName, cut, shown, unknown
from taskset.version import __version__

if TYPE_CHECKING:
    from taskset.scoring.run_scores import Scales

SplitScales = dict[str, tuple[float, float]]  # {split of data: (initial, best)}

TASK_SPLITS = ("train", "valid", "test")
ALL = "all"  # what stands for every split
SCALES = ("train", "valid_outer")  # the splits of data that objectives are measured on
LONGEST = 200  # letters of a task's name


def split_of(task: str) -> str:
    """ "train" (70%), "valid" (10%) or "test" (20%): by the CRC-32 of the task's name."""
    place = zlib.crc32(task.encode()) % 10
    return "train" if place < 7 else "valid" if place == 7 else "test"


@dataclass(frozen=True)
class Entry:
    """A task of a suite. scales: those of SCALES, or {}: not measured yet. config: `config_checksum` when the suite was made."""

    task: str
    family: str
    split: str
    scales: SplitScales
    config: str | None = None


def entry_of(task: str, scales: SplitScales) -> Entry:
    """The `Entry` of a task as it is now."""
    return Entry(task, catalogue.family_of(task), split_of(task), scales, config_checksum(task))


def config_checksum(task: str) -> str | None:
    """CRC-32 of the config of a task that a user registered, as hexadecimal digits; None for the package's own."""
    config = catalogue.own_config(task)
    return None if config is None else f"{zlib.crc32(json.dumps(config, sort_keys=True).encode()):08x}"


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

    def __repr__(self) -> str:
        tasks = f"{len(self.tasks)} task{'s' * (len(self.tasks) != 1)}"
        return f"<Suite {self.label}: {tasks}, source {self.source}, {self.horizon:,} steps>"

    @property
    def label(self) -> str:
        """NAME:VERSION."""
        return f"{self.name}:{self.version}"

    @property
    def scales(self) -> Scales:
        """{(task, split): (initial, best)} that losses are normalized by."""
        return {(entry.task, split): scale for entry in self.tasks for split, scale in entry.scales.items()}

    def names_of(self, split: str) -> list[str]:
        """The names of the tasks of a split, or of ALL. Raises `UnknownName`; `ConfigError` where it has none."""
        if split not in (*TASK_SPLITS, ALL):
            raise unknown("split", split, [*TASK_SPLITS, ALL], f"Allowed are {', '.join(TASK_SPLITS)} and {ALL}.")
        names = [entry.task for entry in self.tasks if split in (entry.split, ALL)]
        if not names:
            raise ConfigError(f"suite {self.name!r} has no task in its split {split}: choose another split")
        return names

    def of_split(self, split: str) -> list[Entry]:
        """The tasks of a split, in order."""
        return [entry for entry in self.tasks if entry.split == split]

    @property
    def unmeasured(self) -> list[str]:
        """The names of the tasks without scales."""
        return [entry.task for entry in self.tasks if not entry.scales]

    def entry(self, task: str) -> Entry:
        """The entry of a task. Raises `UnknownName`."""
        for entry in self.tasks:
            if entry.task == task:
                return entry
        raise unknown("task", task, [entry.task for entry in self.tasks], f"Allowed are those of the suite {self.label}.")

    def as_json(self) -> dict[str, Any]:
        """The suite as JSON values."""
        values = json.loads(json.dumps(asdict(self)))
        for entry in values["tasks"]:
            if entry["config"] is None:  # a suite of the package's tasks reads as it did before configs were kept
                del entry["config"]
        return values


def repeated(entries: Iterable[Entry]) -> list[str]:
    """The names of the tasks that are there more than once."""
    return [task for task, count in Counter(entry.task for entry in entries).items() if count > 1]


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
        raise StoreError(f"{where} is no suite ({reason}): make one with `python -m taskset suite`") from error
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
        raise StoreError(f"{where} has no tasks: make one with `python -m taskset suite`")
    if twice := repeated(suite.tasks):
        raise StoreError(f"{where}: task {shown(twice[0])} is there twice; make a suite with `python -m taskset suite`")
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
            raise StoreError(f"{where}: {name} is {value}: allowed is {allowed}; make one with `python -m taskset suite`")


def _check_entry(entry: Entry, where: object) -> None:
    scales = entry.scales.values()
    if (
        set(entry.scales) not in (set(SCALES), {*SCALES, "test"}, set())
        or not all(len(scale) == 2 and -math.inf < scale[1] < scale[0] < math.inf for scale in scales)
        or entry.split not in TASK_SPLITS
    ):
        raise StoreError(f"{where}: task {entry.task!r} needs scales for {' and '.join(SCALES)}, best below initial, and a split")
    family = catalogue.family_of(entry.task)
    if entry.family != family:
        raise StoreError(f"{where}: task {entry.task!r} has family {shown(entry.family)}: allowed is its own, {family!r}")
    if entry.config is not None and entry.config != config_checksum(entry.task):
        raise StoreError(
            f"{where}: the config of task {entry.task!r} is another than when the suite was made: sweep it again, and make a new "
            "suite with `python -m taskset suite`"
        )


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
        why = changes.made_before(old[0], suite.source, suite.taskset_version)
        raise StoreError(
            f"{where}: the scales of task {old[0]!r}{more} are {why}: take such tasks out, or make a new suite with "
            "`python -m taskset suite`"
        )
