"""`rivals:1`: a fixed, stratified tenth of `1h:1`, on which the table of rivals is made (docs/rivals.md). No TensorFlow.

Families take turns in alphabetical order until there are a tenth of the tasks, rounded up. A family's tasks come in this order:
those on which the baselines have the first ten of the learned list, then the others, each by a hash of their names (the order of
`tiers.make`). A task that costs more than MOST_SECONDS by the cost model is passed over: the table costs less, and is about
smaller tasks than `1h` has on average.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from taskset.normalization.store import load_sweeps, sources_of
from taskset.samplers.optimizers import opt_list_names
from taskset.scoring.suites import tiers
from taskset.scoring.suites.selection import name_hash, taking_turns
from taskset.scoring.suites.suite import Entry, Suite

OF = "1h:1"
MOST_SECONDS = 16.0  # of one core, for one optimizer with one trial and two seeds
LISTED = 10  # trials of the learned list


def make(baselines: str | Path | None = None) -> Suite:
    """The `Suite` from a directory of baselines (None: the package's)."""
    whole = tiers.load(OF)
    costs, listed = whole.rule["costs"], _with_list(baselines, whole)
    queues: dict[str, list[Entry]] = {}
    for entry in sorted(whole.tasks, key=lambda entry: (entry.task not in listed, name_hash(entry.task))):
        if costs[entry.task] <= MOST_SECONDS:
            queues.setdefault(entry.family, []).append(entry)
    wanted = math.ceil(len(whole.tasks) / 10)
    chosen = sorted(taking_turns(queues, lambda entry, so_far: len(so_far) < wanted), key=lambda entry: entry.task)
    each = {entry.task: costs[entry.task] for entry in chosen}
    rule = {
        "tenth_of": OF,
        "seeds": tiers.SEEDS,
        "most_seconds": MOST_SECONDS,
        "cost": round(sum(each.values()), 1),
        "costs": each,
    }
    return replace(whole, name=tiers.TENTH.name, version=tiers.TENTH.version, tasks=tuple(chosen), rule=rule)


def _with_list(baselines: str | Path | None, suite: Suite) -> set[str]:
    """The tasks on which the baselines have the first LISTED of the learned list at the suite's horizon."""
    wanted, found = set(opt_list_names(LISTED)), dict[str, set[str]]()
    for row in load_sweeps(baselines).to_dict("records"):
        if row["horizon"] == suite.horizon and row["source"] in sources_of(suite.source):
            found.setdefault(row["task"], set()).update(row["optimizers"])
    return {task for task, optimizers in found.items() if wanted <= optimizers}
