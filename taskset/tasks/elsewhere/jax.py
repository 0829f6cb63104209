"""A task as a function of JAX: `jax.grad`, `jax.value_and_grad` and `jax.jit` work on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

import jax
import numpy as np
import tensorflow as tf
from jax.experimental import jax2tf

from taskset.datasets.base import Batch
from taskset.optimizers.base import Gradients, Params
from taskset.random import seeds
from taskset.random.stateless import Key
from taskset.tasks.elsewhere.vector import bases

if TYPE_CHECKING:
    from taskset.tasks.base import Task

Arrays: TypeAlias = dict[str, jax.Array]  # {path or name: array}
Drawn: TypeAlias = tuple[dict[str, np.ndarray], np.ndarray]  # (batch {name: array}, key int32 [2])

CHUNK = 32  # raw batches that are drawn at once


class JaxTask:
    """`loss(params, batch, key) -> scalar`, a pure function, once differentiable. Made by `Task.as_jax`.

    params: {path: array}, as `init` gives them; batch, key: as `batches` gives them. TensorFlow's program becomes part of JAX's.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self._prepare = tf.function(task.prepare, autograph=False)  # traced once: eagerly, an augmentation is hundreds of calls
        both = jax2tf.call_tf(tf.function(self._both, autograph=False, jit_compile=True))

        @jax.custom_vjp
        def loss(params: Arrays, batch: Arrays, key: jax.Array) -> jax.Array:
            return both(params, batch, key)[0]

        def forward(params: Arrays, batch: Arrays, key: jax.Array) -> tuple[jax.Array, Arrays]:
            return both(params, batch, key)

        def backward(gradients: Arrays, scale: jax.Array) -> tuple[Arrays, None, None]:
            return {path: g * scale for path, g in gradients.items()}, None, None

        loss.defvjp(forward, backward)
        self._loss = loss

    def _both(self, params: Params, batch: Batch, key: Key) -> tuple[tf.Tensor, Gradients]:
        return self.task.value_and_gradients(params, batch, key)

    def __call__(self, params: Arrays, batch: Arrays | dict[str, np.ndarray], key: jax.Array | np.ndarray) -> jax.Array:
        """The loss; see the class."""
        return self._loss(params, batch, key)

    def init(self, seed: int) -> Arrays:
        """Initial parameters {path: array}: those of a baseline with the same seed."""
        return {path: jax.numpy.array(np.asarray(w)) for path, w in self.task.init(seed).items()}

    def batches(self, split: str, seed: int, start: int = 0) -> Iterator[Drawn]:
        """An endless iterator of (batch {name: array}, key int32 [2]): those of a baseline with the same seed."""
        batch_base, loss_base = bases(seeds.check(seed), split)
        number = seeds.check_step(start)
        while True:
            raw = self.task.raw_batches(split, seed, number, CHUNK)
            for i in range(CHUNK):
                one = {name: tf.constant(np.ascontiguousarray(array[i])) for name, array in raw.items()}
                batch = self._prepare(one, tf.constant(batch_base), tf.constant(number))
                yield {name: tensor.numpy() for name, tensor in batch.items()}, np.array([loss_base, number], np.int32)
                number += 1
