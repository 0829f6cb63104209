"""Small networks that are applied to every parameter of a task, with weights from a flat theta.

Their inputs and outputs are columns, [features, parameters], as `features` lays them out.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import tensorflow as tf

from learned.optimizers import features
from learned.optimizers.base import Weights
from learned.types import Params
from taskset.tasks.initializers import constant, lecun_normal


def linear_weights(path: str, inputs: int, outputs: int) -> Weights:
    """The entries of theta for a linear map: truncated normal of stddev 1 / sqrt(inputs), biases 0."""
    return {f"{path}/w": ((inputs, outputs), lecun_normal()), f"{path}/b": ((outputs,), constant(0.0))}


def linear(theta: Params, path: str, x: tf.Tensor) -> tf.Tensor:
    """w^T x + b: [inputs, n] -> [outputs, n]."""
    return tf.matmul(theta[f"{path}/w"], x, transpose_a=True) + theta[f"{path}/b"][:, None]


def mlp_weights(sizes: Sequence[int]) -> Weights:
    """The entries of theta for a ReLU network with layers of these sizes, inputs first: mlp/linear_0/w, .."""
    weights: Weights = {}
    for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        weights |= linear_weights(f"mlp/linear_{i}", inputs, outputs)
    return weights


def mlp(theta: Params, x: tf.Tensor, shared: tf.Tensor) -> tf.Tensor:
    """The network's outputs [outputs, n] for inputs that are columns of x [features, n] followed by `shared` [others].

    What all columns share is multiplied once, not n times.
    """
    w = theta["mlp/linear_0/w"][: x.shape[0]]
    return after_first(theta, tf.matmul(w, x, transpose_a=True) + first_bias(theta, shared)[:, None])


def first_bias(theta: Params, shared: tf.Tensor) -> tf.Tensor:
    """What the first layer adds to all columns: its bias plus its last rows times `shared` [others]."""
    w, b = theta["mlp/linear_0/w"], theta["mlp/linear_0/b"]
    return tf.linalg.matvec(w[w.shape[0] - shared.shape[0] :], shared, transpose_a=True) + b


def after_first(theta: Params, h: tf.Tensor) -> tf.Tensor:
    """The rest of the network, for the first layer's outputs before its ReLU, [hidden, n]."""
    layer = 1
    while f"mlp/linear_{layer}/w" in theta:
        h = linear(theta, f"mlp/linear_{layer}", tf.nn.relu(h))
        layer += 1
    return h


def stepped(params: Params, outputs: tf.Tensor) -> Params:
    """p <- p - direction exp(.001 magnitude) .001 with direction and magnitude the first two of outputs [outputs, parameters]."""
    direction, magnitude = outputs[:1], outputs[1:2]
    steps = features.unrows(direction * tf.exp(0.001 * magnitude) * 0.001, params)
    return {path: w - tf.reshape(steps[path], w.shape) for path, w in params.items()}
