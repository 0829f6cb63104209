"""Problems of losg_tasks_family: what a problem is, and those without data.

After Wichrowska et al. 2017, "Learned Optimizers that Scale and Generalize" (arXiv 1703.04813).
A kind is a function `(args, number) -> Problem`, registered under its name in a config.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from taskset.datasets.base import Batch
from taskset.optimizers.base import Params
from taskset.random import stateless
from taskset.tasks import starts
from taskset.tasks.base import GradientNoise
from taskset.tasks.starts import Start

EPSILON = 1e-6  # in the denominators and roots of the published losses


@dataclass(frozen=True)
class Problem:
    """A loss with its start.

    parameters: {path: (shape, start)}, the starts from `taskset.tasks.starts`.
    objective: `objective(params, batch) -> scalar`, params as {path: tensor}.
    gradient_noise: `gradient_noise(gradients, batch, key) -> gradients`; None for exact gradients.
    """

    parameters: dict[str, tuple[tuple[int, ...], Start]]
    objective: Callable[[Params, Batch], tf.Tensor]
    gradient_noise: GradientNoise | None = None


Args: TypeAlias = dict[str, Any]  # of a problem kind: JSON values
Kind: TypeAlias = Callable[[Args, int], Problem]

_KINDS: dict[str, Kind] = {}
_STANDARD_NORMAL = starts.normal()


def problem_kind(name: str) -> Callable[[Kind], Kind]:
    """Decorator: registers a function `(args, number) -> Problem` under the kind's name in configs."""

    def register(make: Kind) -> Kind:
        _KINDS[name] = make
        return make

    return register


def problem(kind: str, args: Args, number: int) -> Problem:
    """The problem of a config `[kind, args, number]`; `number` seeds the problem's constants."""
    return _KINDS[kind](args, number)


def vector(
    shape: tuple[int, ...],
    objective: Callable[[tf.Tensor, Batch], tf.Tensor],
    start: Start = _STANDARD_NORMAL,
    gradient_noise: GradientNoise | None = None,
) -> Problem:
    """A problem in one parameter x: `objective(x, batch)`."""
    return Problem({"x": (shape, start)}, lambda params, batch: objective(params["x"], batch), gradient_noise)


def additive_noise(stdev: float) -> GradientNoise | None:
    """Gradient noise N(0, stdev^2) on every entry, None for stdev 0."""
    if not stdev:
        return None

    def disturb(gradients, batch, key):
        keys = stateless.split(key, len(gradients))
        return {path: g + stdev * stateless.normal(k, g.shape, g.dtype) for k, (path, g) in zip(keys, gradients.items())}

    return disturb


def constant(array: np.ndarray) -> tf.Tensor:
    """A float32 tensor that compiled programs take as an argument (NumPy arrays would be copied into each of them)."""
    with tf.init_scope():
        return tf.constant(array, tf.float32)


def length(x: tf.Tensor) -> tf.Tensor:
    """Euclidean norm of a vector, with gradient 0 where it is 0 (tf.norm has NaN there)."""
    square = tf.reduce_sum(x**2)
    return tf.where(square > 0, tf.sqrt(tf.where(square > 0, square, 1.0)), 0.0)


def _linear_system(dim: int, number: int) -> tuple[tf.Tensor, tf.Tensor]:
    """W [dim, dim] and y [dim, 1] with independent N(0, 1) entries; these very numbers are published."""
    rng = np.random.RandomState(number)
    return constant(rng.randn(dim, dim)), constant(rng.randn(dim, 1))


def _residual(system: tuple[tf.Tensor, tf.Tensor], x: tf.Tensor) -> tf.Tensor:
    w, y = (tf.cast(t, x.dtype) for t in system)
    return tf.matmul(w, x) - y


@problem_kind("quadratic")
def quadratic(args: Args, number: int) -> Problem:
    """0.5 norm(W x - y)^2."""
    system = _linear_system(args["dim"], number)
    return vector(
        (args["dim"], 1),
        lambda x, batch: 0.5 * tf.reduce_sum(_residual(system, x) ** 2),
        gradient_noise=additive_noise(args["noise_stdev"]),
    )


@problem_kind("norm")
def norm(args: Args, number: int) -> Problem:
    """(sum_i (|W x - y|_i + 1e-6)^p)^(1/p), p = norm_power."""
    system, p = _linear_system(args["dim"], number), args["norm_power"]

    def objective(x, batch):
        sizes = tf.abs(_residual(system, x)) + EPSILON
        # The norm is homogeneous: dividing by the largest entry keeps the powers in range and changes no value or gradient.
        largest = tf.stop_gradient(tf.reduce_max(sizes))
        return largest * tf.reduce_sum((sizes / largest) ** p) ** (1 / p)

    return vector((args["dim"], 1), objective)


@problem_kind("bowl")
def bowl(args: Args, number: int) -> Problem:
    """0.5 norm(diag(cond, 1)^(1/2) R x)^2, R the rotation by `angle`."""
    cos, sin = np.cos(args["angle"]), np.sin(args["angle"])
    matrix = constant(np.diag([np.sqrt(args["cond"]), 1.0]) @ np.array([[cos, -sin], [sin, cos]]))
    return vector(
        (2,),
        lambda x, batch: 0.5 * tf.reduce_sum(tf.linalg.matvec(tf.cast(matrix, x.dtype), x) ** 2),
        gradient_noise=additive_noise(args["noise_stdev"]),
    )


@problem_kind("dependency_chain")
def dependency_chain(args: Args, number: int) -> Problem:
    """sum_(i = 1..dim) (x_0^2 + x_i^2 / (x_(i-1)^2 + 1e-6)): each entry can be brought to 0 only while the one before is not."""
    return vector((args["dim"] + 1,), lambda x, batch: tf.reduce_sum(x[0] ** 2 + x[1:] ** 2 / (x[:-1] ** 2 + EPSILON)))


@problem_kind("min_max_well")
def min_max_well(args: Args, number: int) -> Problem:
    """max(x^2) + 1 / min(x^2) - 2 + 1e-12: 0 (up to the last term) where all entries are 1 or -1."""
    return vector(
        (args["dim"],),
        lambda x, batch: tf.reduce_max(x**2) + 1 / tf.reduce_min(x**2) - 2 + 1e-12,
        gradient_noise=additive_noise(args["noise_stdev"]),
    )
