"""Fully connected layers on wide inputs: Sonnet's modules with a weight gradient that is fast on a CPU."""

from collections.abc import Callable, Sequence
from typing import Any

import sonnet as snt
import tensorflow as tf

from taskset.tasks.activations import Activation
from taskset.tasks.initializers import Initializer

_CONFLICT = 256  # floats: 1 KiB
_WIDE = 1024
_SHIFT = 16  # floats: a cache line


def _conflicts(width: int) -> bool:
    """Whether one column of many rows of `width` floats falls on few sets of a first-level cache."""
    return width >= _WIDE and width % _CONFLICT == 0


@tf.custom_gradient
def product(x: tf.Tensor, w: tf.Tensor) -> tuple[tf.Tensor, Callable[..., Any]]:
    """x w, [B, n] [n, m] -> [B, m]; where n is wide and a multiple of 256, x is made wider for the gradient x^T dy of w.

    XLA's product of a transposed matrix reads it column by column. Rows of 3072 floats, say, put all of a column on the same set
    of the cache, which holds 8 or 12 of the B lines: the product takes two to three times as long (docs/benchmarks.md). In rows
    one cache line longer a column falls on all sets. The values are those of the plain gradient.
    """

    def gradient(dy):
        dx, width = tf.matmul(dy, w, transpose_b=True), x.shape[1]
        if not _conflicts(width):
            return dx, tf.matmul(x, dy, transpose_a=True)
        # Filled with columns of x, not zeros: XLA copies pieces faster than it pads.
        longer = tf.concat([x, x[:, :_SHIFT]], axis=1)
        return dx, tf.matmul(longer, dy, transpose_a=True)[:width]

    return tf.matmul(x, w), gradient


class Linear(snt.Linear):
    """`snt.Linear` with a bias, by `product`."""

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        """[B, n] -> [B, output size]."""
        self._initialize(inputs)
        return product(inputs, self.w) + self.b


class MLP(snt.Module):
    """`snt.nets.MLP` of `Linear` layers, called linear_0, linear_1, .., an activation between them."""

    def __init__(self, output_sizes: Sequence[int], w_init: Initializer, activation: Activation, name: str = "mlp"):
        super().__init__(name)
        self._activation = activation
        self._layers = [Linear(size, w_init=w_init, name=f"linear_{i}") for i, size in enumerate(output_sizes)]

    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        """[B, n] -> [B, last output size]."""
        *hidden, last = self._layers
        for layer in hidden:
            inputs = self._activation(layer(inputs))
        return last(inputs)
