"""Activation functions by their names in configs."""

import math
from collections.abc import Callable
from typing import TypeAlias

import tensorflow as tf

Activation: TypeAlias = Callable[[tf.Tensor], tf.Tensor]


def _leaky_relu(slope: float) -> Activation:
    return lambda x: tf.maximum(x, slope * x)


def _gelu(x: tf.Tensor) -> tf.Tensor:
    """x times the normal distribution function of x, by a hyperbolic tangent (Hendrycks and Gimpel 2016, arXiv 1606.08415)."""
    return 0.5 * x * (1.0 + tf.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)))


_BY_NAME: dict[str, Activation] = {
    "relu": tf.nn.relu,
    "tanh": tf.tanh,
    "cos": tf.cos,
    "elu": tf.nn.elu,
    "sigmoid": tf.sigmoid,
    "swish": lambda x: x * tf.sigmoid(x),  # without tf.nn.swish's custom gradient, which has no second derivative
    "leaky_relu4": _leaky_relu(0.4),
    "leaky_relu2": _leaky_relu(0.2),
    "leaky_relu1": _leaky_relu(0.1),
    "gelu": _gelu,
}


def from_config(name: str) -> Activation:
    """The function called `name`."""
    return _BY_NAME[name]
