"""Initializers without global state: `init(shape, dtype)` returns a `Deferred`, drawn later from (seed, parameter path).

Names are TensorFlow's. A config's initializer is `[name, arg]`; see `from_config`.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import tensorflow as tf

from taskset.random import stateless
from taskset.tasks import distributions, starts
from taskset.tasks.deferred import Deferred
from taskset.tasks.starts import Start


class Initializer(Protocol):
    """What Sonnet modules take for `w_init`, here without global state."""

    def __call__(self, shape: Sequence[int], dtype: tf.DType = tf.float32) -> Deferred:
        """The start of a parameter, drawn later."""


def _initializer(start: Callable[[Sequence[int]], Start]) -> Initializer:
    """start(shape), as an initializer for Sonnet modules."""

    def initializer(shape: Sequence[int], dtype: tf.DType = tf.float32) -> Deferred:
        found = start(shape)
        return Deferred(found.draw, found.distribution, shape, dtype)

    return initializer


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """(fan-in, fan-out) of a kernel [.., in, out]: the leading axes are the receptive field."""
    if len(shape) == 1:
        return shape[0], shape[0]
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


def random_normal(stddev: float) -> Initializer:
    """N(0, stddev^2)."""
    return _initializer(lambda shape: starts.normal(0.0, stddev))


def random_uniform(limit: float) -> Initializer:
    """U[-limit, limit)."""
    return _scaled_uniform(lambda shape: limit)


# The released code drew `truncated_normal` from the plain normal distribution; the published tasks are those.
published_truncated_normal = random_normal


def _scaled_uniform(limit: Callable[[Sequence[int]], float]) -> Initializer:
    """U[-limit(shape), limit(shape))."""
    return _initializer(lambda shape: starts.uniform(-limit(shape), limit(shape)))


def _scaled_truncated_normal(stddev: Callable[[Sequence[int]], float]) -> Initializer:
    """N(0, stddev(shape)^2) cut off at two standard deviations."""
    return _initializer(lambda shape: starts.truncated_normal(stddev(shape)))


def truncated_normal(stddev: float) -> Initializer:
    """Normal with standard deviation `stddev` before it is cut off at two of them."""
    return _scaled_truncated_normal(lambda shape: stddev)


def lecun_normal() -> Initializer:
    """Sonnet's default for weights: truncated normal, stddev 1 / sqrt(fan-in) before the cut."""
    return _scaled_truncated_normal(lambda shape: 1 / math.sqrt(fans(shape)[0]))


def variance_scaling(scale: float, mode: str, distribution: str) -> Initializer:
    """Variance scale / n, n the fan-in or the mean of both fans (`mode` "fan_in" or "fan_avg").

    distribution: "truncated_normal" or "uniform". Glorot and Bengio 2010; He et al. 2015 (arXiv 1502.01852).
    """

    def variance(shape: Sequence[int]) -> float:
        fan_in, fan_out = fans(shape)
        return scale / {"fan_in": fan_in, "fan_avg": (fan_in + fan_out) / 2}[mode]

    if distribution == "uniform":
        return _scaled_uniform(lambda shape: math.sqrt(3 * variance(shape)))
    # Dividing by what the cut leaves of a standard deviation restores the wanted one.
    return _scaled_truncated_normal(lambda shape: math.sqrt(variance(shape)) / distributions.TRUNCATION)


def glorot_uniform() -> Initializer:
    """U(-l, l), l = sqrt(6 / (fan-in + fan-out)): the default of TensorFlow 1 for any variable."""
    return variance_scaling(1.0, "fan_avg", "uniform")


def contrib_variance_scaling(factor: float) -> Initializer:
    """TensorFlow 1's contrib version: truncated normal, variance 1.3 factor / fan-in before the cut, which leaves 1.006 of it."""
    return _scaled_truncated_normal(lambda shape: math.sqrt(1.3 * factor / fans(shape)[0]))


def orthogonal(gain: float = 1.0) -> Initializer:
    """A matrix with orthonormal rows or columns (kernels flattened to [.., out]) times gain (Saxe et al. 2013, arXiv
    1312.6120)."""

    def draw(key, shape, dtype):
        rows, columns = math.prod(shape[:-1]), shape[-1]
        normal = stateless.normal(key, [max(rows, columns), min(rows, columns)], tf.float64)
        q, r = tf.linalg.qr(normal)
        q *= tf.sign(tf.linalg.diag_part(r))  # makes the draw uniform over orthogonal matrices
        return tf.cast(gain * tf.reshape(q if rows >= columns else tf.transpose(q), shape), dtype)

    law = lambda shape: distributions.orthogonal(gain, max(math.prod(shape[:-1]), shape[-1]))  # noqa: E731
    return _initializer(lambda shape: Start(draw, law(shape)))


def identity() -> Initializer:
    """The identity matrix, square shapes only."""
    draw = lambda key, shape, dtype: tf.eye(shape[0], shape[1], dtype=dtype)  # noqa: E731
    return _initializer(lambda shape: Start(draw, distributions.identity()))


def constant(value: float) -> Initializer:
    """`value` everywhere."""
    return _initializer(lambda shape: starts.constant(value))


def scaled(initializer: Initializer, factor: float) -> Initializer:
    """`factor` > 0 times what `initializer` draws."""

    def scaled_start(shape: Sequence[int], dtype: tf.DType = tf.float32) -> Deferred:
        start = initializer(shape, dtype)
        draw = lambda key, shape, dtype: factor * start.draw(key, shape, dtype)  # noqa: E731
        law = start.distribution.scaled(factor)
        return Deferred(draw, replace(law, note=f"{law.note} times {factor:.3g}" if law.note else ""), shape, dtype)

    return scaled_start


def masked(initializer: Initializer, mask: Callable[[tf.DType], tf.Tensor]) -> Initializer:
    """What `initializer` draws times `mask(dtype)`, a tensor of zeros and ones of the parameter's shape."""

    def masked_start(shape: Sequence[int], dtype: tf.DType = tf.float32) -> Deferred:
        start = initializer(shape, dtype)
        draw = lambda key, shape, dtype: start.draw(key, shape, dtype) * mask(dtype)  # noqa: E731
        return Deferred(draw, replace(start.distribution, note=distributions.MASKED), shape, dtype)

    return masked_start


_BY_NAME: dict[str, Callable[[Any], Initializer]] = {
    "lecun_normal": lambda arg: lecun_normal(),  # in fixed tasks only, like the next
    "contrib_variance_scaling": contrib_variance_scaling,
    "he_normal": lambda arg: variance_scaling(2.0, "fan_in", "truncated_normal"),
    "he_uniform": lambda arg: variance_scaling(2.0, "fan_in", "uniform"),
    "glorot_normal": lambda arg: variance_scaling(1.0, "fan_avg", "truncated_normal"),
    "glorot_uniform": lambda arg: glorot_uniform(),
    "identity": lambda arg: identity(),
    "orthogonal": orthogonal,
    "random_uniform": random_uniform,
    "random_normal": random_normal,
    "truncated_normal": published_truncated_normal,
    "variance_scaling": lambda arg: variance_scaling(arg, "fan_in", "truncated_normal"),
}


def from_config(config: Sequence[Any]) -> Initializer:
    """The initializer of a config's `[name, arg]`."""
    name, arg = config
    return _BY_NAME[name](arg)
