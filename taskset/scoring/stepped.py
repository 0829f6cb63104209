"""Runs whose optimizer takes its steps in another framework: TensorFlow computes loss and gradients, one program per step.

Start, batches, noise and evaluations are those of the compiled loop: the curves of a rule are the same up to rounding.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

import numpy as np
import tensorflow as tf

from taskset.execution.loop import Evaluate, Loop, Raw
from taskset.execution.program import compiled
from taskset.random import seeds
from taskset.scoring.global_generators import GlobalGenerators
from taskset.tasks.elsewhere.vector import VectorTask, bases

if TYPE_CHECKING:
    from taskset.normalization.sweep.options import SweepOptions
    from taskset.normalization.sweep.run_groups import Losses
    from taskset.normalization.sweep.runner import Account
    from taskset.optimizers.base import Optimizer
    from taskset.tasks.base import Task

ParameterShapes: TypeAlias = Mapping[str, tuple[int, ...]]  # {path: shape}, in the order of the vector
EvaluateVector: TypeAlias = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]  # vector -> (loss, vector of gradients)


def sizes(shapes: ParameterShapes) -> list[int]:
    """How many numbers each parameter has."""
    return [math.prod(shape) for shape in shapes.values()]


def ends(shapes: ParameterShapes) -> np.ndarray:
    """Where in the vector each parameter but the last one ends: what `split` of NumPy and JAX takes."""
    return np.cumsum(sizes(shapes))[:-1]


class Steps(Protocol):
    """A run in progress, in another framework."""

    def vector(self) -> tf.Tensor:
        """All parameters as one TensorFlow vector."""

    def judged(self) -> tf.Tensor:
        """As `vector`, the parameters that evaluations are of: an average, for optimizers that step elsewhere."""

    def step(self, evaluate: EvaluateVector) -> None:
        """Take one step; `evaluate` may be called as often as it wants."""


class SteppedOptimizer(Protocol):
    """An optimizer whose runs are `Stepped`. name, rule, hparams: as those of `taskset.optimizers.base.Optimizer`."""

    @property
    def name(self) -> str: ...

    @property
    def rule(self) -> str: ...

    def hparams(self, horizon: int) -> dict[str, float]:
        """The hyperparameters that TensorFlow's programs need: none."""

    def begin(self, start: np.ndarray, shapes: ParameterShapes, horizon: int) -> Steps:
        """A run of `horizon` steps at its first. start: all parameters in one vector; shapes: of the parameters, in its order."""


class Stepped:
    """The runs of one seed as a sweep wants them (`taskset.normalization.sweep.run_groups.OneByOne`), step by step.

    Its optimizers are `SteppedOptimizer`s, which begin `Steps`. What they draw from the global generators of Python, NumPy and
    PyTorch repeats: each run has states of its own (`GlobalGenerators`), from its task and seed, the same for all optimizers.
    """

    copies = 1

    def __init__(
        self, task: Task, group: Sequence[SteppedOptimizer], interval: int, options: SweepOptions, mode: str | None = None
    ) -> None:
        self.group, self.options = group, options
        self.loop = Loop(task, cast("Optimizer", group[0]), interval, mode)  # it evaluates and draws, but never trains
        self._vectors, mode = VectorTask(task), self.loop.mode
        self._gradients = compiled(self._vectors.value_and_gradients, mode)

    def start(self, seed: int, account: Account) -> None:
        """All runs at step 0."""
        self._seed, self._step = seed, 0
        with account("draw"):
            self._evaluate: Evaluate = self.loop.evaluation(seed, self.options.batches)
            raw = self.loop.draw_raw(seed, 0)
        with account("start"):
            params = self.loop.task.init(seed)
            start = self._vectors.vector(params).numpy()
            shapes = dict(zip(self._vectors.paths, self._vectors.shapes))
            self._random = {o.name: GlobalGenerators(seeds.stream(seed, "optimizer", self.loop.task.name)) for o in self.group}
            self._runs = {}
            for optimizer in self.group:
                with self._random[optimizer.name]:
                    self._runs[optimizer.name] = optimizer.begin(start, shapes, self.options.steps)
            self._seconds = dict.fromkeys(self._runs, 0.0)
        with account("compile"):
            self._bases = bases(seed, "train")
            self._gradients(self._vectors.vector(params), raw, self._numbers(0, 0))
            self._initial = self._evaluate(params)

    def losses(self, live: Sequence[str], account: Account) -> Losses:
        """{optimizer: {split: loss}} of those named in `live`, where they are now."""
        with account("evaluate"):
            if not self._step:
                return dict.fromkeys(live, self._initial)
            return {name: self._evaluate(self._vectors.params(self._runs[name].judged())) for name in live}

    def advance(self, live: Sequence[str], steps: int, account: Account) -> None:
        """Take `steps` steps of the runs named in `live`."""
        end = self._step + steps
        while self._step < end:
            count = min(self.loop.chunk, end - self._step)
            began = time.process_time()
            with account("draw"):
                raw = self.loop.draw_raw(self._seed, self._step)
            share = (time.process_time() - began) / len(live)
            with account("train"):
                for name in live:
                    self._seconds[name] += share
                    self._train(name, raw, count)
            self._step += count

    def _train(self, name: str, raw: Raw, count: int) -> None:
        run, began = self._runs[name], time.process_time()
        with self._random[name]:
            for i in range(count):
                run.step(self._evaluated_on(raw, self._numbers(i, self._step + i)))
        self._seconds[name] += time.process_time() - began

    def _evaluated_on(self, raw: Raw, numbers: tf.Tensor) -> EvaluateVector:
        return lambda vector: self._gradients(vector, raw, numbers)

    def _numbers(self, place: int, step: int) -> tf.Tensor:
        return tf.constant([*self._bases, place, step], tf.int32)

    def seconds(self, name: str) -> float:
        """CPU seconds of a run's training so far, its share of drawing the batches included."""
        return self._seconds[name]
