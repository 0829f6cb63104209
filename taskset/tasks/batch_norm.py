"""Batch normalization without state (Ioffe and Szegedy 2015, arXiv 1502.03167): nothing is averaged over batches.

As in the Sonnet of the published tasks there is a learned offset and no learned scale, and epsilon is 1e-3.
"""

import sonnet as snt
import tensorflow as tf

EPSILON = 1e-3


class BatchNorm(snt.Module):
    """(x - mean) / sqrt(variance + 1e-3) + offset; mean, variance and the learned offset are per channel (the last axis)."""

    def __call__(self, x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor) -> tf.Tensor:
        offset = tf.Variable(tf.zeros(x.shape[-1:], x.dtype), name="offset")
        return (x - mean) * tf.math.rsqrt(variance + EPSILON) + offset


def normalize_by_batch(x: tf.Tensor, name: str) -> tf.Tensor:
    """x normalized with the mean and variance of the batch, over all axes but the last."""
    mean, variance = tf.nn.moments(x, list(range(x.shape.rank - 1)))
    return BatchNorm(name)(x, mean, variance)


def normalize_by_start(x: tf.Tensor, name: str) -> tf.Tensor:
    """x normalized with mean 0 and variance 1: the moving statistics of a model that never updates them."""
    return BatchNorm(name)(x, tf.zeros([], x.dtype), tf.ones([], x.dtype))
