"""Fully connected classifiers with another loss, with dropout, or with normalised layers."""

from collections.abc import Callable
from typing import Any, TypeAlias

import sonnet as snt
import tensorflow as tf

from taskset.datasets.images import ImageData
from taskset.random import stateless
from taskset.random.stateless import Key
from taskset.registry import register_builder
from taskset.tasks import activations, initializers
from taskset.tasks.base import Model
from taskset.tasks.batch_norm import normalize_by_start
from taskset.tasks.images import network_input
from taskset.tasks.linear import Linear
from taskset.tasks.losses import accuracy, cross_entropy

BeforeActivation: TypeAlias = Callable[[tf.Tensor, int, Key], tf.Tensor]  # (x, layer number, key) -> x


def squared_error(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Mean of (sigmoid(logit) - one-hot label)^2 over classes and batch."""
    one_hot = tf.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    return tf.reduce_mean(tf.square(tf.sigmoid(logits) - one_hot))


def dropout(keep: float) -> BeforeActivation:
    """Each entry is kept with probability `keep` and divided by it, in all splits (Srivastava et al. 2014)."""
    return lambda x, i, key: x * stateless.bernoulli(stateless.fold(key, i), x.shape, keep, x.dtype) / keep


def _layer_norm(x: tf.Tensor, i: int, key: Key) -> tf.Tensor:
    return snt.LayerNorm(axis=-1, create_scale=True, create_offset=True, name=f"layer_norm_{i}")(x)


def _batch_norm(x: tf.Tensor, i: int, key: Key) -> tf.Tensor:
    return normalize_by_start(x, f"batch_norm_{i}")


_LOSS = {"cross_entropy": cross_entropy, "squared_error": squared_error}
_BEFORE_ACTIVATION: dict[str, Callable[[Any], BeforeActivation]] = {
    "none": lambda arg: lambda x, i, key: x,
    "dropout": dropout,
    "layer_norm": lambda arg: _layer_norm,
    "batch_norm": lambda arg: _batch_norm,
}


@register_builder("fixed_mlp")
def build(config: dict[str, Any], data: ImageData) -> Model:
    """Flatten; linear layers, each with `before_activation` and the activation; a linear layer to the classes; the loss."""
    activation = activations.from_config(config["activation"])
    w_init = initializers.from_config(config["w_init"])
    kind, arg = config["before_activation"]
    between = _BEFORE_ACTIVATION[kind](arg)
    sizes = config["layer_sizes"]

    def loss(batch, key):
        x = snt.flatten(network_input(batch["image"], config))
        with tf.name_scope("mlp"):
            for i, size in enumerate(sizes):
                x = Linear(size, w_init=w_init, name=f"linear_{i}")(x)
                x = activation(between(x, i, key))
            logits = Linear(data.num_classes, w_init=w_init, name=f"linear_{len(sizes)}")(x)
        return _LOSS[config["loss"]](logits, batch["label"]), {"accuracy": accuracy(logits, batch["label"])}

    return Model(loss, data)
