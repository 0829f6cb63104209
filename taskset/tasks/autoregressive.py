"""Masked autoregressive layers of flows (Papamakarios et al. 2017, arXiv 1705.07057), for any masks.

A mask of a linear layer comes as degrees: output unit j sees input unit i where out_degrees[j] >= in_degrees[i].
"""

import json
import math
import zlib
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import sonnet as snt
import tensorflow as tf

from taskset.datasets.images import ImageData
from taskset.random import seeds
from taskset.tasks import activations, flows, initializers
from taskset.tasks.base import Model
from taskset.tasks.linear import product

Degrees: TypeAlias = tuple[np.ndarray, np.ndarray]  # of the inputs and the outputs of a layer

MIN_LOG_SCALE, MAX_LOG_SCALE = -5.0, 3.0


def mask(in_degrees: np.ndarray, out_degrees: np.ndarray, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """[inputs, outputs], 1 where the output sees the input. Computed on the device, since masks of wide layers are large."""
    return tf.cast(tf.constant(out_degrees)[tf.newaxis] >= tf.constant(in_degrees)[:, tf.newaxis], dtype)


@tf.custom_gradient
def clip_straight_through(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """x clipped to [-5, 3]; the gradient is passed on unchanged."""
    return tf.clip_by_value(x, MIN_LOG_SCALE, MAX_LOG_SCALE), lambda dy: dy


class MaskedLinear(snt.Module):
    """x (w * mask) + b. Masked weights start at 0 and get gradient 0; fans of the initializer are those of the whole matrix."""

    def __init__(self, in_degrees: np.ndarray, out_degrees: np.ndarray, w_init: initializers.Initializer, name: str):
        super().__init__(name)
        self._degrees, self._w_init = (in_degrees, out_degrees), w_init

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        shape = [len(degrees) for degrees in self._degrees]
        masked = initializers.masked(self._w_init, lambda dtype: mask(*self._degrees, dtype))
        w = tf.Variable(masked(shape, x.dtype), name="w")
        b = tf.Variable(tf.zeros(shape[1:], x.dtype), name="b")
        return product(x, w * mask(*self._degrees, x.dtype)) + b


class MaskedMLP(snt.Module):
    """`MaskedLinear` layers `linear_0`, .. with the activation between them."""

    def __init__(
        self, degrees: Sequence[Degrees], activation: activations.Activation, w_init: initializers.Initializer, name: str
    ):
        super().__init__(name)
        self._activation = activation
        self._layers = [MaskedLinear(*d, w_init, f"linear_{i}") for i, d in enumerate(degrees)]

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        *hidden, last = self._layers
        for layer in hidden:
            x = self._activation(layer(x))
        return last(x)


def autoregressive_inverse(y: tf.Tensor, network: flows.Network) -> tuple[tf.Tensor, tf.Tensor]:
    """The inverse of y_i = z_i exp(a_i) + m_i, where m_i (shift) and a_i (log-scale) depend on y alone: z and log abs det dz/dy.

    network: y [batch, n] -> [batch, 2 n], entries 2i and 2i + 1 being m_i and a_i, which see entries of y before i only. Then
    dz/dy is triangular with diagonal exp(-a). Log-scales are clipped to [-5, 3], with straight-through gradients.
    """
    m, a = tf.unstack(tf.reshape(network(y), [y.shape[0], y.shape[1], 2]), axis=-1)
    a = clip_straight_through(a)
    return (y - m) * tf.exp(-a), -tf.reduce_sum(a, axis=1)


def permutations_of(config: dict[str, Any], pixels: int) -> list[np.ndarray]:
    """The random permutations between layers. They depend on the config alone: the CRC-32 of its JSON is their seed."""
    seed = zlib.crc32(json.dumps(config, sort_keys=True).encode())
    return [seeds.generator(seed, "permutation", i).permutation(pixels) for i in range(config["num_bijectors"] - 1)]


def build_flow(config: dict[str, Any], data: ImageData, layer_degrees: Callable[[int, Sequence[int]], list[Degrees]]) -> Model:
    """The model of a config; `layer_degrees(pixels, hidden_units)` gives (in_degrees, out_degrees) of each masked layer."""
    activation = activations.from_config(config["activation"])
    w_init = initializers.from_config(config["w_init"])
    pixels = math.prod(data.image_shape)
    degrees = layer_degrees(pixels, config["hidden_units"])
    permutations = permutations_of(config, pixels)

    def inverse(i: int) -> flows.Inverse:
        network = MaskedMLP(degrees, activation, w_init, f"bijector_{i}")
        return lambda y: autoregressive_inverse(y, network)

    def loss(batch, key):
        inverses = [inverse(i) for i in range(config["num_bijectors"])]
        return flows.negative_log_density(batch["image"], inverses, permutations, key)

    return Model(loss, data)
