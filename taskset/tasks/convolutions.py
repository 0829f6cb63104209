"""The stack of 3x3 convolutions that the convolutional classifiers share."""

from collections.abc import Callable
from typing import Any

import sonnet as snt
import tensorflow as tf

from taskset.tasks import activations, initializers


def convolve(x: tf.Tensor, config: dict[str, Any], normalize: Callable[[tf.Tensor, int], tf.Tensor] | None = None) -> tf.Tensor:
    """Convolutions `conv_0`, `conv_1`, .. of images [batch, height, width, channels], each with the activation, the last too.

    config: hidden_units, strides, padding (one entry per layer), use_bias, activation, w_init.
    normalize: `(x, layer number) -> x`, applied before each activation.
    """
    activation = activations.from_config(config["activation"])
    w_init = initializers.from_config(config["w_init"])
    for i, (units, stride, padding) in enumerate(zip(config["hidden_units"], config["strides"], config["padding"])):
        x = snt.Conv2D(units, 3, stride, padding=padding, with_bias=config["use_bias"], w_init=w_init, name=f"conv_{i}")(x)
        x = activation(normalize(x, i) if normalize else x)
    return x
