"""Quadratic forms with random matrices."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from taskset.random import seeds
from taskset.registry import register_builder
from taskset.tasks import matrix_noise, starts
from taskset.tasks.base import Model

_OUTPUT = {
    "identity": lambda y: y,
    # y is a sum of squares: the published max(y, 0) never acts.
    "log": lambda y: tf.math.log(y + 1e-8),
}
_START = {
    "normal": lambda args: starts.normal(args["mean"], args["std"]),
    "uniform": lambda args: starts.uniform(args["min"], args["max"]),
}


@register_builder("quadratic_family")
def build(config: dict[str, Any], data: None) -> Model:
    """loss_scale * output_fn(norm((A + E) x)^2): A is drawn once, from the config's seed, E at every evaluation.

    E is a function of the loss's key (`matrix_noise.perturbed`); x has another start for every seed of `init`. Metz et al. 2020
    (arXiv 2002.11887).
    """
    dims, noise = config["dims"], config["noise"] and config["noise"]["A_noise"]
    # An eager tensor is passed to compiled programs as an argument; NumPy's would be copied into them (36 MB at most).
    with tf.init_scope():
        fixed = tf.constant(matrix(config["A_dist"], dims, config["seed"]), tf.float32)
    output, start = _OUTPUT[config["output_fn"]], _START[config["initial_dist"][0]](config["initial_dist"][1])

    def loss(batch, key):
        x = starts.parameter("x", [dims], start)
        residual = matrix_noise.perturbed(tf.cast(fixed, x.dtype), noise, key)(x)
        return config["loss_scale"] * output(sum_of_squares(residual))

    return Model(loss)


@tf.custom_gradient
def sum_of_squares(y: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """norm(y)^2 of a vector y, as a product with ones: with XLA's sum, a step of a small quadratic takes 5 per cent longer."""
    return tf.tensordot(y * y, tf.ones_like(y), 1), lambda upstream: 2 * upstream * y


def matrix(distribution: Sequence[Any], dims: int, seed: int) -> np.ndarray:
    """A of a config, float64 [dims, dims]; equal to the released one in distribution.

    distribution: `["normal", {mean, std}]` and `["uniform", {min, max}]` are independent entries;
    `["linspace_eigen", {min, max}]` and `["logspace_eigen", {min, max}]` are Q diag(spectrum) Q^T with Q from the QR
    decomposition of uniform(-1, 1) entries, its columns multiplied by the signs of R's diagonal.
    """
    name, args = distribution
    rng = seeds.generator(seed, "quadratic_family", "A")
    if name == "normal":
        return rng.normal(args["mean"], args["std"], (dims, dims))
    if name == "uniform":
        return rng.uniform(args["min"], args["max"], (dims, dims))
    q, r = np.linalg.qr(rng.uniform(-1, 1, (dims, dims)))
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return (q * matrix_noise.spectrum(name, args, dims)) @ q.T
