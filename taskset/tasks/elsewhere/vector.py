"""A task as a function of one vector of parameters: one tensor goes to the other framework and one comes back.

A tensor that changes hands costs microseconds, whatever its size: as many as a layer has parameters would cost more than a step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import tensorflow as tf

from taskset.optimizers.base import Params
from taskset.random import seeds

if TYPE_CHECKING:
    from taskset.tasks.base import Task

RawTensors: TypeAlias = Mapping[str, tf.Tensor]  # raw batches {name: [chunk, batch size, ..]}
ValueAndGradients: TypeAlias = Callable[[tf.Tensor, RawTensors, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class VectorTask:
    """Loss and gradients of a task as a function of its parameters in one vector.

    paths, shapes, sizes: of the parameters, in the vector's order.
    """

    def __init__(self, task: Task) -> None:
        self.task, self.paths = task, list(task.parameter_shapes)
        self.shapes = [tuple(task.parameter_shapes[path]) for path in self.paths]
        self.sizes = [int(np.prod(shape)) for shape in self.shapes]

    def vector(self, params: Params) -> tf.Tensor:
        """{path: tensor} as one vector."""
        return tf.concat([tf.reshape(params[path], [-1]) for path in self.paths], 0)

    def params(self, vector: tf.Tensor) -> Params:
        """The vector's parts as {path: tensor}."""
        parts = tf.split(vector, self.sizes)
        return {path: tf.reshape(part, shape) for path, part, shape in zip(self.paths, parts, self.shapes)}

    def value_and_gradients(self, vector: tf.Tensor, raw: RawTensors, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(loss, vector of gradients) of one batch.

        raw: {name: array [chunk, batch size, ..]} of raw batches; numbers: int32 [4], the bases of the batch's and the loss's
        seed (`bases`), the batch's place in `raw`, and its number, which is that of the step.
        """
        batch_base, loss_base, place, step = tf.unstack(numbers)
        # Not array[place]: XLA would compile the program for each value of a number that a slice begins with.
        batch = self.task.prepare({name: tf.gather(array, place) for name, array in raw.items()}, batch_base, step)
        loss, gradients = self.task.value_and_gradients(self.params(vector), batch, tf.stack([loss_base, step]))
        return loss, self.vector(gradients)

    def compiled(self, raw: RawTensors) -> ValueAndGradients:
        """`value_and_gradients` as one operation, for raw batches {name: tensor} of these shapes; called with the same arguments.

        A call of a `tf.function` takes Python several times as long (as `taskset.execution.program` says, which stands above).
        """
        names, convolutional = sorted(raw), self.task.model.convolutional  # XLA's convolutions are slow on a CPU

        def run(vector: tf.Tensor, numbers: tf.Tensor, *arrays: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return self.value_and_gradients(vector, dict(zip(names, arrays)), numbers)

        inner = tf.function(run, autograph=False, jit_compile=not convolutional)
        arrays = [tf.TensorSpec(raw[name].shape, raw[name].dtype) for name in names]
        specs = [tf.TensorSpec([sum(self.sizes)], tf.float32), tf.TensorSpec([4], tf.int32), *arrays]

        # Run as an operation, a function is compiled by XLA only where another one calls it.
        def whole(*given: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return inner(*given)

        outer = tf.function(whole, autograph=False).get_concrete_function(*specs)
        captured, dtypes = list(outer.captured_inputs), [x.dtype for x in outer.outputs]

        def call(vector: tf.Tensor, raw: RawTensors, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            given = [vector, numbers, *(raw[name] for name in names), *captured]
            return tf.raw_ops.StatefulPartitionedCall(args=given, Tout=dtypes, f=outer)

        return call


def cpu_dlpack(tensor: tf.Tensor) -> Any:
    """The DLPack capsule of a tensor's memory, of a copy of it where that is not the CPU's: PyTorch's parameters are there."""
    return tf.experimental.dlpack.to_dlpack(tensor if "CPU" in tensor.device else tensor.cpu())


def bases(seed: int, split: str) -> list[int]:
    """[base of the batches' seeds, base of the losses' seeds] of a run: those of baselines."""
    return [seeds.batch_seed(seed, split), seeds.loss_seed(seed, split)]
