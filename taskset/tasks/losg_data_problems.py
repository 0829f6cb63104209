"""Problems of losg_tasks_family whose loss reads a batch (`taskset.datasets.losg`)."""

import math

import tensorflow as tf

from taskset.datasets.base import Batch
from taskset.optimizers.base import Params
from taskset.registry import Shapes
from taskset.tasks import activations, starts
from taskset.tasks.losg_problems import EPSILON, Args, Problem, additive_noise, length, problem_kind, vector


@problem_kind("outward_snake")
def outward_snake(args: Args, number: int) -> Problem:
    """sum_n d_n0 / (|x| + 1e-6) + sum_(n, i > 0) ((x_i - pi cos x_(i-1)) d_ni)^2, d the features of a batch.

    A winding path outwards.
    """

    def objective(x, batch):
        d = batch["features"]
        bends = (x[1:] - math.pi * tf.cos(x[:-1])) * d[:, 1:]
        return tf.reduce_sum(d[:, 0] / (length(x) + EPSILON)) + tf.reduce_sum(bends**2)

    return vector((args["dim"],), objective)


@problem_kind("sum_of_quadratics")
def sum_of_quadratics(args: Args, number: int) -> Problem:
    """sum_(n, i) (x_i - d_ni)^2 - sum_(n, i) d_ni^2 + 1e-12, d the features of a batch."""
    # Equal to the formula above, without the difference of two large sums.
    return vector((args["dim"],), lambda x, batch: tf.reduce_sum(x * (x - 2 * batch["features"])) + 1e-12)


@problem_kind("projection_quadratic")
def projection_quadratic(args: Args, number: int) -> Problem:
    """sum_(n, i) (x_i d_ni)^2, d the features of a batch."""
    return vector((args["dim"],), lambda x, batch: tf.reduce_sum((x * batch["features"]) ** 2))


def _classifier_parameters(shapes: Shapes) -> dict[str, tuple[tuple[int, ...], starts.Start]]:
    """Starts N(0, 1) 1.2 / sqrt(rows), rows being the first axis, of biases as well."""
    return {path: (shape, starts.normal(0.0, 1.2 / math.sqrt(shape[0]))) for path, shape in shapes.items()}


def _classification_loss(logits: tf.Tensor, batch: Batch, params: Params) -> tf.Tensor:
    """Mean sigmoid cross-entropy of the first logit, plus 1e-3 times the mean over the tensors of their sums of squares."""
    first = logits[:, 0]
    entropies = tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.cast(batch["label"], first.dtype), logits=first)
    squares = [tf.reduce_sum(p**2) for p in params.values()]
    return tf.reduce_mean(entropies) + 1e-3 * tf.add_n(squares) / len(squares)


@problem_kind("fully_connected")
def fully_connected(args: Args, number: int) -> Problem:
    """A small network on random features, labelled by a random network."""
    widths = [args["n_features"], *args["hidden_sizes"], args["n_classes"]]
    activation, layers = activations.from_config(args["activation"]), len(widths) - 1
    shapes: Shapes = {}
    for i in range(layers):
        shapes |= {f"mlp/linear_{i}/w": (widths[i], widths[i + 1]), f"mlp/linear_{i}/b": (widths[i + 1],)}

    def objective(params, batch):
        x = batch["features"]
        for i in range(layers):
            x = tf.matmul(x, params[f"mlp/linear_{i}/w"]) + params[f"mlp/linear_{i}/b"]
            x = activation(x) if i < layers - 1 else x
        return _classification_loss(x, batch, params)

    return Problem(_classifier_parameters(shapes), objective)


@problem_kind("sparse_softmax_regression")
def sparse_softmax_regression(args: Args, number: int) -> Problem:
    """The noisy parity of five ids from the sum of their embeddings, by a linear layer.

    Gradient noise N(0, noise_stdev^2) falls on every entry: the loss has the embeddings' squares, their gradient is dense.
    """
    n, classes = args["n_features"], args["n_classes"]
    shapes: Shapes = {"embeddings": (2, n), "w": (n, classes), "b": (classes,)}

    def objective(params, batch):
        counts = tf.reduce_sum(tf.one_hot(batch["ids"], 2, dtype=params["w"].dtype), axis=1)
        features = tf.matmul(counts, params["embeddings"])
        return _classification_loss(tf.matmul(features, params["w"]) + params["b"], batch, params)

    return Problem(_classifier_parameters(shapes), objective, additive_noise(args["noise_stdev"]))
