"""What an optimizer is trained for: the loss that is averaged over an unroll.

What an objective is: `learned.Objective` (in `learned.unrolling.problem`). `learned.register_objective` adds one. The three here
are those of arXiv 1810.10180 (train, validation) and arXiv 1906.03367 (noise).
"""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from learned import registry
from learned.types import Batch, Params
from learned.unrolling.loss_scale import LossScale, unscaled  # noqa: F401  for users: learned.objectives.LossScale
from learned.unrolling.problem import Objective
from taskset.errors import ConfigError, shown
from taskset.random import stateless
from taskset.tasks.base import Task

OF_EVERY_TASK = ("train", "valid")  # the objectives whose `check` lets every task through


class TrainLoss:
    """The loss of the training batch, as the inner step computes it anyway."""

    name, scale_split = "train", "train"
    split: str | None = None

    def check(self, task: Task) -> None:
        """Every task has it."""

    def __call__(self, task: Task, params: Params, train_loss: tf.Tensor, batch: Batch | None, key: tf.Tensor) -> tf.Tensor:
        return train_loss


class ValidLoss:
    """The loss of a batch of the split valid_outer, which the inner training never sees."""

    name, split, scale_split = "valid", "valid_outer", "valid_outer"

    def check(self, task: Task) -> None:
        """Every task has it (a task without data has one loss for all splits)."""

    def __call__(self, task: Task, params: Params, train_loss: tf.Tensor, batch: Batch | None, key: tf.Tensor) -> tf.Tensor:
        assert batch is not None  # of `split`
        return task.loss(params, batch, key)


@dataclass(frozen=True)
class NoisyLoss:
    """The loss of a batch of valid_outer with Gaussian noise added to all its real-valued inputs.

    stddev: of the noise, in units of the inputs (images are in [0, 1] and are not clipped afterwards).
    """

    stddev: float = 0.3
    name, split, scale_split = "noise", "valid_outer", "valid_outer"

    def check(self, task: Task) -> None:
        """Raise `ConfigError` unless the task has real-valued inputs."""
        if not any(dtype.startswith("float") for name, (_, dtype) in task.batch_shapes.items() if name != "mask"):
            raise ConfigError(f"task {task.name!r} has no real-valued inputs to add noise to: use --objective train or valid")

    def __call__(self, task: Task, params: Params, train_loss: tf.Tensor, batch: Batch | None, key: tf.Tensor) -> tf.Tensor:
        assert batch is not None  # of `split`
        return task.loss(params, self.disturb(batch, stateless.fold(key, 0)), stateless.fold(key, 1))

    def disturb(self, batch: Batch, key: tf.Tensor) -> Batch:
        """The batch with x + stddev * N(0, 1) for its real-valued entries; masks, tokens and labels stay."""
        noisy = {}
        for i, (name, x) in enumerate(sorted(batch.items())):
            real = x.dtype.is_floating and name != "mask"
            noisy[name] = x + self.stddev * stateless.normal(stateless.fold(key, i), x.shape, x.dtype) if real else x
        return noisy


def names() -> list[str]:
    """The names of all objectives: the package's own, and those registered with `learned.register_objective`."""
    return registry.objectives.names()


def get(name: str) -> Objective:
    """The objective called `name`, such as "train", "valid" or "noise".

    Raises `UnknownName`; `ConfigError` where a registered function returns something that lacks a part of an `Objective`.
    """
    made = registry.objectives.get(name)()
    missing = [part for part in ("name", "split", "scale_split", "check", "__call__") if not hasattr(made, part)]
    if missing:
        raise ConfigError(f"objective {name!r} is {shown(made)}, which has no {', '.join(missing)}: see learned.Objective")
    return made
