"""Activation functions by their names in configs."""

import tensorflow as tf


def _leaky_relu(slope):
    return lambda x: tf.maximum(x, slope * x)


_BY_NAME = {
    "relu": tf.nn.relu,
    "tanh": tf.tanh,
    "cos": tf.cos,
    "elu": tf.nn.elu,
    "sigmoid": tf.sigmoid,
    "swish": lambda x: x * tf.sigmoid(x),  # without tf.nn.swish's custom gradient, which has no second derivative
    "leaky_relu4": _leaky_relu(0.4),
    "leaky_relu2": _leaky_relu(0.2),
    "leaky_relu1": _leaky_relu(0.1),
}


def from_config(name):
    """The function called `name`."""
    return _BY_NAME[name]
