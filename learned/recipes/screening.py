"""The suite of a recipe: tasks that a rule proposes, then those whose estimates are made without failing and in bearable time.

Each training task makes three estimates in a process of its own kind, so that one that exhausts the memory ends that process
alone.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from learned.outer_training.options import Options
from learned.recipes.base import Recipe
from learned.types import PathLike
from taskset.errors import TasksetError, shown
from taskset.execution.memory import private_mib
from taskset.files import read_json, readable, write_text
from taskset.jobs.answers import Broken, Died, Done
from taskset.jobs.engines.local import LOCAL
from taskset.scoring import suites
from taskset.scoring.suites.suite import Entry, Suite

ESTIMATES = 3  # the first includes compilation, the fastest of the others is the cost
MEMORY_MIB = 1500  # of the process that screens


def proposed(recipe: Recipe, baselines: PathLike | None = None) -> Suite:
    """The suite before screening: of the tasks that are small enough, the first of each family and split."""
    made = suites.make(
        recipe.name,
        list(recipe.patterns),
        baselines,
        recipe.source,
        recipe.horizon,
        recipe.max_milliseconds,
        recipe.max_parameters,
    )
    kept: list[Entry] = []
    counts: dict[tuple[str, str], int] = {}
    for entry in made.tasks:
        place = entry.family, entry.split
        counts[place] = counts.get(place, 0) + 1
        if counts[place] <= recipe.per_family.get(entry.split, 0):
            kept.append(entry)
    return dataclasses.replace(made, tasks=tuple(kept), rule={**made.rule, "per_family": recipe.per_family})


def screened(recipe: Recipe, suite: Suite, costs: dict[str, dict[str, Any]]) -> Suite:
    """The suite without the training tasks that failed or cost too much."""

    def fits(cost):
        return "failed" not in cost and cost["step"] <= recipe.max_estimate and cost["first"] <= recipe.max_first

    kept = tuple(entry for entry in suite.tasks if entry.split != "train" or fits(costs[entry.task]))
    return dataclasses.replace(suite, tasks=kept)


def screen(
    suite: Suite, options: Options, path: Path, data_dir: str | None, say: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """{task: cost} of all training tasks, written to `path` as they are measured; those that are there are not measured again.

    A cost has "first" and "step" (CPU seconds of the first estimate and of a later one), or "failed", the reason.
    """
    from taskset.datasets.sharing import shared_arrays

    found = read_costs(path) if path.exists() else {}
    waiting = [entry.task for entry in suite.of_split("train") if entry.task not in found]
    process = None
    with shared_arrays():
        try:
            for task in waiting:
                process = process or LOCAL.process(_Screening, (suite, options, data_dir))
                process.send("cost", (task,))
                answer = process.answer()
                if isinstance(answer, Done):
                    found[task] = answer.value
                elif isinstance(answer, Died):
                    found[task] = {"failed": f"the process ended {answer.how}"}
                    process = None
                else:  # not the task's fault: the process could not begin
                    raise TasksetError(f"screening: {answer.traceback if isinstance(answer, Broken) else answer.reason}")
                say(f"screening {task}: {found[task]}")
                write_text(json.dumps(found, indent=1), path)
        finally:
            if process is not None:
                process.kill()
    return found


def read_costs(path: Path) -> dict[str, dict[str, Any]]:
    """{task: cost} of an earlier screening. Raises `StoreError` where the file is damaged or is of something else."""
    with readable(path, "remove it, and its tasks are screened again"):
        found = read_json(path)
        wrong = [task for task, cost in found.items() if not _is_cost(cost)]
        if wrong:
            raise ValueError(f"no cost of {shown(wrong[0])}")
    return found


def _is_cost(cost: Any) -> bool:
    if not isinstance(cost, dict):
        return False
    return isinstance(cost.get("failed"), str) or all(
        type(cost.get(name)) in (int, float) and 0 <= cost[name] < math.inf for name in ("first", "step")
    )


class _Screening:
    """Costs of estimates, in a process of their own."""

    def __init__(self, suite: Suite, options: Options, data_dir: str | None) -> None:
        from learned.outer_training.task_pool import TaskPool
        from learned.unrolling.vectors import Layout

        self.pool = TaskPool(suite, options, data_dir, memory=MEMORY_MIB)
        optimizer = self.pool.optimizer
        self.theta = Layout(optimizer.shapes).vector(optimizer.init_theta(0)).astype(np.float32)

    def cost(self, task: str) -> dict[str, Any]:
        """That of a task, or how it failed."""
        try:
            return self._measured(task)
        except Exception as error:  # whatever the reason: the task is left out, and the reason stands in the file
            first = (str(error).splitlines() or [""])[0]
            return {"failed": f"{type(error).__name__}: {first[:200]}"}

    def _measured(self, task: str) -> dict[str, Any]:
        def lengths(rng, n):
            return np.full(n, self.pool.lengths(0, rng))

        before, times = private_mib(), []
        estimator = self.pool.estimator(task)
        state = estimator.init(0)
        for _ in range(ESTIMATES):
            start = time.process_time()
            estimate, state = estimator.estimate(self.theta, state, lengths)
            times.append(time.process_time() - start)
        layout = getattr(getattr(estimator, "unroll", None), "layout", None)
        cost = {"first": times[0], "step": min(times[1:]), "growth": private_mib() - before, "memory": private_mib()}
        return {**cost, "loss": estimate.loss, "non_finite": estimate.non_finite, "layout": layout}
