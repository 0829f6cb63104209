"""A task as a PyTorch module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
import torch

from taskset.random import seeds
from taskset.tasks.elsewhere.vector import RawTensors, ValueAndGradients, VectorTask, bases

if TYPE_CHECKING:
    from taskset.tasks.base import Task

CHUNK = 32  # raw batches that are drawn at once


class TorchTask(torch.nn.Module):
    """The parameters of a task, {path: parameter}, and its loss. Made by `Task.as_torch`.

    Start, batches and random numbers are those of a baseline with the same seed. step: number of the next batch.
    """

    def __init__(self, task: Task, seed: int) -> None:
        super().__init__()
        self.task, self.seed, self.step = task, seeds.check(seed), 0
        self._vectors = VectorTask(task)
        self._program: ValueAndGradients | None = None
        self._chunks: dict[str, tuple[int, RawTensors]] = {}
        self._bases: dict[str, list[int]] = {}
        start = task.init(seed)
        for path in self._vectors.paths:
            self.register_parameter(_plain(path), torch.nn.Parameter(torch.from_numpy(np.array(start[path]))))

    def loss(self, step: int | None = None, split: str = "train") -> torch.Tensor:
        """The loss of batch `step` of a split as a scalar tensor; its `backward` gives all parameters their gradients.

        step: None: the next one, 0, 1, ..; synthetic problems disturb their gradients as in TensorFlow.
        Raises: UnknownName for a split, ConfigError for a step.
        """
        if step is None:
            step, self.step = self.step, self.step + 1
        raw, place = self._raw(split, seeds.check_step(step))
        self._program = self._program or self._vectors.compiled(raw)
        numbers = tf.constant([*self._bases[split], place, step], tf.int32)
        return _Loss.apply(self._program, raw, numbers, self._vectors, *self.parameters())

    forward = loss

    def _raw(self, split: str, step: int) -> tuple[RawTensors, int]:
        number, place = divmod(step, CHUNK)
        if split not in self._chunks or self._chunks[split][0] != number:
            drawn = self.task.raw_batches(split, self.seed, number * CHUNK, CHUNK)
            self._chunks[split] = number, {name: tf.constant(array) for name, array in drawn.items()}
            self._bases[split] = bases(self.seed, split)
        return self._chunks[split][1], place


def _plain(path: str) -> str:
    """A parameter's name in PyTorch, which has no dots in names."""
    return path.replace(".", "_")


class _Loss(torch.autograd.Function):
    """TensorFlow's loss; its gradients are computed with it and kept for `backward`."""

    @staticmethod
    def forward(ctx, program, raw, numbers, vectors, *parameters):
        vector = torch.cat([parameter.detach().reshape(-1) for parameter in parameters])  # new memory, aligned for TensorFlow
        loss, gradients = program(tf.experimental.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(vector)), raw, numbers)
        ctx.gradients = torch.utils.dlpack.from_dlpack(tf.experimental.dlpack.to_dlpack(gradients))
        ctx.sizes, ctx.shapes = vectors.sizes, vectors.shapes
        return torch.tensor(float(loss))

    @staticmethod
    def backward(ctx, gradient):
        parts = (ctx.gradients * gradient).split(ctx.sizes)
        return (None, None, None, None, *(part.view(shape) for part, shape in zip(parts, ctx.shapes)))
