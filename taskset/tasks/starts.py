"""Plain parameters with a start of their own, for problems that are formulas and no networks.

A start is `draw(key, shape, dtype) -> tensor`; `parameter` makes it a variable that `taskset.tasks.functional` collects.
"""

import tensorflow as tf

from taskset import stateless
from taskset.tasks.functional import Deferred


def parameter(path, shape, start):
    """The parameter `path`, to be called inside a loss; its first value is drawn by `start`."""
    return tf.convert_to_tensor(tf.Variable(Deferred(start, shape, tf.float32), name=path))


def normal(mean=0.0, std=1.0):
    """N(mean, std^2)."""
    return lambda key, shape, dtype: stateless.normal(key, shape, dtype, mean, std)


def uniform(low, high):
    """U[low, high); `low` and `high` are numbers or one number an entry."""

    def draw(key, shape, dtype):
        minval, maxval = tf.constant(low, dtype), tf.constant(high, dtype)
        return minval + (maxval - minval) * stateless.uniform(key, shape, dtype)

    return draw


def scaled(start, factor):
    """`factor` times another start."""
    return lambda key, shape, dtype: factor * start(key, shape, dtype)
