"""Normalization with a learned scale and offset, without state: statistics are those of the batch or of each example.

The release's batch normalization, which has no scale, is `taskset.tasks.batch_norm`.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from taskset.tasks import starts

EPSILON = 1e-5


def _vector(name: str, x: tf.Tensor, value: float) -> tf.Tensor:
    """The parameter `name`: one number per channel, all starting at `value`."""
    return starts.parameter(name, x.shape[-1:], starts.constant(value))


def _standardized(x: tf.Tensor, axes: Sequence[int], scale: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    """(x - mean) / sqrt(variance + 1e-5) * scale + offset, mean and variance over `axes`."""
    mean, variance = tf.nn.moments(x, axes, keepdims=True)
    factor = tf.math.rsqrt(variance + EPSILON) * scale
    return x * factor + (offset - mean * factor)


def batch_norm(x: tf.Tensor, name: str) -> tf.Tensor:
    """x [.., C] with the mean and variance of each channel over all other axes (Ioffe and Szegedy 2015, arXiv 1502.03167)."""
    scale, offset = _vector(f"{name}/scale", x, 1.0), _vector(f"{name}/offset", x, 0.0)
    return _standardized(x, range(x.shape.rank - 1), scale, offset)


def group_norm(x: tf.Tensor, groups: int, name: str) -> tf.Tensor:
    """Images x [B, H, W, C] with the mean and variance of each example's `groups` groups of channels (arXiv 1803.08494)."""
    scale, offset = _vector(f"{name}/scale", x, 1.0), _vector(f"{name}/offset", x, 0.0)
    height, width, channels = x.shape[1:]
    grouped = tf.reshape(x, [-1, height, width, groups, channels // groups])
    scale, offset = (tf.reshape(vector, [groups, channels // groups]) for vector in (scale, offset))
    return tf.reshape(_standardized(grouped, [1, 2, 4], scale, offset), [-1, height, width, channels])


def layer_norm(x: tf.Tensor, name: str) -> tf.Tensor:
    """x [N, C] with the mean and variance of each row (Ba et al. 2016, arXiv 1607.06450)."""
    scale, offset = _vector(f"{name}/scale", x, 1.0), _vector(f"{name}/offset", x, 0.0)
    return _standardized(x, [1], scale, offset)


def rms_norm(x: tf.Tensor, name: str) -> tf.Tensor:
    """x / sqrt(mean of x^2 + 1e-5) * scale, of each row of x [N, C] (Zhang and Sennrich 2019, arXiv 1910.07467)."""
    scale = _vector(f"{name}/scale", x, 1.0)
    return x * tf.math.rsqrt(tf.reduce_mean(tf.square(x), 1, keepdims=True) + EPSILON) * scale


def of_images(x: tf.Tensor, config: Sequence[Any], name: str) -> tf.Tensor:
    """x [B, H, W, C] by a config's `[name, groups]`; layer_norm is the group norm of one group."""
    kind, groups = config
    if kind == "none":
        return x
    if kind == "batch_norm":
        return batch_norm(x, name)
    return group_norm(x, 1 if kind == "layer_norm" else groups, name)
