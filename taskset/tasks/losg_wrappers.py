"""Problems of losg_tasks_family that change another one. The noise of the problem inside has no effect in any of them."""

import math
from dataclasses import replace

import tensorflow as tf

from taskset.random import stateless
from taskset.tasks import starts
from taskset.tasks.losg_problems import EPSILON, Args, Problem, problem, problem_kind


def _base(args: Args, number: int) -> Problem:
    kind, base_args = args["base"]
    return replace(problem(kind, base_args, number), gradient_noise=None)


def _base_from_normal(args: Args, number: int) -> Problem:
    """The base problem, its parameters starting from N(0, 1) whatever its own start is, as published."""
    base = _base(args, number)
    return replace(base, parameters={path: (shape, starts.normal()) for path, (shape, _) in base.parameters.items()})


@problem_kind("sparse_problems")
def sparse_problems(args: Args, number: int) -> Problem:
    """The base problem, from N(0, 1); each gradient entry is 0 with zero_probability, and has noise N(0, noise_stdev^2) else."""
    stdev, zero_probability = args["noise_stdev"], args["zero_probability"]

    def disturb(gradients, batch, key):
        disturbed = {}
        for path, k in zip(gradients, stateless.split(key, len(gradients))):
            g, (k_keep, k_noise) = gradients[path], stateless.split(k, 2)
            kept = stateless.uniform(k_keep, g.shape) >= zero_probability
            disturbed[path] = tf.where(kept, g + stdev * stateless.normal(k_noise, g.shape, g.dtype), tf.zeros_like(g))
        return disturbed

    return replace(_base_from_normal(args, number), gradient_noise=disturb)


@problem_kind("rescale_problems")
def rescale_problems(args: Args, number: int) -> Problem:
    """loss(x) = base(x / scale), from `scale` times the base problem's start."""
    base, scale = _base(args, number), args["scale"]
    parameters = {path: (shape, starts.scaled(start, scale)) for path, (shape, start) in base.parameters.items()}
    return replace(
        base,
        parameters=parameters,
        objective=lambda params, batch: base.objective({path: p / scale for path, p in params.items()}, batch),
    )


@problem_kind("log_objective")
def log_objective(args: Args, number: int) -> Problem:
    """log(base(x) + 1e-6) - log(1e-6), from N(0, 1).

    Not a number where the base is negative: outward_snake and sum_of_quadratics can be.
    """
    base = _base_from_normal(args, number)
    return replace(base, objective=lambda params, batch: tf.math.log(base.objective(params, batch) + EPSILON) - math.log(EPSILON))
