"""Suites tiered by cost: "1m", "1h", "1d" of one core, for one optimizer with one trial and 2 seeds. No TensorFlow.

Each version is a file, NAME_VERSION.json, that never changes: names, scales, the package's version, and the cost of each task by
the cost model. `python -m tools.write_suites 1m:1 --publish` wrote it from the baselines of its day.

`1d:2` has the tasks of `1d:1`, three of which changed in version 0.2.1.

Beside them stands `rivals:1`, a tenth of `1h:1` (`taskset.scoring.suites.tiers.tenth`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from taskset.errors import StoreError, counted, unknown
from taskset.normalization.store import normalizers_of, sources_of
from taskset.normalization.sweep import planning
from taskset.normalization.sweep.options import BATCHES, EVALUATIONS, SEEDS, SweepOptions
from taskset.scoring import suites
from taskset.scoring.suites.selection import name_hash, taking_turns
from taskset.scoring.suites.suite import Entry, Suite, entry_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Tier:
    """A budget. seconds: of one core, all tasks together; each: share of them that one task may take; per_family: tasks at most;
    horizon, source: of the tasks. renews: the version whose tasks it has, with new scales, where a correction changed some.
    """

    name: str
    version: int
    seconds: float
    each: float
    per_family: float = math.inf
    horizon: int = 2000
    source: str = "synthetic"
    renews: int | None = None

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"

    @property
    def path(self) -> Path:
        """Where its file is, or will be."""
        return path_of(self.name, self.version)


TIERS = (Tier("1m", 1, 60, 1 / 6, 1), Tier("1h", 1, 3600, 1 / 50, 12), Tier("1d", 2, 86400, 1 / 100, renews=1))
TENTH = ("rivals", 1)


def is_tier(text: str) -> bool:
    """Whether `text` names a tier or the tenth of one: "1h" (the newest version) or "1h:1"."""
    return any(text in (tier.name, str(tier)) for tier in TIERS) or _is_tenth(text)


def names() -> list[str]:
    """Of all tiers, and of the tenth of one: "1m:1", .., "rivals:1"."""
    return [*map(str, TIERS), ":".join(map(str, TENTH))]


def about(text: str) -> str:
    """One line for people on a suite of `names`. Its minutes are of one core for one optimizer, by the cost model."""
    found = load(text)
    budget = "" if _is_tenth(text) else f", of {tier(text).seconds / 60:,.0f} allowed"
    return f"{counted(len(found.tasks), 'task')}, {found.rule['cost'] / 60:,.1f} min{budget}"


def _is_tenth(text: str) -> bool:
    return text in (TENTH[0], f"{TENTH[0]}:{TENTH[1]}")


def tier(text: str) -> Tier:
    """The `Tier` called `text`, the newest where no version is given. Raises `UnknownName`."""
    found = [one for one in TIERS if text in (one.name, str(one))]
    if not found:
        raise unknown("tier", text, [str(one) for one in TIERS], f"Allowed are {', '.join(map(str, TIERS))}.")
    return max(found, key=lambda one: one.version)


def path_of(name: str, version: int) -> Path:
    """Where the file of a version is, or will be."""
    return Path(str(resources.files(__package__).joinpath(f"{name}_{version}.json")))


def load(text: str) -> Suite:
    """The `Suite` of a tier, or of the tenth of one, from its file. Raises `UnknownName`."""
    name, version = TENTH if _is_tenth(text) else ((found := tier(text)).name, found.version)
    return suites.load(str(path_of(name, version)))


def seconds_of(task: str, horizon: int, source: str) -> float | None:
    """Core-seconds of one optimizer with one trial and SEEDS seeds on a task, by the cost model; None where it has none."""
    return planning.core_seconds(task, SweepOptions(("any",), source, horizon, tuple(range(SEEDS)), BATCHES, EVALUATIONS))


def make(one: Tier, baselines: str | Path | None = None) -> Suite:
    """The `Suite` of a tier from a directory of baselines (None: the package's).

    Of the tasks that are normalizable on train, validation and test data and of today's meaning, families take turns; a family's
    tasks come in the order of a hash of their names. A task that costs more than its share or than what is left is passed over.
    """
    found = measured_entries(normalizers_of(baselines)[0], one.horizon, one.source)
    if one.renews:
        kept = {entry["task"] for entry in json.loads(path_of(one.name, one.renews).read_text())["tasks"]}
        if lacking := sorted(kept - found.keys()):
            raise StoreError(f"{one} renews {one.name}:{one.renews}, of which {lacking[0]} and more have no scales: sweep them")
        found = {task: entry for task, entry in found.items() if task in kept}
    costs = {task: cost for task in found if (cost := seconds_of(task, one.horizon, one.source)) is not None}
    queues: dict[str, list[Entry]] = {}
    for task in sorted(costs, key=name_hash):
        if costs[task] <= one.each * one.seconds:
            queues.setdefault(found[task].family, []).append(found[task])

    def affordable(entry: Entry, chosen: Sequence[Entry]) -> bool:
        of_family = sum(other.family == entry.family for other in chosen)
        return of_family < one.per_family and sum(costs[e.task] for e in (*chosen, entry)) <= one.seconds

    entries = tuple(sorted(taking_turns(queues, affordable), key=lambda entry: entry.task))
    rule = {
        "core_seconds": one.seconds,
        "seeds": SEEDS,
        "share_of_a_task": round(one.each, 6),
        "per_family": None if one.per_family == math.inf else one.per_family,
        "cost": round(sum(costs[entry.task] for entry in entries), 1),
        "costs": {entry.task: round(costs[entry.task], 2) for entry in entries},
    }
    return Suite(one.name, one.version, one.source, one.horizon, entries, (), rule)


def measured_entries(normalizers: pd.DataFrame, horizon: int, source: str) -> dict[str, Entry]:
    """{task: `Entry`} with scales of train, valid_outer and test, of the tasks that are normalizable in all three."""
    both = suites.scales(normalizers, source, horizon)
    rows = normalizers[(normalizers["horizon"] == horizon) & normalizers["source"].isin(sources_of(source))]
    found = suites.measured(rows[rows["split"] == "test"])
    entries = [entry_of(n, {**both[n], "test": found[n, "test"]}) for n in both if (n, "test") in found]
    return {entry.task: entry for entry in entries}
