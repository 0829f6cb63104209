"""Training a task with a learned optimizer, as a function of the optimizer's weights theta.

    w_(t+1) = u(w_t, grad L(w_t), state; theta)        outer loss of the step: n(L(w_t)), before the update

`Problem` is one such training: the start and one step, pure functions of tensors. `learned.unrolling.unroll` runs truncations of
many copies of it.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from learned.optimizers.base import LearnedOptimizer
from learned.types import Arrays, Batch, Params, Tree
from learned.unrolling.vectors import Layout
from taskset.errors import ConfigError, shown
from taskset.execution.checked import traced
from taskset.execution.loop import VALIDATION_INTERVAL
from taskset.random import stateless
from taskset.registry import is_own
from taskset.tasks.base import Task


class Objective(Protocol):
    """The loss that an optimizer is trained for, in each step of an inner training (`learned.outer_training.objectives`)."""

    @property
    def name(self) -> str:
        """What it is registered as."""
        ...

    @property
    def split(self) -> str | None:
        """The split whose batches it reads beside the training batch; None for none."""
        ...

    @property
    def scale_split(self) -> str:
        """The split whose normalizer it is measured with."""
        ...

    def check(self, task: Task) -> None:
        """Raise `ConfigError` where the task has no such loss."""
        ...

    def __call__(self, task: Task, params: Params, train_loss: tf.Tensor, batch: Batch | None, key: tf.Tensor) -> tf.Tensor:
        """The loss, a scalar, at `params`, before the step is taken. batch: of `split`; key: of its own draws."""
        ...


class Problem:
    """One task under one learned optimizer and one objective.

    task: a `taskset` Task; optimizer: a `LearnedOptimizer`; objective: one of `learned.outer_training.objectives`.
    scale: loss -> normalized loss (`learned.unrolling.loss_scale`: `LossScale`, or `unscaled`).
    dtype: that everything is computed in. frozen: {path: array}, weights that are constants; theta has the others, [P] numbers.

    An inner state is {"params": .., "optimizer": ..} and, where the optimizer reads it, "validation_loss".
    """

    def __init__(
        self,
        task: Task,
        optimizer: LearnedOptimizer,
        objective: Objective,
        scale: Callable[[tf.Tensor], tf.Tensor],
        dtype: tf.DType = tf.float32,
        frozen: Arrays | None = None,
    ) -> None:
        objective.check(task)
        self.task, self.optimizer, self.objective, self.scale, self.dtype = task, optimizer, objective, scale, dtype
        self.frozen = {path: np.asarray(array) for path, array in (frozen or {}).items()}
        self.layout = Layout({path: shape for path, shape in optimizer.shapes.items() if path not in self.frozen})
        validated = ["valid_inner"] if optimizer.uses_validation_loss else []
        self.splits = tuple(dict.fromkeys(["train", *([objective.split] if objective.split else []), *validated]))

    def theta(self, seed: int) -> np.ndarray:
        """Initial theta, a NumPy vector [P]."""
        weights = self.optimizer.init_theta(seed, self.dtype)
        return self.layout.vector({path: weights[path] for path in self.layout.shapes})

    def weights(self, theta: tf.Tensor) -> Params:
        """All weights of the optimizer {path: tensor}, those that are frozen included."""
        return {**self.layout.views(theta), **{path: tf.constant(w, self.dtype) for path, w in self.frozen.items()}}

    @property
    def fresh_shapes(self) -> Tree:
        """The shapes of what an episode is started from: {path: shape} of the task's parameters."""
        return self.task.parameter_shapes

    def initializer(self) -> Callable[[Iterable[int]], Tree]:
        """A function of n seeds: what their episodes are started from, leaves [n, ..] of `fresh_shapes`."""
        return self.task.initializer(self.dtype)

    def start(self, theta: tf.Tensor, params: Params) -> Tree:
        """The inner state at step 0: theta [P], params {path: tensor} of the task."""
        inner = {"params": params, "optimizer": self.optimizer.init(self.weights(theta), params)}
        if self.optimizer.uses_validation_loss:
            inner["validation_loss"] = tf.zeros([], self.dtype)
        return inner

    def batches(self, raw: dict[str, Batch], key: tf.Tensor) -> dict[str, Batch]:
        """{split: batch} from {split: raw batch}; augmentation draws from `key`."""
        keys = dict(zip(self.splits, stateless.split(key, len(self.splits))))
        return {split: self.task.prepare(part, keys[split][0], keys[split][1]) for split, part in raw.items()}

    def step(
        self,
        theta: tf.Tensor,
        inner: Tree,
        step: tf.Tensor,
        batches: dict[str, Batch],
        key: tf.Tensor,
        horizon: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, Tree]:
        """One step: (normalized outer loss before it, inner state after it).

        theta: [P]; step: steps taken so far in this training; batches: as `batches` returns them; key: of the task's own draws;
        horizon: the number of steps that this training is planned to have, for optimizers that read it.
        """
        point = self.point(inner)
        train_key, outer_key, valid_key = stateless.split(key, 3)
        loss, gradients = self.task.value_and_gradients(point, batches["train"], train_key)
        other = batches.get(self.objective.split) if self.objective.split else None
        outer = self._outer_loss(point, loss, other, outer_key)
        after = self.kept(inner)
        held = loss
        if self.optimizer.uses_validation_loss:
            measured = self.task.loss(point, batches["valid_inner"], valid_key)
            held = tf.where(step % VALIDATION_INTERVAL == 0, measured, inner["validation_loss"])
            after["validation_loss"] = held
        after["params"], after["optimizer"] = self.optimizer.update(
            self.weights(theta),
            self.pull_back(inner, gradients),
            inner["optimizer"],
            inner["params"],
            step,
            *self.optimizer.shown(loss, held),
            **self.optimizer.planned(horizon, self.dtype),
        )
        return self.normalized(inner, outer), after

    def kept(self, inner: Tree) -> Tree:
        """The entries of an inner state that a step leaves as they are."""
        return {}

    def _outer_loss(self, *given: Any) -> tf.Tensor:
        """The objective's loss; that of a user's own is checked while it is traced."""
        if not is_own(type(self.objective)):
            return self.objective(self.task, *given)
        what = f"objective {self.objective.name!r}"
        found = traced(self.objective.__call__, lambda: self.objective(self.task, *given), what)
        if isinstance(found, numbers.Real):
            found = tf.constant(float(found), self.dtype)
        if not tf.is_tensor(found) or found.dtype != self.dtype or found.shape.rank != 0:
            raise ConfigError(f"{what} returned {shown(found)}: allowed is a scalar {self.dtype.name}, the loss")
        return found

    def normalized(self, inner: Tree, loss: tf.Tensor) -> tf.Tensor:
        """The normalized outer loss."""
        return self.scale(loss)

    def point(self, inner: Tree) -> Params:
        """The task's parameters at an inner state: where losses and gradients are taken."""
        return inner["params"]

    def pull_back(self, inner: Tree, gradients: Params) -> Params:
        """Gradients with respect to `inner["params"]` from those with respect to `point(inner)`."""
        return gradients
