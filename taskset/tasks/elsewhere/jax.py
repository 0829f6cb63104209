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

CHUNK_BYTES = 16 * 2**20  # of batches that are drawn and prepared in one call
CHUNK = 32  # batches, at most


class JaxTask:
    """`loss(params, batch, key) -> scalar`, a pure function, once differentiable. Made by `Task.as_jax`.

    params: {path: array}, as `init` gives them; batch, key: as `batches` gives them. TensorFlow's program becomes part of JAX's.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self._prepare = tf.function(self._prepared, autograph=False)  # a call for each batch would cost more than a small step
        # Without "side effects" JAX calls what it compiles by its fast path.
        both = jax2tf.call_tf(tf.function(self._both, autograph=False, jit_compile=True), has_side_effects=False)

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
        count = 1  # of the first call, which shows how large a batch is
        while True:
            raw = {name: tf.constant(array) for name, array in self.task.raw_batches(split, seed, number, count).items()}
            chunk = self._prepare(raw, tf.constant(batch_base), tf.range(number, number + count))
            arrays = {name: tensor.numpy() for name, tensor in chunk.items()}
            for i in range(count):
                yield {name: array[i] for name, array in arrays.items()}, np.array([loss_base, number + i], np.int32)
            number += count
            size = sum(array.nbytes for array in arrays.values()) // count
            count = min(CHUNK, max(1, CHUNK_BYTES // max(size, 1)))

    def _prepared(self, raw: Batch, batch_base: tf.Tensor, numbers: tf.Tensor) -> Batch:
        """The batches of several raw ones, {name: tensor [batches, batch size, ..]}, each as `Task.prepare` makes it."""
        if not raw:
            return {}

        def prepare(one: tuple[Batch, tf.Tensor]) -> Batch:
            return self.task.prepare(one[0], batch_base, one[1])

        first = prepare(({name: array[0] for name, array in raw.items()}, numbers[0]))  # just for its dtypes
        return tf.map_fn(prepare, (raw, numbers), fn_output_signature={name: tensor.dtype for name, tensor in first.items()})
