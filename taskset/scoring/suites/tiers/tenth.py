"""`rivals:1`: a fixed, stratified tenth of `1h:1`, on which the table of rivals is made (docs/rivals.md). No TensorFlow.

    python -c "from taskset.scoring.suites.tiers import tenth; tenth.write()"

Families take turns in alphabetical order until there are a tenth of the tasks, rounded up. A family's tasks come in this order:
those on which the baselines have the first ten of the learned list, then the others, each by a hash of their names (the order of
`tiers.make`). A task that costs more than MOST_SECONDS by the cost model is passed over: the table costs less, and is about
smaller tasks than `1h` has on average.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from importlib import resources
from pathlib import Path

from taskset.normalization.store import load_sweeps, sources_of
from taskset.samplers.optimizers import opt_list_names
from taskset.scoring import suites
from taskset.scoring.suites import tiers
from taskset.scoring.suites.suite import Entry, Suite

OF = "1h:1"
MOST_SECONDS = 16.0  # of one core, for one optimizer with one trial and two seeds
LISTED = 10  # trials of the learned list


def make(baselines: str | Path | None = None) -> Suite:
    """The `Suite` from a directory of baselines (None: the package's)."""
    whole = tiers.load(OF)
    costs, listed = whole.rule["costs"], _with_list(baselines, whole)
    queues: dict[str, list[Entry]] = {}
    for entry in sorted(whole.tasks, key=lambda e: (e.task not in listed, hashlib.sha256(e.task.encode()).hexdigest())):
        if costs[entry.task] <= MOST_SECONDS:
            queues.setdefault(entry.family, []).append(entry)
    chosen: list[Entry] = []
    wanted = math.ceil(len(whole.tasks) / 10)
    while len(chosen) < wanted:
        for family in sorted(queues):
            if queues[family] and len(chosen) < wanted:
                chosen.append(queues[family].pop(0))
    chosen.sort(key=lambda entry: entry.task)
    each = {entry.task: costs[entry.task] for entry in chosen}
    rule = {
        "tenth_of": OF,
        "seeds": tiers.SEEDS,
        "most_seconds": MOST_SECONDS,
        "cost": round(sum(each.values()), 1),
        "costs": each,
    }
    return replace(whole, name=tiers.TENTH[0], version=tiers.TENTH[1], tasks=tuple(chosen), rule=rule)


def _with_list(baselines: str | Path | None, suite: Suite) -> set[str]:
    """The tasks on which the baselines have the first LISTED of the learned list at the suite's horizon."""
    wanted, found = set(opt_list_names(LISTED)), dict[str, set[str]]()
    for row in load_sweeps(baselines).to_dict("records"):
        if row["horizon"] == suite.horizon and row["source"] in sources_of(suite.source):
            found.setdefault(row["task"], set()).update(row["optimizers"])
    return {task for task, optimizers in found.items() if wanted <= optimizers}


def write(directory: str | Path | None = None) -> Path:
    """Write the suite's file into a directory, by default the package's own; returns its path."""
    path = Path(directory or str(resources.files(__package__))) / tiers.file_of(*tiers.TENTH)
    suites.save(make(), path)
    return path
