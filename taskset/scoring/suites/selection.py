"""Suites made by a rule: of measured tasks, or of any; joined; and how rules choose among tasks. No TensorFlow."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskset import catalogue, changes
from taskset.datasets.base import check_source
from taskset.errors import ConfigError, shown, whole_number
from taskset.execution import costs
from taskset.normalization.store import load_tasks, normalizers_of, sources_of
from taskset.normalization.store.outdated import warn_left_out
from taskset.scoring.suites.suite import SCALES, Entry, SplitScales, Suite, entry_of, repeated
from taskset.version import __version__

if TYPE_CHECKING:
    import pandas as pd

    from taskset.scoring.run_scores import Scales


def make(
    name: str,
    patterns: Sequence[str],
    baselines: str | Path | None,
    source: str,
    horizon: int,
    max_milliseconds: float = math.inf,
    max_parameters: float = math.inf,
    version: int = 1,
    modules: Iterable[str] = (),
    baselines_version: str | None = None,
    left_out: Callable[[str, str], object] = lambda task, reason: None,
) -> Suite:
    """The `Suite` of all tasks matching `patterns` that are feasible, normalizable, and small enough.

    baselines: directory of a sweep with its normalizers; None: those that come with the package.
    baselines_version: None: tasks that changed since they were measured are left out, with a warning; "0.1": as that version
    measured them, for comparisons with what was done then: a file of such a suite is refused by `load`.
    max_milliseconds: a training step under Adam, as the sweep measured it; max_parameters: of the task.
    left_out: called as `left_out(task, reason)` for each task that matches and isn't taken.
    """
    names, horizon = catalogue.match_tasks(patterns), whole_number("horizon", horizon)
    check_source(source)
    normalizers, outdated = normalizers_of(baselines, baselines_version)
    wanted = set(names)
    if asked := {(task, made_by) for task, made_by in outdated if task in wanted}:
        warn_left_out("normalizers", asked, stacklevel=3)
    found = scales(normalizers, source, horizon)
    rows = load_tasks(baselines)
    if "source" in rows:  # a single sweep's table has one row per task and source, that of merged baselines one per task
        rows = rows[rows["source"].isin(sources_of(source))]
    row_of = {row["task"]: row for row in rows.to_dict("records")}
    entries, horizons, changed = [], _horizons(normalizers, source, wanted), {task for task, _ in asked}
    for task in names:
        row = row_of.get(task)
        if row is None or task not in found or not row["feasible"]:
            left_out(task, "can't run" if not catalogue.feasible(task) else _unmeasured(task, horizon, horizons, changed))
            continue
        _require_config(task, row)
        if not row["ms_per_step"] <= max_milliseconds:
            left_out(task, f"not known to take {max_milliseconds:g} ms a step at most")
        elif not is_small(row["num_params"], max_parameters):
            left_out(task, f"not known to have {max_parameters:,.0f} parameters at most")
        else:
            entries.append(entry_of(task, found[task]))
    if not entries:
        where = baselines or "the package's baselines"
        others = sorted(set().union(*horizons.values()))
        there = f"; there are normalizers at horizon {', '.join(map(str, others))}" if others else ""
        raise ConfigError(
            f"no task of {', '.join(map(repr, patterns))} has a normalizer (source {source}, horizon {horizon}) in {where} and "
            f"is small enough{there}; allowed are measured tasks: `python -m taskset baseline` measures more"
        )
    rule = _rule(patterns, max_milliseconds, max_parameters)
    made_by = __version__ if baselines_version is None else changes.oldest(normalizers["version"])
    return Suite(name, version, source, horizon, tuple(entries), tuple(modules), rule, made_by)


def _horizons(normalizers: pd.DataFrame, source: str, tasks: Iterable[str]) -> dict[str, list[int]]:
    """{task: the horizons at which it is normalizable in all SCALES} of those of `tasks` that are at any."""
    of_source = normalizers["source"].isin(sources_of(source)) & normalizers["split"].isin(SCALES)
    rows = normalizers[of_source & normalizers["normalizable"] & normalizers["task"].isin(list(tasks))]
    found: dict[str, list[int]] = {}
    for (task, horizon), splits in sorted(Counter(zip(rows["task"], rows["horizon"])).items()):
        if splits == len(SCALES):
            found.setdefault(task, []).append(int(horizon))
    return found


def _unmeasured(task: str, horizon: int, horizons: Mapping[str, list[int]], changed: Container[str]) -> str:
    """Why there are no scales of a task at a horizon."""
    if task in changed:
        return "changed since it was measured"
    others = ", ".join(map(str, horizons.get(task, ())))
    return f"no normalizer at horizon {horizon}{f', but at {others}' if others else ''}"


def _require_config(task: str, row: Mapping[Any, Any]) -> None:
    """Raise `ConfigError` where a task that a user registered is no longer what the baselines (a row of their tasks) are of."""
    config = catalogue.own_config(task)
    if config is not None and row["config"] is not None and json.loads(row["config"]) != json.loads(json.dumps(config)):
        raise ConfigError(
            f"the baselines are of another config of {task!r} than it has now: sweep it again, or give others by --baselines"
        )


def is_small(parameters: float | None, most: float) -> bool:
    """Whether a task has at most `most` parameters. None, NaN: not known, which only an infinite `most` allows."""
    return most == math.inf or (parameters is not None and parameters <= most)


def make_unmeasured(
    name: str,
    patterns: Sequence[str],
    source: str,
    horizon: int,
    max_milliseconds: float = math.inf,
    max_parameters: float = math.inf,
    modules: Iterable[str] = (),
) -> Suite:
    """The `Suite` of all tasks matching `patterns` that are feasible and small enough, none of them measured yet.

    max_milliseconds: a training step by `taskset.execution.costs`, on the machine named there; other arguments as of `make`.
    """
    entries, horizon = [], whole_number("horizon", horizon)
    check_source(source)
    for task in catalogue.match_tasks(patterns):
        if not (catalogue.feasible(task) and is_small(catalogue.num_params(task), max_parameters)):
            continue
        cost = None if max_milliseconds == math.inf else costs.milliseconds(task)
        if max_milliseconds == math.inf or (cost is not None and cost[0] <= max_milliseconds):
            entries.append(entry_of(task, {}))
    if not entries:
        raise ConfigError(
            f"no task of {', '.join(map(repr, patterns))} can run and is small enough: python -m taskset list shows what there is"
        )
    return Suite(name, 1, source, horizon, tuple(entries), tuple(modules), _rule(patterns, max_milliseconds, max_parameters))


def joined(name: str, parts: Iterable[Suite], version: int = 1) -> Suite:
    """One `Suite` of all tasks of several, in their order.

    Raises `ConfigError` where their sources or horizons differ, by which losses are normalized, or a task is in two of them.
    """
    parts = list(parts)
    kinds = {(part.source, part.horizon) for part in parts}
    if len(kinds) != 1:
        raise ConfigError(f"suites to join have (source, horizon) {sorted(kinds)}: allowed are suites that agree in both")
    tasks = tuple(entry for part in parts for entry in part.tasks)
    if twice := repeated(tasks):
        raise ConfigError(f"task {shown(twice[0])} is in two suites to join: allowed are suites without common tasks")
    modules = tuple(dict.fromkeys(module for part in parts for module in part.modules))
    made_by = changes.oldest(part.taskset_version for part in parts)
    rule = {"joined": [part.label for part in parts]}
    return Suite(name, version, parts[0].source, parts[0].horizon, tasks, modules, rule, made_by)


def _rule(patterns: Sequence[str], max_milliseconds: float, max_parameters: float) -> dict[str, Any]:
    return {
        "patterns": list(patterns),
        "max_milliseconds": None if max_milliseconds == math.inf else max_milliseconds,
        "max_parameters": None if max_parameters == math.inf else max_parameters,
    }


def scales(normalizers: pd.DataFrame, source: str, horizon: int) -> dict[str, SplitScales]:
    """{task: {split: (initial, best)}} of the tasks that are normalizable in all SCALES."""
    frame = normalizers[(normalizers["horizon"] == horizon) & normalizers["source"].isin(sources_of(source))]
    if frame.empty:
        there = sorted({(row["source"], int(row["horizon"])) for row in normalizers[["source", "horizon"]].to_dict("records")})
        raise ConfigError(f"no normalizers for source {source!r} and horizon {horizon}; allowed are {there}")
    found: dict[str, SplitScales] = {}
    for (task, split), scale in measured(frame).items():
        if split in SCALES:
            found.setdefault(task, {})[split] = scale
    return {task: both for task, both in found.items() if len(both) == len(SCALES)}


def measured(normalizers: pd.DataFrame) -> Scales:
    """{(task, split): (initial, best)} of the rows that are normalizable. normalizers: one row for each task and split."""
    rows = normalizers[normalizers["normalizable"]].to_dict("records")
    return {(row["task"], row["split"]): (row["initial"], row["best"]) for row in rows}


def name_hash(task: str) -> str:
    """SHA-256 of a task's name: an order of tasks that has nothing to do with what they are, and never changes."""
    return hashlib.sha256(task.encode()).hexdigest()


def taking_turns(queues: Mapping[str, Iterable[Entry]], accepts: Callable[[Entry, Sequence[Entry]], bool]) -> list[Entry]:
    """Tasks of several families, which take turns in alphabetical order until all their queues are used up.

    At its turn a family gives the next of its queue that `accepts(entry, chosen so far)`; those before that one are passed over
    for good.
    """
    waiting, chosen = {family: iter(queues[family]) for family in sorted(queues)}, list[Entry]()
    while waiting:
        for family, queue in list(waiting.items()):
            found = next((entry for entry in queue if accepts(entry, chosen)), None)
            if found is None:
                del waiting[family]
            else:
                chosen.append(found)
    return chosen
