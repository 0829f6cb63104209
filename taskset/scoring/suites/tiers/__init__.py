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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from taskset.errors import StoreError, counted, unknown
from taskset.normalization.store import normalizers_of, sources_of
from taskset.normalization.sweep import planning
from taskset.normalization.sweep.options import BATCHES, EVALUATIONS, SEEDS, SweepOptions
from taskset.scoring import suites
from taskset.scoring.suites.selection import name_hash, taking_turns
from taskset.scoring.suites.shipped import Shipped, newest
from taskset.scoring.suites.suite import Entry, Suite, entry_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Tier(Shipped):
    """A budget. seconds: of one core, all tasks together; each: share of them that one task may take; per_family: tasks at most;
    renews: the version whose tasks it has, with new scales, where a correction changed some.
    """

    seconds: float
    each: float
    per_family: float = math.inf
    renews: int | None = None
    package: str = field(default=__name__, kw_only=True)


TIERS = (Tier("1m", 1, 60, 1 / 6, 1), Tier("1h", 1, 3600, 1 / 50, 12), Tier("1d", 2, 86400, 1 / 100, renews=1))
TENTH = Shipped("rivals", 1, package=__name__)
SHIPPED: tuple[Shipped, ...] = (*TIERS, TENTH)


def names() -> list[str]:
    """Of all tiers, and of the tenth of one: "1m:1", .., "rivals:1"."""
    return list(map(str, SHIPPED))


def about(one: Shipped) -> str:
    """One line for people on one of SHIPPED. Its minutes are of one core for one optimizer, by the cost model."""
    found = one.suite()
    budget = f", of {one.seconds / 60:,.0f} allowed" if isinstance(one, Tier) else ""
    return f"{counted(len(found.tasks), 'task')}, {found.rule['cost'] / 60:,.1f} min{budget}"


def load(text: str) -> Suite:
    """The `Suite` of a tier, or of the tenth of one: "1h:1", or "1h" for the newest version. Raises `UnknownName`."""
    found = newest(text, SHIPPED)
    if found is None:
        raise unknown("tier", text, names(), f"Allowed are {', '.join(names())}.")
    return found.suite()


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
        kept = {entry["task"] for entry in json.loads(replace(one, version=one.renews).path.read_text())["tasks"]}
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
