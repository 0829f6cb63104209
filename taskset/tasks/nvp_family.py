"""Real NVP on flattened images (Dinh et al. 2016, arXiv 1605.08803)."""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from taskset.datasets.images import ImageData
from taskset.registry import register_builder
from taskset.tasks import activations, flows, initializers
from taskset.tasks.base import Model
from taskset.tasks.flows import Network
from taskset.tasks.linear import MLP


def coupling_inverse(y: tf.Tensor, network: Network) -> tuple[tf.Tensor, tf.Tensor]:
    """The inverse of y = (z_1, z_2 exp(s(z_1)) + t(z_1)), z_1 the first n // 2 of the n entries: z and log abs det dz/dy.

    network: z_1 -> s and t, [batch, 2 (n - n // 2)]. The scale s is not clamped: large initial weights overflow, as published.
    """
    n = y.shape[1]
    kept, changed = tf.split(y, [n // 2, n - n // 2], axis=1)
    s, t = tf.split(network(kept), 2, axis=1)
    return tf.concat([kept, (changed - t) * tf.exp(-s)], axis=1), -tf.reduce_sum(s, axis=1)


@register_builder("nvp_family")
def build(config: dict[str, Any], data: ImageData) -> Model:
    """`num_bijectors` affine couplings by MLPs of `hidden_units`; -log p(image + noise), nats."""
    activation = activations.from_config(config["activation"])
    w_init = initializers.from_config(config["w_init"])
    pixels = math.prod(data.image_shape)
    permutations = [np.random.RandomState(i).permutation(pixels) for i in range(config["num_bijectors"] - 1)]

    def inverse(i: int) -> flows.Inverse:
        sizes = [*config["hidden_units"], 2 * (pixels - pixels // 2)]
        network = MLP(sizes, w_init=w_init, activation=activation, name=f"bijector_{i}")
        return lambda y: coupling_inverse(y, network)

    def loss(batch, key):
        inverses = [inverse(i) for i in range(config["num_bijectors"])]
        return flows.negative_log_density(batch["image"], inverses, permutations, key)

    return Model(loss, data)
