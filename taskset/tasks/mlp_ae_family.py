"""Fully connected autoencoders of images."""

from typing import Any

import sonnet as snt
import tensorflow as tf

from taskset.datasets.images import ImageData
from taskset.registry import register_builder
from taskset.tasks import activations, initializers
from taskset.tasks.base import Model
from taskset.tasks.images import center
from taskset.tasks.linear import MLP

# What is done to the image, and what to the last layer's output.
_TARGET = {"tanh": center, "linear_center": center, "sigmoid": tf.identity, "linear": tf.identity}
_OUTPUT = {"tanh": tf.tanh, "linear_center": tf.identity, "sigmoid": tf.sigmoid, "linear": tf.identity}
_ERROR = {"l2": tf.square, "l1": tf.abs}
_REDUCE = {"reduce_mean": tf.reduce_mean, "reduce_sum": tf.reduce_sum}


@register_builder("mlp_ae_family")
def build(config: dict[str, Any], data: ImageData) -> Model:
    """Flatten; an MLP of `hidden_units` back to the pixels; squared or absolute error, mean or sum over pixels, batch mean."""
    activation = activations.from_config(config["activation"])
    w_init = initializers.from_config(config["w_init"])
    kind = config["output_type"]

    def loss(batch, key):
        x = snt.flatten(_TARGET[kind](batch["image"]))
        sizes = [*config["hidden_units"], x.shape[1]]
        y = _OUTPUT[kind](MLP(sizes, w_init=w_init, activation=activation, name="mlp")(x))
        return tf.reduce_mean(_REDUCE[config["reduction_type"]](_ERROR[config["loss_type"]](y - x), axis=1))

    return Model(loss, data)
