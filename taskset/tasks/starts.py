"""Plain parameters with a start of their own, for problems that are formulas and no networks.

`parameter` makes a `Start` a variable that `taskset.tasks.functional` collects.
"""

from collections.abc import Callable
from dataclasses import dataclass

import tensorflow as tf

from taskset.random import stateless
from taskset.tasks import distributions
from taskset.tasks.deferred import Deferred


@dataclass(frozen=True)
class Start:
    """draw: `(key, shape, dtype) -> tensor`; distribution: what it draws from."""

    draw: Callable
    distribution: distributions.Distribution


def parameter(path, shape, start):
    """The parameter `path`, to be called inside a loss; its first value is drawn by `start`."""
    return tf.convert_to_tensor(tf.Variable(Deferred(start.draw, start.distribution, shape, tf.float32), name=path))


def normal(mean=0.0, std=1.0):
    """N(mean, std^2)."""
    draw = lambda key, shape, dtype: stateless.normal(key, shape, dtype, mean, std)  # noqa: E731
    return Start(draw, distributions.normal(mean, std))


def uniform(low, high):
    """U[low, high); `low` and `high` are numbers or one number an entry."""

    def draw(key, shape, dtype):
        minval, maxval = tf.constant(low, dtype), tf.constant(high, dtype)
        return minval + (maxval - minval) * stateless.uniform(key, shape, dtype)

    return Start(draw, distributions.uniform(low, high))


def scaled(start, factor):
    """`factor` times another start."""
    draw = lambda key, shape, dtype: factor * start.draw(key, shape, dtype)  # noqa: E731
    return Start(draw, start.distribution.scaled(factor))
