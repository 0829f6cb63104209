"""The starts of parameters: how one is drawn, and from which law.

`parameter` turns a `Start` into a variable that `taskset.tasks.functional` collects, for problems that are formulas rather than
networks; `taskset.tasks.initializers` makes of starts what Sonnet's modules take.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import tensorflow as tf
from numpy.typing import ArrayLike

from taskset.random import stateless
from taskset.tasks import distributions
from taskset.tasks.deferred import Deferred, Draw


@dataclass(frozen=True)
class Start:
    """draw: `(key, shape, dtype) -> tensor`; distribution: the law of its entries."""

    draw: Draw
    distribution: distributions.Distribution


def parameter(path: str, shape: Sequence[int], start: Start) -> tf.Tensor:
    """The parameter `path`, to be called inside a loss; its first value is drawn by `start`."""
    return tf.convert_to_tensor(tf.Variable(Deferred(start.draw, start.distribution, shape, tf.float32), name=path))


def normal(mean: float = 0.0, std: float = 1.0) -> Start:
    """N(mean, std^2)."""
    draw = lambda key, shape, dtype: stateless.normal(key, shape, dtype, mean, std)  # noqa: E731
    return Start(draw, distributions.normal(mean, std))


def constant(value: float) -> Start:
    """`value` everywhere."""
    draw = lambda key, shape, dtype: tf.fill(shape, tf.constant(value, dtype))  # noqa: E731
    return Start(draw, distributions.constant(value))


def uniform(low: ArrayLike, high: ArrayLike) -> Start:
    """U[low, high); `low` and `high` are numbers, or one number per entry."""

    def draw(key, shape, dtype):
        minval, maxval = tf.constant(low, dtype), tf.constant(high, dtype)
        return minval + (maxval - minval) * stateless.uniform(key, shape, dtype)

    return Start(draw, distributions.uniform(low, high))


def truncated_normal(stddev: float) -> Start:
    """N(0, stddev^2) cut off at two standard deviations, by inversion."""

    def draw(key, shape, dtype):
        low, high = 0.5 * (1 + math.erf(-2 / math.sqrt(2))), 0.5 * (1 + math.erf(2 / math.sqrt(2)))
        u = stateless.uniform(key, shape, tf.float64, low, high)
        return tf.cast(stddev * math.sqrt(2) * tf.math.erfinv(2 * u - 1), dtype)

    return Start(draw, distributions.truncated_normal(stddev))


def scaled(start: Start, factor: float) -> Start:
    """`factor` times another start."""
    draw = lambda key, shape, dtype: factor * start.draw(key, shape, dtype)  # noqa: E731
    return Start(draw, start.distribution.scaled(factor))
