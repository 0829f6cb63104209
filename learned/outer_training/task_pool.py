"""The tasks that are in training at a moment: one estimator state a slot.

A suite can have hundreds of tasks; the states of all their pairs would not fit into memory. So a few slots hold a task each,
until all its pairs have finished their episodes; then a slot draws another one. What a slot computes depends on theta, the
outer step and its own state alone, not on other slots or on which process it lives in.
"""

from dataclasses import dataclass

import numpy as np

from learned import estimators, optimizers
from learned.estimators import base
from learned.outer_training import length_schedules, objectives
from learned.outer_training.estimator_cache import MEMORY_MIB, EstimatorCache
from learned.unrolling.problem import Problem
from learned.unrolling.vectors import from_leaves, named_leaves
from taskset.datasets.sharing import release_pages
from taskset.execution.memory import return_memory
from taskset.random import seeds

DIFFERENCES = {"value": base.value, "sign": base.sign}
FIRST_LENGTHS = {"together": base.together, "spread": base.spread}


@dataclass
class Slot:
    """task: its name; life: how many tasks the slot has drawn; state: of the task's estimator; since: `completed` at the draw."""

    task: str
    life: int
    state: dict
    since: np.ndarray

    @property
    def finished(self):
        """Whether every pair has come to the end of an episode since the task was drawn."""
        return bool(np.all(completed(self.state) > self.since))


def completed(state):
    """How many episodes have been finished, of each pair [N]; of all pairs together where an estimate is a whole episode."""
    episodes = state.get("episodes")
    if episodes is None:
        return np.asarray(state["number"])
    return episodes["number"] - (episodes["steps"] < episodes["length"])


@dataclass(frozen=True)
class Result:
    """An estimate of one slot, and the task that it is of."""

    task: str
    family: str
    estimate: base.Estimate


class Slots:
    """The slots of one process.

    suite: a `taskset.scoring.suites.Suite`; options: a `learned.outer_training.trainer.Options`; data_dir: of real data.
    strategy: a `tf.distribute` strategy (`learned.unrolling.distributed`); None: this process, its CPU. memory: MiB that the process may
    have for itself before programs go (`learned.outer_training.estimator_cache`).
    """

    def __init__(self, suite, options, data_dir=None, strategy=None, memory=MEMORY_MIB):
        self.options, self.data_dir, self.suite, self.strategy = options, data_dir, suite, strategy
        self.by_family = {}
        for entry in suite.of_split("train"):
            self.by_family.setdefault(entry.family, []).append(entry.task)
        self.optimizer, self.objective = optimizers.get(options.optimizer), objectives.get(options.objective)
        self.lengths = length_schedules.parse(options.lengths)
        self.settings = base.Settings(
            options.pairs, options.steps, options.sigma, DIFFERENCES[options.differences], FIRST_LENGTHS[options.first_lengths]
        )
        self.slots = {}
        self.estimator = EstimatorCache(self._estimator, lambda: {slot.task for slot in self.slots.values()}, memory)

    def _estimator(self, name):
        from taskset.catalogue import get_task

        entry = self.suite.entry(name)
        scale = objectives.LossScale(*entry.scales[self.objective.scale_split])
        problem = Problem(get_task(name, self.suite.source, self.data_dir), self.optimizer, self.objective, scale)
        return estimators.get(self.options.estimator)(problem, self.settings, strategy=self.strategy)

    def draw(self, slot, life):
        """The task of a slot's life: a family by its weight, then one of the family's tasks, all alike."""
        rng = seeds.generator(self.options.seed, "task", slot, life)
        weights = np.array([self.options.family_weights.get(family, 1.0) for family in self.by_family])
        tasks = self.by_family[list(self.by_family)[rng.choice(len(weights), p=weights / weights.sum())]]
        return tasks[rng.integers(len(tasks))]

    def estimate(self, number, outer_step, theta):
        """The `Result` of slot `number` at theta (float64 [P]); draws another task where the last one is finished."""
        slot = self.slots.get(number)
        drawn = slot is None or slot.finished
        if drawn:
            slot = self.slots[number] = self._next(number, slot)
        estimator = self.estimator(slot.task)

        def lengths(rng, n):
            return np.full(n, self.lengths(outer_step, rng))

        estimate, slot.state = estimator.estimate(theta.astype(np.float32), slot.state, lengths)
        if drawn:  # its program may have been compiled, which leaves some 200 MiB of freed pages
            return_memory()
        return Result(slot.task, self.suite.entry(slot.task).family, estimate)

    def estimates(self, numbers, outer_step, theta):
        """The `Result`s of several slots, in that order."""
        results = [self.estimate(number, outer_step, theta) for number in numbers]
        release_pages()
        return results

    def _next(self, number, last):
        life = last.life + 1 if last else 1
        task = self.draw(number, life)
        if last and last.task == task:  # drawn again: its pairs go on, with whatever lag they have
            state = last.state
        else:
            state = self.estimator(task).init(seeds.stream(self.options.seed, "slot", number, life))
        return Slot(task, life, state, completed(state))

    def dump(self):
        """{slot: (task, life, {name: array})}: all that `restore` needs."""
        leaves = {n: {"since": slot.since, "state": slot.state} for n, slot in self.slots.items()}
        return {n: (slot.task, slot.life, named_leaves(leaves[n])) for n, slot in self.slots.items()}

    def restore(self, dumped):
        """Take up the slots that `dump` described; ValueError where a state doesn't fit."""
        for number, (task, life, leaves) in dumped.items():
            state = self.estimator(task).init(0)
            found = from_leaves({"since": completed(state), "state": state}, leaves)
            self.slots[number] = Slot(task, life, found["state"], found["since"])
