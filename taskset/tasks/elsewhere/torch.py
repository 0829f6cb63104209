"""A task as a PyTorch module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
import torch

from taskset.errors import ConfigError, shown
from taskset.execution.runtime import keep_triton_out
from taskset.random import seeds
from taskset.tasks.elsewhere.vector import RawTensors, ValueAndGradients, VectorTask, bases, cpu_dlpack

if TYPE_CHECKING:
    from taskset.tasks.base import Task

CHUNK = 32  # raw batches that are drawn at once


class TorchTask(torch.nn.Module):
    """The parameters of a task, {path: parameter}, and its loss, once differentiable. Made by `Task.as_torch`.

    Start, batches and random numbers are those of a baseline with the same seed. step: number of the next train batch. The
    parameters are parts of one vector that TensorFlow reads in place; where something else is put in their places, they are
    copied.
    """

    def __init__(self, task: Task, seed: int) -> None:
        super().__init__()
        keep_triton_out()
        self.task, self.seed, self.step = task, seeds.check(seed), 0
        self._looks: dict[str, int] = {}  # number of the last batch of each other split
        self._vectors = VectorTask(task)
        self._program: ValueAndGradients | None = None
        self._chunks: dict[str, tuple[int, RawTensors, list[tf.Tensor]]] = {}
        start = task.init(seed)
        # `empty` is aligned as TensorFlow needs it; memory from NumPy need not be.
        self._memory = torch.empty(sum(self._vectors.sizes)).copy_(torch.from_numpy(np.array(self._vectors.vector(start))))
        for path, part in zip(self._vectors.paths, self._parts(self._memory)):
            self.register_parameter(_plain(path), torch.nn.Parameter(part))

    def _parts(self, vector: torch.Tensor) -> list[torch.Tensor]:
        return [part.view(shape) for part, shape in zip(vector.split(self._vectors.sizes), self._vectors.shapes)]

    def loss(self, step: int | None = None, split: str = "train") -> torch.Tensor:
        """The loss of batch `step` of a split as a scalar tensor; its `backward` gives all parameters their gradients.

        step: None: the next one, 0, 1, ..; synthetic problems disturb their gradients as in TensorFlow.
        Raises: UnknownName for a split, ConfigError for a step; `backward` ConfigError with create_graph=True, as a loss has no
        second derivatives here.
        """
        if step is None:
            step = self._next(split)
        raw, numbers = self._raw(split, seeds.check_step(step, "step"))
        self._program = self._program or self._vectors.compiled(raw)
        parameters = list(self._parameters.values())
        return _Loss.apply(self._program, raw, numbers, self._vectors, self._vector(parameters), *parameters)

    forward = loss

    def _next(self, split: str) -> int:
        """The number of the next batch of a split; a look at one takes no batch of another."""
        if split == "train":
            self.step += 1
            return self.step - 1
        self._looks[split] = self._looks.get(split, -1) + 1
        return self._looks[split]

    def _vector(self, parameters: list[torch.Tensor]) -> torch.Tensor:
        """All parameters as one vector, without a copy while they are where they were put."""
        place, size = self._memory.data_ptr(), self._memory.element_size()
        for parameter, count in zip(parameters, self._vectors.sizes):
            if parameter.data_ptr() != place:
                return torch.cat([parameter.detach().reshape(-1) for parameter in parameters])
            place += count * size
        return self._memory

    def _raw(self, split: str, step: int) -> tuple[RawTensors, tf.Tensor]:
        """(raw batches, [base of the batches' seeds, base of the losses' seeds, place of the batch, number of the batch])."""
        number, place = divmod(step, CHUNK)
        if split not in self._chunks or self._chunks[split][0] != number:
            drawn = self.task.raw_batches(split, self.seed, number * CHUNK, CHUNK)
            rows = [[*bases(self.seed, split), i, number * CHUNK + i] for i in range(CHUNK)]
            arrays = {name: tf.constant(array) for name, array in drawn.items()}
            self._chunks[split] = number, arrays, tf.unstack(tf.constant(rows, tf.int32))
        _, raw, numbers = self._chunks[split]
        return raw, numbers[place]


def _plain(path: str) -> str:
    """A parameter's name in PyTorch, which has no dots in names."""
    return path.replace(".", "_")


class _Loss(torch.autograd.Function):
    """TensorFlow's loss; its gradients are computed with it and kept for `backward`."""

    @staticmethod
    def forward(ctx, program, raw, numbers, vectors, vector, *parameters):
        loss, gradients = program(tf.experimental.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(vector)), raw, numbers)
        ctx.gradients = torch.utils.dlpack.from_dlpack(cpu_dlpack(gradients))
        ctx.vectors = vectors
        return torch.utils.dlpack.from_dlpack(cpu_dlpack(loss))

    @staticmethod
    def backward(ctx, gradient):
        # Only with create_graph=True: these gradients are constants to PyTorch, whose derivatives would silently be 0.
        if torch.is_grad_enabled():
            raise ConfigError(
                f"create_graph=True for the loss of {shown(ctx.vectors.task.name)}: allowed is False, as a task of `as_torch` is "
                "differentiable once; take second derivatives in TensorFlow, of the task's own `loss`"
            )
        parts = (ctx.gradients * gradient).split(ctx.vectors.sizes)
        return (None, None, None, None, None, *(part.view(shape) for part, shape in zip(parts, ctx.vectors.shapes)))
