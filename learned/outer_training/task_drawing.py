"""Which task a slot takes next: a density over the training tasks of a suite. No TensorFlow.

    p(k) ~ w_f / n_f                       f: the family of task k, w_f its weight, n_f how many tasks of it there are
    p(k) ~ w_f / n_f c_k^-power            with the cost c_k of a step of training: mostly the cheapest, a few dearer ones

With power 1 every task takes the same share of the time, but for the weights: a task ten times as dear comes a tenth as often.
Drawing by cost is VeLO's idea (Metz et al. 2022, arXiv 2211.09760): quality follows the number of outer steps.

    c_k = t_k + .00003 P_k                 milliseconds

t_k: a training step of the task as the package knows it (`taskset.execution.costs`), P_k: its parameters, each at the price of a
learned optimizer with 8 hidden units (docs/benchmarks.md). A task whose time nobody has measured counts by its parameters alone,
and no task as less than LEAST.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from taskset import catalogue
from taskset.execution import costs
from taskset.random import seeds
from taskset.scoring.suites.suite import Entry

PER_PARAMETER = 3e-5  # milliseconds of the optimizer
LEAST = 0.02  # milliseconds: what a step of the tiniest task takes


def cost(task: str) -> float:
    """c_k in milliseconds."""
    known = costs.milliseconds(task)
    parameters = catalogue.facts(*catalogue.resolve(task)).num_params or 0
    return max((known[0] if known else 0.0) + PER_PARAMETER * parameters, LEAST)


class Drawing:
    """Draws tasks of `entries`.

    family_weights: {family: w_f}, 1 where not named; power: of the cost, 0 for all tasks of a family alike.
    """

    def __init__(self, entries: Sequence[Entry], family_weights: dict[str, float], power: float = 0.0) -> None:
        self._families: dict[str, list[str]] = {}
        for entry in entries:
            self._families.setdefault(entry.family, []).append(entry.task)
        weights = np.array([family_weights.get(family, 1.0) for family in self._families])
        self._weights = weights / weights.sum()
        self._density = self._by_cost(power) if power else None

    def _by_cost(self, power: float) -> dict[str, float]:
        density: dict[str, float] = {}
        for (_, tasks), weight in zip(self._families.items(), self._weights):
            density |= {task: weight / len(tasks) * cost(task) ** -power for task in tasks}
        total = sum(density.values())
        return {task: p / total for task, p in density.items()}

    @property
    def density(self) -> dict[str, float]:
        """{task: p}; the sum is 1."""
        if self._density is not None:
            return dict(self._density)
        pairs = zip(self._families.values(), self._weights)
        return {task: weight / len(tasks) for tasks, weight in pairs for task in tasks}

    def __call__(self, seed: int, slot: int, draws: int) -> str:
        """The task of a slot's draw number `draws`, which starts at 1; it follows from the seed alone."""
        rng = seeds.generator(seed, "task", slot, draws)
        if self._density is not None:
            return list(self._density)[rng.choice(len(self._density), p=list(self._density.values()))]
        tasks = self._families[list(self._families)[rng.choice(len(self._weights), p=self._weights)]]
        return tasks[rng.integers(len(tasks))]
