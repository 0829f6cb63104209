"""A recurrent network applied to each parameter alone: Andrychowicz et al. 2016 (arXiv 1606.04474)."""

from __future__ import annotations

import math

import tensorflow as tf

from learned.optimizers import features, network
from learned.optimizers.base import LearnedOptimizer, Weights
from learned.types import Params
from taskset.tasks.initializers import constant, lecun_normal

HIDDEN = 20
LAYERS = 2
P = 10  # gradients below e^-P are read as they are, not in logarithms
SCALE = 0.1


def lstm() -> LearnedOptimizer:
    """5,141 weights: two LSTM layers of 20 units on the preprocessed gradient (`_preprocessed`), a linear map to the step.

    w <- w + .1 output. The published rule adds what the network gives; its outputs stand for steps, not for gradients.
    """
    weights: Weights = {}
    for i, inputs in enumerate((2, HIDDEN)):
        weights |= cell_weights(f"lstm_{i}", inputs, HIDDEN)
    return LearnedOptimizer("lstm", weights | network.linear_weights("linear", HIDDEN, 1), _init, _update)


def cell_weights(path: str, inputs: int, hidden: int) -> Weights:
    """The entries of theta for an LSTM: one matrix [inputs + hidden, 4 hidden] for the gates i, j, f, o, and their biases."""
    shape = (inputs + hidden, 4 * hidden)
    return {f"{path}/w_gates": (shape, lecun_normal()), f"{path}/b_gates": (shape[1:], constant(0.0))}


def cell(theta: Params, path: str, x: tf.Tensor, h: tf.Tensor, c: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """(h', c'): c' = sigmoid(f + 1) c + sigmoid(i) tanh(j), h' = sigmoid(o) tanh(c'), with gates (i, j, f, o) = w^T [x; h] + b.

    x [inputs, n]; h, c [hidden, n]. The 1 is the forget bias. Hochreiter and Schmidhuber 1997; Gers et al. 2000.
    """
    w, b = theta[f"{path}/w_gates"], theta[f"{path}/b_gates"]
    gates = tf.matmul(w, tf.concat([x, h], 0), transpose_a=True) + b[:, None]
    i, j, f, o = tf.split(gates, 4)
    c = tf.sigmoid(f + 1.0) * c + tf.sigmoid(i) * tf.tanh(j)
    return tf.sigmoid(o) * tf.tanh(c), c


def _preprocessed(g):
    """(log abs g / P, sign g) where abs g >= e^-P, else (-1, e^P g): [1, n] -> [2, n], as the paper preprocesses gradients."""
    large = tf.abs(g) >= math.exp(-P)
    # log sees no zeros, also where its value is not taken: their derivative would make the others' NaN.
    logs = tf.math.log(tf.maximum(tf.abs(g), math.exp(-P))) / P
    return tf.concat([tf.where(large, logs, -tf.ones_like(g)), tf.where(large, tf.sign(g), math.exp(P) * g)], 0)


def _init(theta, params):
    del theta
    n = sum(w.shape.num_elements() for w in params.values())
    dtype = next(iter(params.values())).dtype
    return {f"lstm_{i}": {part: tf.zeros([HIDDEN, n], dtype) for part in ("h", "c")} for i in range(LAYERS)}


def _update(theta, grads, state, params, step, loss, validation_loss):
    del step, loss, validation_loss
    new, x = {}, _preprocessed(features.rows({path: g[None] for path, g in grads.items()}))
    for layer in sorted(state):
        x, c = cell(theta, layer, x, state[layer]["h"], state[layer]["c"])
        new[layer] = {"h": x, "c": c}
    steps = features.unrows(SCALE * network.linear(theta, "linear", x), params)
    return {path: w + tf.reshape(steps[path], w.shape) for path, w in params.items()}, new
