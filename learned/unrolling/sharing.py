"""One compiled program for many tasks: those whose loss is the same function of parameters and batch.

Families of tiny tasks differ in data, start and normalizer alone, none of which need be a constant of the program: batches and
starts are arguments of it anyway, and the normalizer becomes a part of the inner state, {"loss_scale": {"initial", "best"}}. So
what is compiled for one task is right for all of them; a program is seconds of compiling and some 60 MB.

A builder says so by returning a `SharedModel`: tasks of one `program` (a text) must have losses that are the same function.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any, TypeAlias

import tensorflow as tf

from learned.types import Tree
from learned.unrolling.problem import Problem
from learned.unrolling.rescaling import RescaledProblem
from learned.unrolling.unroll import Unroll, raw_specs
from taskset.errors import ConfigError
from taskset.tasks.base import Model, Task

# {(kind, program, pairs, signs, steps): unroll} of those that were made.
SharedUnrolls: TypeAlias = MutableMapping[tuple[Any, ...], Unroll]


@dataclasses.dataclass(frozen=True)
class SharedModel(Model):
    """A `Model` whose loss and preparation of batches are those of all models of the same `program`."""

    program: str = ""


def program_of(task: Task) -> str | None:
    """The program that a task shares with others; None for a program of its own."""
    return task.model.program if isinstance(task.model, SharedModel) else None


class _LossScaleInState(Problem):
    """Takes the normalizer from the inner state, where an episode's start puts it."""

    @property
    def fresh_shapes(self) -> Tree:
        """{"start": what the problem itself starts from, "loss_scale": {"initial": (), "best": ()}}."""
        return {"start": super().fresh_shapes, "loss_scale": {"initial": (), "best": ()}}

    def initializer(self) -> Callable[[Iterable[int]], Tree]:
        """As `Problem.initializer`."""
        initial = super().initializer()

        def initialize(seeds):
            seeds = list(seeds)
            numbers = {"initial": self.scale.initial, "best": self.scale.best}
            scale = {name: tf.fill([len(seeds)], tf.constant(value, self.dtype)) for name, value in numbers.items()}
            return {"start": initial(seeds), "loss_scale": scale}

        return initialize

    def start(self, theta: tf.Tensor, fresh: Tree) -> Tree:
        """The inner state at step 0."""
        return {**super().start(theta, fresh["start"]), "loss_scale": fresh["loss_scale"]}

    def kept(self, inner: Tree) -> Tree:
        """The normalizer, beside what the problem keeps without it."""
        return {**super().kept(inner), "loss_scale": inner["loss_scale"]}

    def normalized(self, inner: Tree, loss: tf.Tensor) -> tf.Tensor:
        """The normalized outer loss, with the numbers of the inner state."""
        scale: Any = self.scale  # a dataclass, see `SharedProblem`
        return dataclasses.replace(scale, **inner["loss_scale"])(loss)


class SharedProblem(_LossScaleInState):
    """A `Problem` whose program can be that of another task; its scale must be a dataclass of `initial` and `best`."""


class SharedRescaledProblem(_LossScaleInState, RescaledProblem):
    """The same with a rescaling augmentation."""


def shared_unroll(programs: SharedUnrolls, kind: type[Unroll], problem: Problem, *arguments: Any, **more: Any) -> Unroll:
    """An unroll of `problem` that has the compiled program of another task of the same `program`, where there is one.

    programs: those that were made; the new one is put in where there was none. Raises `ConfigError` where the tasks differ in
    shapes or dtypes: numbers of another dtype would be cast to those of the program, and large ones wrap around.
    """
    key = (kind, program_of(problem.task), *arguments, *sorted(more.items()))
    found = programs.get(key)  # held here: the dictionary drops what nothing else holds
    if found is None:
        programs[key] = made = kind(problem, *arguments, **more)
        return made
    first, second = found.problem.task, problem.task
    for name, one, other in (
        ("parameter_shapes", first.parameter_shapes, second.parameter_shapes),
        ("batch_shapes", first.batch_shapes, second.batch_shapes),
        ("raw batches' shapes and dtypes", found.raw_specs, raw_specs(problem)),
    ):
        if one != other:
            raise ConfigError(
                f"{first.name} and {second.name} say they share a program, but their {name} differ: give each its own"
            )
    shared = copy.copy(found)
    shared.problem, shared._initial = problem, problem.initializer()
    return shared
