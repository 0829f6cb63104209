"""Normalizing flows on flat vectors (Rezende and Mohamed 2015, arXiv 1505.05770): the density through a chain of inverses."""

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import sonnet as snt
import tensorflow as tf

from taskset.random import stateless
from taskset.random.stateless import Key

Network: TypeAlias = Callable[[tf.Tensor], tf.Tensor]
Inverse: TypeAlias = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]  # y -> (z, log abs det dz/dy [batch])

NOISE = 0.01  # standard deviation of the noise added to the pixels


def log_density(x: tf.Tensor, inverses: Sequence[Inverse], permutations: Sequence[np.ndarray]) -> tf.Tensor:
    """log p(x) in nats, [batch], of x [batch, n] = layer_{k-1}( .. P_1 layer_1(P_0 layer_0(z))), z ~ N(0, I).

    inverses: for each layer, in the order from latents to data, `y -> (z, log abs det dz/dy [batch])`.
    permutations: P_i, after each layer but the last: entry j of P_i(x) is entry permutations[i][j] of x.
    """
    log_det = 0.0
    for i in reversed(range(len(inverses))):
        if i < len(permutations):
            x = tf.gather(x, np.argsort(permutations[i]), axis=1)
        x, term = inverses[i](x)
        log_det += term
    return log_det - 0.5 * tf.reduce_sum(tf.square(x), axis=1) - 0.5 * x.shape[1] * math.log(2 * math.pi)


def negative_log_density(
    image: tf.Tensor, inverses: Sequence[Inverse], permutations: Sequence[np.ndarray], key: Key
) -> tf.Tensor:
    """Mean over the batch of -log p, in nats per image, of the flattened image plus N(0, 0.01^2)."""
    x = snt.flatten(image)
    x += stateless.normal(key, x.shape, x.dtype, stddev=NOISE)
    return -tf.reduce_mean(log_density(x, inverses, permutations))
