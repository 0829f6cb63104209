"""Random numbers as pure functions of a key, the same in eager, graph and XLA execution.

TensorFlow's `stateless_uniform` and `stateless_normal` give different numbers under XLA than outside it, with every algorithm
(seen with TensorFlow 2.21 on a CPU); only its full-range integers agree. So the floats are made from those integers here.

A key is an int32 tensor of shape [2]. A key is used for one draw: `fold` or `split` it for several.
"""

import contextlib
import contextvars
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import tensorflow as tf

from taskset.errors import ConfigError, shown
from taskset.random import philox, seeds

Key: TypeAlias = tf.Tensor  # int32 [2]
Seed: TypeAlias = int | np.integer | tf.Tensor  # a Python or NumPy integer, a scalar integer tensor, or a key

_FEW = 2048  # words: up to this number, TensorFlow's operation is faster under XLA, too
_FOR_XLA_CPU = contextvars.ContextVar("for_xla_cpu", default=False)


@contextlib.contextmanager
def for_xla_cpu() -> Iterator[None]:
    """A context for tracing what XLA will compile for a CPU: large draws are traced in the way that is fast there.

    The numbers are the same.
    """
    token = _FOR_XLA_CPU.set(True)
    try:
        yield
    finally:
        _FOR_XLA_CPU.reset(token)


def words(seed: int) -> tuple[int, int]:
    """The two integers of the key that an int `seed` stands for."""
    return seeds.stream(seed, "key"), seed & 0x7FFFFFFF


def as_key(seed: Seed) -> tf.Tensor:
    """`seed` (integer, scalar integer tensor, or key) as a key: int32 [2].

    The integer 3 and a tensor with the value 3 are different seeds. Raises: ConfigError for anything else.
    """
    if not tf.is_tensor(seed) and np.ndim(seed) == 0:
        return tf.constant(words(seeds.check(seed)), tf.int32)
    seed = tf.convert_to_tensor(seed)
    if not seed.dtype.is_integer or not (seed.shape.rank == 0 or seed.shape.is_compatible_with([2])):
        raise ConfigError(
            f"seed {shown(seed)}: allowed are an integer, a scalar integer tensor, and a key (integers of shape [2])"
        )
    if seed.shape.rank == 0:
        if seed.dtype.size > 4 and (known := tf.get_static_value(seed)) is not None and not -(2**31) <= known < 2**31:
            raise ConfigError(f"seed {int(known)}: allowed in a tensor are integers that int32 holds")
        return tf.stack([tf.zeros([], tf.int32), tf.cast(seed, tf.int32)])
    return tf.ensure_shape(tf.cast(seed, tf.int32), [2])


def fold(key: Seed, data: Seed) -> tf.Tensor:
    """A new key from `key` and an integer."""
    return tf.random.experimental.stateless_fold_in(as_key(key), data, alg="philox")


def split(key: Seed, n: int) -> list[tf.Tensor]:
    """A list of `n` new keys."""
    return [fold(key, i) for i in range(n)]


def bits(key: Seed, shape: Sequence[int]) -> tf.Tensor:
    """Uniform 32-bit integers, uint32 of `shape` (Philox 4x32-10, Salmon et al. 2011)."""
    size = math.prod(int(n) for n in shape)
    if _FOR_XLA_CPU.get() and size > _FEW:
        return tf.reshape(philox.words(as_key(key), size), shape)
    return tf.random.stateless_uniform(shape, as_key(key), minval=None, maxval=None, dtype=tf.uint32, alg="philox")


def uniform(key: Seed, shape: Sequence[int], dtype: tf.DType = tf.float32, minval: float = 0.0, maxval: float = 1.0) -> tf.Tensor:
    """U[minval, maxval), from the upper 24 bits of 32-bit integers (from all bits in float64)."""
    if dtype == tf.float64:
        unit = tf.cast(bits(key, shape), dtype) * 2.0**-32
    else:
        unit = tf.cast(tf.bitwise.right_shift(bits(key, shape), tf.constant(8, tf.uint32)), dtype) * 2.0**-24
    return minval + (maxval - minval) * unit


def by_rows(function: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor) -> tf.Tensor:
    """`function(x)` for an elementwise function, x [rows, columns]; under `for_xla_cpu`, in a loop over the rows.

    XLA for a CPU computes a long function entry by entry, not in vectors, once it fuses it with the concatenation, reversal or
    selection that follows (seen with `tf.math.erfinv`, three times as slow). The steps of a loop are not fused with what follows.
    """
    rows, columns = x.shape
    if not _FOR_XLA_CPU.get() or rows * columns <= _FEW:
        return function(x)

    def step(i, y):
        return i + 1, tf.tensor_scatter_nd_update(y, [[i]], [function(x[i])])

    return tf.while_loop(lambda i, y: i < rows, step, (0, tf.zeros_like(x)))[1]


def normal(key: Seed, shape: Sequence[int], dtype: tf.DType = tf.float32, mean: float = 0.0, stddev: float = 1.0) -> tf.Tensor:
    """N(mean, stddev^2), by Box and Muller's transform of pairs of uniforms; |z| stays below 5.8 (6.7 in float64)."""
    shape = [int(n) for n in shape]
    size = math.prod(shape)
    half = (size + 1) // 2
    u = uniform(key, [2, half], dtype)
    radius = tf.sqrt(-2.0 * tf.math.log(1.0 - u[0]))  # 1 - u is in (0, 1]: its logarithm is finite
    quarters = tf.constant([[0.0], [0.25]], dtype)  # the sine is the cosine a quarter of a turn later
    z = tf.reshape(radius * _cosine(u[1] - quarters), [-1])[:size]
    return mean + stddev * tf.reshape(z, shape)


def _cosine(turns):
    """cos(2 pi turns), to rounding: the series of sin(2 pi t), |t| <= 1/4. XLA computes tf.cos one number after the other."""
    t = 0.25 - tf.abs(turns - tf.round(turns))
    square, terms = t * t, 7 if t.dtype == tf.float32 else 12
    result = tf.zeros_like(t)
    for k in reversed(range(terms)):
        result = result * square + (-1) ** k * (2.0 * math.pi) ** (2 * k + 1) / math.factorial(2 * k + 1)
    return result * t


def bernoulli(key: Seed, shape: Sequence[int], p: float | tf.Tensor, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """1 with probability p, else 0."""
    return tf.cast(uniform(key, shape) < p, dtype)
