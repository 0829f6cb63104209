"""Sonnet's own initializers as stateless ones, so that plain modules (`snt.nets.MLP([32, 1])`) make a reproducible task.

Sonnet's initializers draw from TensorFlow's global state. Within `seeded` they return a `Deferred` of the same distribution
instead, which is drawn from the task's seed and the parameter's path; a `seed` passed to the initializer is ignored. Outside of
`seeded` they are unchanged.
"""

import contextlib
import contextvars
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import sonnet as snt
import tensorflow as tf

from taskset.errors import ConfigError, shown
from taskset.tasks import initializers
from taskset.tasks.deferred import Deferred
from taskset.tasks.distributions import TRUNCATION

_WITHIN = contextvars.ContextVar("within_seeded", default=False)


@contextlib.contextmanager
def seeded() -> Iterator[None]:
    """Around the construction of modules whose variables become parameters."""
    token = _WITHIN.set(True)
    try:
        yield
    finally:
        _WITHIN.reset(token)


def _number(value: Any) -> float:
    """A Python float of anything that Sonnet takes as a number: a float, an array, a tensor with a static value."""
    static = tf.get_static_value(value) if tf.is_tensor(value) else value
    if static is None:
        raise ConfigError(
            f"an initializer of Sonnet's was given {shown(value)}: allowed are numbers that don't depend on anything"
        )
    return float(static)


def _moved(start: Deferred, offset: float) -> Deferred:
    """`start` plus a number."""
    if offset:
        draw = start.draw
        start.draw = lambda key, shape, dtype: draw(key, shape, dtype) + tf.constant(offset, dtype)
        start.distribution = start.distribution.shifted(offset)
    return start


def _random_uniform(own, shape, dtype):
    low, high = _number(own.minval), _number(own.maxval)
    return _moved(initializers.random_uniform((high - low) / 2)(shape, dtype), (high + low) / 2)


def _random_normal(own, shape, dtype):
    return _moved(initializers.random_normal(_number(own.stddev))(shape, dtype), _number(own.mean))


def _truncated_normal(own, shape, dtype):
    return _moved(initializers.truncated_normal(_number(own.stddev))(shape, dtype), _number(own.mean))


def _variance_scaling(own, shape, dtype):
    fan_in, fan_out = initializers.fans(shape) if len(shape) else (1, 1)
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[own.mode]
    variance = _number(own.scale) / max(1, fan)
    if own.distribution == "uniform":
        return initializers.random_uniform(math.sqrt(3 * variance))(shape, dtype)
    if own.distribution == "normal":
        return initializers.random_normal(math.sqrt(variance))(shape, dtype)
    return initializers.truncated_normal(math.sqrt(variance) / TRUNCATION)(shape, dtype)


def _orthogonal(own, shape, dtype):
    return initializers.orthogonal(_number(own.gain))(shape, dtype)


def _replace(kind: Any, start: Callable[[Any, tuple[int, ...], tf.DType], Deferred]) -> None:
    original = kind.__call__

    @functools.wraps(original)
    def call(self, shape, dtype):
        if not _WITHIN.get():
            return original(self, shape, dtype)
        return start(self, tuple(int(n) for n in shape), dtype)

    kind.__call__ = call


# A module makes its default initializer itself and calls it before a variable creator can intervene: there is no other place.
_replace(snt.initializers.RandomUniform, _random_uniform)
_replace(snt.initializers.RandomNormal, _random_normal)
_replace(snt.initializers.TruncatedNormal, _truncated_normal)
_replace(snt.initializers.VarianceScaling, _variance_scaling)
_replace(snt.initializers.Orthogonal, _orthogonal)
