"""The task pool: the tasks that are in training at a moment, an estimator state for each.

A suite can have hundreds of tasks; the states of all their pairs would not fit into memory. So a few slots hold a task each,
until all its pairs have finished their episodes; then a slot draws another one. What a slot computes depends on theta, the
outer step and its own state alone, not on other slots or on the process that holds it.

With `Options.groups` above 1 the pairs of a task are in as many groups, each in a place of its own. Groups of one slot draw the
same tasks, after the same truncations, and differ in their pairs alone.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from learned import estimators, optimizers, registry
from learned.estimators import base
from learned.outer_training import length_schedules, objectives, own_estimators, start_weights
from learned.outer_training.estimator_cache import MEMORY_MIB, EstimatorCache
from learned.outer_training.identity import data_origins
from learned.outer_training.options import Options
from learned.outer_training.task_drawing import Drawing
from learned.types import Arrays, Places, Tree
from learned.unrolling.loss_scale import LossScale
from learned.unrolling.problem import Problem
from learned.unrolling.rescaling import RescaledProblem
from learned.unrolling.sharing import SharedProblem, SharedRescaledProblem, program_of
from learned.unrolling.unroll import Unroll
from learned.unrolling.vectors import from_leaves, named_leaves
from taskset.catalogue import get_task
from taskset.datasets.sharing import release_pages
from taskset.errors import ConfigError, shown
from taskset.execution.memory import return_memory
from taskset.random import seeds
from taskset.scoring.suites.suite import SCALES, Suite

DIFFERENCES = {"value": base.value, "sign": base.sign, "rms": base.value}  # the trainer divides by the RMS
FIRST_LENGTHS = {"together": base.together, "spread": base.spread}


@dataclass
class Place:
    """A place of the task pool: what holds one group of a slot's pairs, or all of them where there is one group.

    task: its name; draws: how many tasks the place has drawn; state: of the task's estimator; since: `completed` at the draw.
    """

    task: str
    draws: int
    state: Tree
    since: np.ndarray

    def finished(self, episodes: int) -> bool:
        """Whether every pair has come to the end of so many episodes since the task was drawn."""
        return bool(np.all(completed(self.state) >= self.since + episodes))


def completed(state: Tree) -> np.ndarray:
    """How many episodes have been finished, of each pair [N]; of all pairs together where an estimate is a whole episode."""
    episodes = state.get("episodes")
    if episodes is None:
        return np.asarray(state["number"])
    return episodes["number"] - (episodes["steps"] < episodes["length"])


@dataclass(frozen=True)
class Result:
    """An estimate of one place, the task that it is of, and {data: origin} of what that reads (`identity.data_origins`)."""

    task: str
    family: str
    estimate: base.Estimate
    data_origins: dict[str, Any] = field(default_factory=dict)


class Pool(Protocol):
    """What makes the estimates of an outer training: a `TaskPool`, or `learned.outer_training.workers.Workers`."""

    def estimates(self, numbers: Sequence[int], outer_step: int, theta: np.ndarray) -> list[Result]:
        """The `Result`s of several places, in that order."""
        ...

    def dump(self) -> Places:
        """All places, as `restore` takes them."""
        ...

    def saved(self) -> None:
        """What the last `dump` gave is on disk, in the place of what was there before."""
        ...

    def restore(self, dumped: Places) -> dict[str, Any]:
        """Take up the places that `dump` described; ValueError where a state doesn't fit.

        Returns {data: origin} of what their tasks read (`identity.data_origins`).
        """
        ...


class TaskPool:
    """The places of one process, each with the task that is in training there.

    suite: a `taskset.scoring.suites.suite.Suite`; options: a `learned.outer_training.options.Options`; data_dir: of real data.
    strategy: a `tf.distribute` strategy (`learned.unrolling.distributed`); None: this process, its CPU. memory: MiB that the
    process may have for itself before programs go (`learned.outer_training.estimator_cache`). start: the weights that the
    training starts from, {path: array}; None: those of its seed.
    """

    def __init__(
        self,
        suite: Suite,
        options: Options,
        data_dir: str | None = None,
        strategy: tf.distribute.Strategy | None = None,
        memory: float = MEMORY_MIB,
        start: Arrays | None = None,
    ) -> None:
        self.options, self.data_dir, self.suite, self.strategy = options, data_dir, suite, strategy
        self.drawing = Drawing(suite.of_split("train"), options.family_weights, options.cost_power)
        self.optimizer, self.objective = optimizers.get(options.optimizer), objectives.get(options.objective)
        if self.objective.scale_split not in SCALES:
            raise ConfigError(
                f"objective {options.objective!r} has scale_split {shown(self.objective.scale_split)}: allowed are "
                f"{', '.join(SCALES)}, the scales that a suite has"
            )
        start = start_weights.initial(self.optimizer, options.seed) if start is None else start
        self.frozen = start_weights.frozen(start, options.trained)
        self.lengths = length_schedules.parse(options.lengths)
        late = options.late_restarts
        resumed = length_schedules.Resumed(late, self.lengths.longest) if late else base.never
        self.settings = base.Settings(
            options.pairs,
            options.steps,
            options.sigma,
            DIFFERENCES[options.differences],
            FIRST_LENGTHS[options.first_lengths],
            resumed,
            options.groups,
        )
        self.places: dict[int, Place] = {}
        self._data_origins: dict[str, dict[str, Any]] = {}  # of each task that was opened
        # They go with the last estimator that has them.
        self._programs: weakref.WeakValueDictionary[tuple[Any, ...], Unroll] = weakref.WeakValueDictionary()
        self.estimator = EstimatorCache(self._estimator, lambda: {place.task for place in self.places.values()}, memory)

    def _estimator(self, name: str) -> base.Estimator:
        entry = self.suite.entry(name)
        scale = LossScale(*entry.scales[self.objective.scale_split])
        task = get_task(name, self.suite.source, self.data_dir)
        self._data_origins[name] = data_origins(task)
        problem = self._problem(task, self.optimizer, self.objective, scale, frozen=self.frozen)
        return estimators.get(self.options.estimator)(problem, self.settings, strategy=self.strategy, programs=self._programs)

    def _problem(self, task, *given, **more):
        augment, shared = self.options.augment, program_of(task) is not None
        if augment == "none":
            return (SharedProblem if shared else Problem)(task, *given, **more)
        return (SharedRescaledProblem if shared else RescaledProblem)(augment, task, *given, **more)

    def draw(self, slot: int, draws: int) -> str:
        """The task of a slot's draw number `draws` (`learned.outer_training.task_drawing`)."""
        return self.drawing(self.options.seed, slot, draws)

    def estimate(self, number: int, outer_step: int, theta: np.ndarray) -> Result:
        """The `Result` of place `number` at theta (float64 [P]); draws another task where the last one is finished."""
        last = self.places.get(number)
        episodes = self.options.episodes
        place = self.places[number] = self._next(number, last) if last is None or last.finished(episodes) else last
        estimator = self.estimator(place.task)

        def lengths(rng: np.random.Generator, n: int) -> np.ndarray:
            return np.full(n, self.lengths(outer_step, rng))

        estimate, place.state = self._estimated(estimator, theta.astype(np.float32), place.state, lengths)
        if np.shape(estimate.gradient) != theta.shape:
            raise ConfigError(
                f"estimator {self.options.estimator!r} gave a gradient of shape {list(np.shape(estimate.gradient))}: allowed is "
                f"that of the weights, {list(theta.shape)}"
            )
        if place is not last:  # its program may have been compiled, which leaves some 200 MiB of freed pages
            return_memory()
        return Result(place.task, self.suite.entry(place.task).family, estimate, self._data_origins[place.task])

    def _estimated(self, estimator, theta, state, lengths):
        """What the estimator gives; a user's own is checked."""
        name = self.options.estimator
        if registry.estimators.own(name) is None:
            return estimator.estimate(theta, state, lengths)
        before = own_estimators.checked_state(state, name)
        return own_estimators.checked_estimate(estimator.estimate(theta, state, lengths), before, name)

    def estimates(self, numbers: Sequence[int], outer_step: int, theta: np.ndarray) -> list[Result]:
        """The `Result`s of several places, in that order."""
        results = [self.estimate(number, outer_step, theta) for number in numbers]
        release_pages()
        return results

    def _next(self, number: int, last: Place | None) -> Place:
        draws, slot = last.draws + 1 if last else 1, number // self.options.groups
        task = self.draw(slot, draws)
        if last and last.task == task:  # drawn again: its pairs continue, with whatever lag they have
            state = last.state
        else:
            state = self._first_state(task, seeds.stream(self.options.seed, "slot", slot, draws), number)
        return Place(task, draws, state, completed(state))

    def _first_state(self, task, seed, number):
        groups = self.options.groups
        state = self.estimator(task).init(seed, **({"group": number % groups} if groups > 1 else {}))
        if registry.estimators.own(self.options.estimator) is not None:
            own_estimators.checked_state(state, self.options.estimator)
        return state

    def dump(self) -> Places:
        """{place: (task, how many it has drawn, {name: array})}: all that `restore` needs."""
        leaves = {n: {"since": place.since, "state": place.state} for n, place in self.places.items()}
        return {n: (place.task, place.draws, named_leaves(leaves[n])) for n, place in self.places.items()}

    def saved(self) -> None:
        """Nothing is to be done: there is no other process that would have to catch up."""

    def restore(self, dumped: Places) -> dict[str, Any]:
        """As `Pool.restore`."""
        read: dict[str, Any] = {}
        for number, (task, draws, leaves) in dumped.items():
            state = self._first_state(task, 0, number)
            found = from_leaves({"since": completed(state), "state": state}, leaves)
            self.places[number] = Place(task, draws, found["state"], found["since"])
            read |= self._data_origins[task]
        return read
