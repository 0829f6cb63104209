"""Suites of thousands of baselines, each version written once as a file that never changes: NAME_VERSION.json. No TensorFlow.

"heldout" has tasks of the split "test", on which an optimizer that is to ship is judged; "heldout-valid" those of "valid", which
choose checkpoints and all else. "small", "mixed" and "problems" are for training. The held-out suites share no task with these,
and none of the five has a task of a tier by cost (`taskset.scoring.suites.tiers`). The files have names, scales, the version
of the package, and the cost by the cost model; `python -m tools.write_suites` wrote them from the baselines of their day.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from taskset import registry
from taskset.errors import StoreError, counted
from taskset.normalization.store import load_tasks, normalizers_of
from taskset.scoring import suites
from taskset.scoring.suites import tiers
from taskset.scoring.suites.selection import name_hash
from taskset.scoring.suites.shipped import Shipped
from taskset.scoring.suites.suite import Entry, Suite

if TYPE_CHECKING:
    import pandas as pd

FEWEST_TASKS = 3300  # with a normalizer: fewer baselines are not what these suites are to be made of
FEWEST_HELD_OUT = 80


@dataclass(frozen=True)
class Written(Shipped):
    """A suite's version, and what it is made of.

    about: one line for people; families: of its tasks, () for all; split: of its tasks ("train", "valid", "test"), None for all;
    max_milliseconds: a training step, as the baselines measured it; max_parameters: of a task; per_family: tasks at most.
    """

    about: str
    families: tuple[str, ...] = ()
    split: str | None = None
    max_milliseconds: float = 1.0
    max_parameters: float = math.inf
    per_family: int = 500
    package: str = field(default=__name__, kw_only=True)

    @property
    def held_out(self) -> bool:
        """Whether no training may see its tasks."""
        return self.split is not None


PROBLEMS = ("quadratic_family", "losg_tasks_family")
NETWORKS = (
    "mlp_family", "mlp_ae_family", "mlp_vae_family", "conv_pooling_family", "conv_fc_family", "nvp_family", "maf_family",
    "made_family", "rnn_text_classification_family", "char_rnn_language_model_family", "word_rnn_language_model_family",
)  # fmt: skip
WRITTEN = (
    Written("heldout", 1, "test: 10 tasks per family at most, 1 ms a step at most", split="test", per_family=10),
    Written("heldout-valid", 1, "validation: 10 tasks per family at most, 1 ms a step at most", split="valid", per_family=10),
    Written("problems", 2, "synthetic problems without data, 1 ms a step at most", PROBLEMS),
    Written("small", 2, "networks of 100,000 weights and 1 ms a step at most", NETWORKS, max_parameters=1e5),
    Written("mixed", 2, "networks of 11 families, 30 ms a step at most, 100 per family", NETWORKS, None, 30, per_family=100),
)


_registered: list[Written] = []


def register(one: Written) -> None:
    """Make known a suite whose file stands in another package, which calls this when it is imported."""
    if one not in _registered:
        _registered.append(one)


def available() -> list[Written]:
    """The suites whose file has been written: those of this package, then those that others registered."""
    return [one for one in (*WRITTEN, *_registered) if one.path.is_file()]


def make_all(
    baselines: str | Path | None = None, wanted: Iterable[Written] = WRITTEN, fewest: int = FEWEST_TASKS
) -> dict[Written, Suite]:
    """All suites from a directory of baselines (None: the package's).

    Held-out suites are made first; no other suite gets a task of theirs, and none a task of a tier. Raises `StoreError` where
    fewer than `fewest` tasks have a normalizer.
    """
    (normalizers, _), wanted = normalizers_of(baselines), list(wanted)
    ready = normalizers.loc[normalizers["normalizable"] & (normalizers["split"] == "train"), "task"].nunique()
    if ready < fewest:
        raise StoreError(
            f"{counted(ready, 'task has', 'tasks have')} a normalizer; these suites are written once, from at least {fewest}: "
            "sweep more"
        )
    table = load_tasks(baselines).astype({"num_params": "float64"})
    rows: dict[str, dict[Any, Any]] = {row["task"]: row for row in table.to_dict("records")}
    taken = {entry.task for tier in tiers.TIERS for entry in tier.suite().tasks}
    found = {}
    for one in sorted(wanted, key=lambda one: not one.held_out):
        found[one] = _make(one, normalizers, rows, taken)
        if one.held_out:
            taken |= {entry.task for entry in found[one].tasks}
            if len(found[one].tasks) < min(FEWEST_HELD_OUT, fewest):
                raise StoreError(
                    f"{one} has {counted(len(found[one].tasks), 'task')}; wanted are {FEWEST_HELD_OUT} at least: sweep more"
                )
    return {one: found[one] for one in wanted}


def _make(one: Written, normalizers: pd.DataFrame, rows: Mapping[str, dict[Any, Any]], without: set[str]) -> Suite:
    entries = tiers.measured_entries(normalizers, one.horizon, one.source)
    families: defaultdict[str, list[str]] = defaultdict(list)
    for task, entry in entries.items():
        if task not in without and _fits(one, entry, rows.get(task)):
            families[entry.family].append(task)
    chosen = [t for names in families.values() for t in spread(names, {n: rows[n]["ms_per_step"] for n in names}, one.per_family)]
    chosen.sort(key=lambda task: (entries[task].family, (registry.parse(task) or ("", -1))[1], task))
    costs = {task: cost for task in chosen if (cost := tiers.seconds_of(task, one.horizon, one.source)) is not None}
    rule = {
        "families": list(one.families) or None,
        "split": one.split,
        "max_milliseconds": one.max_milliseconds,
        "max_parameters": None if one.max_parameters == math.inf else one.max_parameters,
        "per_family": one.per_family,
        "seeds": tiers.SEEDS,
        "core_hours": round(sum(costs.values()) / 3600, 2),
        "costs": {task: round(cost, 2) for task, cost in costs.items()},
    }
    return Suite(one.name, one.version, one.source, one.horizon, tuple(entries[task] for task in chosen), (), rule)


def _fits(one: Written, entry: Entry, row: dict[Any, Any] | None) -> bool:
    if row is None or not row["feasible"] or (one.families and entry.family not in one.families):
        return False
    if one.split not in (None, entry.split):
        return False
    return bool(suites.is_small(row["num_params"], one.max_parameters) and row["ms_per_step"] <= one.max_milliseconds)


def spread(tasks: Iterable[str], milliseconds: Mapping[str, float], most: int) -> list[str]:
    """At most `most` of the tasks, from the cheapest to the dearest.

    In the order of cost they fall into so many equal parts, of each of which the name with the lowest hash is taken.
    """
    ordered = sorted(tasks, key=lambda task: (milliseconds[task], task))
    parts = np.array_split(np.arange(len(ordered)), min(most, len(ordered)))
    return [min((ordered[i] for i in part), key=name_hash) for part in parts]
