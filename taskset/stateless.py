"""Random numbers as pure functions of a key, the same in eager, graph and XLA execution.

TensorFlow's `stateless_uniform` and `stateless_normal` give different numbers under XLA than outside it, with every algorithm
(seen with TensorFlow 2.21 on a CPU); only its full-range integers agree. So the floats are made from those integers here.

A key is an int32 tensor of shape [2]. A key is used for one draw: `fold` or `split` it where several are wanted.
"""

import math

import tensorflow as tf

from taskset import seeds


def words(seed):
    """The two integers of the key of an int `seed`."""
    return seeds.stream(seed, "key"), seed & 0x7FFFFFFF


def as_key(seed):
    """`seed` (int, scalar integer tensor, or key) as a key: int32 [2]."""
    if isinstance(seed, int):
        return tf.constant(words(seed), tf.int32)
    seed = tf.convert_to_tensor(seed)
    if seed.shape.rank == 0:
        return tf.stack([tf.zeros([], tf.int32), tf.cast(seed, tf.int32)])
    return tf.ensure_shape(tf.cast(seed, tf.int32), [2])


def fold(key, data):
    """A new key from `key` and an integer."""
    return tf.random.experimental.stateless_fold_in(as_key(key), data, alg="philox")


def split(key, n):
    """`n` new keys, a list."""
    return [fold(key, i) for i in range(n)]


def bits(key, shape):
    """Uniform 32-bit integers, uint32 of `shape` (Philox 4x32-10, Salmon et al. 2011)."""
    return tf.random.stateless_uniform(shape, as_key(key), minval=None, maxval=None, dtype=tf.uint32, alg="philox")


def uniform(key, shape, dtype=tf.float32, minval=0.0, maxval=1.0):
    """U[minval, maxval), from the upper 24 bits (all of them in float64)."""
    if dtype == tf.float64:
        unit = tf.cast(bits(key, shape), dtype) * 2.0**-32
    else:
        unit = tf.cast(tf.bitwise.right_shift(bits(key, shape), tf.constant(8, tf.uint32)), dtype) * 2.0**-24
    return minval + (maxval - minval) * unit


def normal(key, shape, dtype=tf.float32, mean=0.0, stddev=1.0):
    """N(mean, stddev^2), by Box and Muller's transform of pairs of uniforms; |z| stays below 5.8 (6.7 in float64)."""
    shape = [int(n) for n in shape]
    size = math.prod(shape)
    half = (size + 1) // 2
    u = uniform(key, [2, half], dtype)
    radius = tf.sqrt(-2.0 * tf.math.log(1.0 - u[0]))  # 1 - u is in (0, 1]: its logarithm is finite
    angle = 2.0 * math.pi * u[1]
    z = tf.concat([radius * tf.cos(angle), radius * tf.sin(angle)], axis=0)[:size]
    return mean + stddev * tf.reshape(z, shape)


def bernoulli(key, shape, p, dtype=tf.float32):
    """1 with probability p, else 0."""
    return tf.cast(uniform(key, shape) < p, dtype)
