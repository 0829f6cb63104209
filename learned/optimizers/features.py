"""Parts of what learned optimizers read: averages of gradients, normalised features, time. Each rule puts its own together, in
its own file.

The axis of features comes first, then those of the tensor, [features, *shape]: the numbers of a feature lie side by side in
memory. Scalars count as tensors of shape [1].
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from learned.types import Params

TIMES = (1, 3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 3e4, 1e5)  # steps


def tensor_order(tensors: Collection[str]) -> list[str]:
    """The paths of a dict of tensors in the order that all optimizers work in, whatever the order of the dict."""
    return sorted(tensors)


def with_axes(tensors: Params) -> Params:
    """{path: tensor} with scalars as shape [1]."""
    return {path: x if x.shape.rank else tf.reshape(x, [1]) for path, x in tensors.items()}


def zeros(params: Params, features: int) -> Params:
    """{path: zeros [features, *shape]}, averages before the first gradient."""
    return {path: tf.zeros([features, *w.shape], w.dtype) for path, w in with_axes(params).items()}


def beside(values: Any, x: tf.Tensor) -> tf.Tensor:
    """`values` [features] (a tensor, or numbers) shaped and typed to be multiplied with features x [features, *shape]."""
    if not tf.is_tensor(values):
        values = tf.constant(np.asarray(values, np.float64), x.dtype)
    return tf.reshape(values, [-1] + [1] * (x.shape.rank - 1))


def average(old: tf.Tensor, new: tf.Tensor, fractions: Any) -> tf.Tensor:
    """Moving averages m <- m + (1 - d) (x - m), not bias-corrected.

    old: [averages, *shape]; new: x, [*shape] or [averages, *shape]; fractions: 1 - d, [averages].
    """
    return old + beside(fractions, old) * (new - old)


def gradient_averages(g: tf.Tensor, m: tf.Tensor, rms: tf.Tensor, decays: Sequence[float]) -> tuple[tf.Tensor, tf.Tensor]:
    """(m, rms) after the gradient g [*shape]: averages of g and of g^2, [decays, *shape] each."""
    fractions = 1 - np.asarray(decays)
    return average(m, g, fractions), average(rms, tf.square(g), fractions)


def mean(x: tf.Tensor) -> tf.Tensor:
    """The mean of each feature over all axes of the tensor: [features, *shape] -> [features, 1, ..]."""
    return tf.reduce_mean(x, axis=list(range(1, x.shape.rank)), keepdims=True)


def normalised(x: tf.Tensor) -> tf.Tensor:
    """x rsqrt(1e-5 + mean(x^2)), the mean being over all axes of the tensor, for each feature of x [features, *shape]."""
    return x * scale(x)


def scale(x: tf.Tensor) -> tf.Tensor:
    """The factor of `normalised`, [features, 1, ..]."""
    flat = tf.reshape(tf.square(x), [x.shape[0], -1])
    # A product with ones: on a CPU, XLA sums a row one number after the other, in a product many at once.
    total = tf.matmul(flat, tf.ones([flat.shape[1], 1], x.dtype))
    return tf.math.rsqrt(1e-5 + tf.reshape(total, [-1] + [1] * (x.shape.rank - 1)) / flat.shape[1])


def log_abs(x: tf.Tensor) -> tf.Tensor:
    """log(1e-8 + abs x)."""
    return tf.math.log(1e-8 + tf.abs(x))


def root(x: tf.Tensor) -> tf.Tensor:
    """sqrt(x) of x >= 0, with derivative 0 at 0 instead of none: biases start at 0, and so does their norm."""
    return tf.sqrt(tf.maximum(x, 1e-30))


def tanh_time(step: tf.Tensor, dtype: tf.DType, times: Sequence[float] = TIMES) -> tf.Tensor:
    """tanh(t / tau - 1) for each tau of `times`, t being the steps taken: [times]."""
    return tf.tanh(_ratios(step, dtype, times) - 1)


def sine_time(step: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """sin(t / (pi tau)) for each tau of TIMES, t being the steps taken: [times]."""
    return tf.sin(_ratios(step, dtype, TIMES) / np.pi)


def _ratios(step, dtype, times):
    return tf.cast(step, dtype) / tf.constant(times, dtype)


def rows(features: Params) -> tf.Tensor:
    """{path: [features, *shape]} of all tensors in one matrix [features, parameters of the task]."""
    return tf.concat([tf.reshape(features[path], [features[path].shape[0], -1]) for path in tensor_order(features)], 1)


def unrows(matrix: tf.Tensor, params: Params) -> Params:
    """The opposite of `rows` for a matrix [features, parameters]: {path: [features, *shape of the parameter]}."""
    order = tensor_order(params)
    parts = tf.split(matrix, [params[path].shape.num_elements() for path in order], axis=1)
    return {path: tf.reshape(part, [part.shape[0], *params[path].shape]) for path, part in zip(order, parts)}
