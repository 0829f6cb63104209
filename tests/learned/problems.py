"""Problems whose outer gradients are known in closed form, one without a scale, small ones on digits; truncations."""

import numpy as np
import tensorflow as tf

import taskset
from learned import optimizers
from learned.estimators import base, episodes
from learned.optimizers.base import LearnedOptimizer
from learned.outer_training import objectives
from learned.unrolling.problem import Problem
from taskset.tasks import distributions
from taskset.tasks.base import Model, Task
from taskset.tasks.initializers import constant
from taskset.tasks.starts import Start, normal, parameter

TARGET = np.array([1.0, -2.0])
CURVATURE = np.array([0.5, 1.0])
DRIFT = np.array([0.3, -0.2])


def own_task(loss, start=(0.0, 0.0)):
    """A task without data: loss(x), x in R^n from a fixed start."""

    def forward(batch, key):
        given = Start(lambda key, shape, dtype: tf.constant(start, dtype), distributions.given(np.array(start)))
        return loss(parameter("x", [len(start)], given))

    return Task("own", "own", {}, Model(forward), "none")


def drifting(rate):
    """x <- x - rate g + theta: what is quadratic in x has outer losses quadratic in theta; smoothing leaves their gradients."""

    def update(theta, grads, state, params, step, loss, validation_loss):
        return {"x": params["x"] - rate * grads["x"] + theta["drift"]}, {"last": theta["drift"]}

    return LearnedOptimizer("drifting", {"drift": ((2,), constant(0.0))}, lambda theta, params: {"last": theta["drift"]}, update)


def quadratic_problem(rate=0.2):
    task = own_task(lambda x: tf.reduce_sum(tf.constant(CURVATURE, x.dtype) * (x - tf.constant(TARGET, x.dtype)) ** 2))
    return Problem(task, drifting(rate), objectives.get("train"), objectives.unscaled, tf.float64)


def quadratic_gradients(length, rate=0.2, since=0):
    """[length, 2]: d L_t / d theta at DRIFT, theta acting from step `since` on."""
    x, derivative, gradients = np.zeros(2), np.zeros(2), []
    for t in range(length):
        gradients.append(2 * CURVATURE * (x - TARGET) * derivative)
        x = x - rate * 2 * CURVATURE * (x - TARGET) + DRIFT
        derivative = derivative * (1 - rate * 2 * CURVATURE) + (t >= since)
    return np.array(gradients)


def mixed_task():
    """A task without data whose loss mixes two tensors: not separable, not homogeneous."""

    def forward(batch, key):
        a, b = parameter("a", [3], normal(1.0)), parameter("b", [2, 2], normal(0.5))
        return tf.reduce_sum(tf.sin(a)) + tf.reduce_sum(b**2) * tf.reduce_sum(a**2) + tf.reduce_sum(b**3)

    return Task("own", "own", {}, Model(forward), "none")


def multiplicative():
    """w <- w (1 - theta sign(g w)), the last gradient in its state: (s w, g / s) moves as (w, g) does, whatever s > 0 is."""

    def update(theta, grads, state, params, step, loss, validation_loss):
        return {path: w * (1 - theta["rate"] * tf.sign(grads[path] * w)) for path, w in params.items()}, {"gradient": grads}

    def init(theta, params):
        return {"gradient": {path: tf.zeros_like(w) for path, w in params.items()}}

    return LearnedOptimizer("multiplicative", {"rate": ((), constant(0.02))}, init, update)


def multiplicative_problem():
    return Problem(mixed_task(), multiplicative(), objectives.get("train"), objectives.unscaled, tf.float64)


def of_length(n):
    return lambda rng, count: np.full(count, n)


def settings(**changes):
    return base.Settings(**{"pairs": 128, "steps": 4, "sigma": 0.1, **changes})


def truncations(estimator, theta, seed, count, lengths):
    """Gradients [count, P] of the first truncations from a seed, theta staying."""
    state, gradients = estimator.init(seed), []
    for _ in range(count):
        estimate, state = estimator.estimate(theta, state, lengths)
        gradients.append(estimate.gradient)
    return np.array(gradients)


def z_scores(samples, exact):
    """(mean - exact) / standard error, along axis 0."""
    samples = np.asarray(samples)
    return (samples.mean(axis=0) - exact) / (samples.std(axis=0, ddof=1) / np.sqrt(len(samples)))


def digits(name="learnable_adam", kind="train", dtype=tf.float32):
    task = taskset.make_task("digits_mlp", {"layer_sizes": [8], "bs": 16}, source="synthetic")
    return Problem(task, optimizers.get(name), objectives.get(kind), objectives.LossScale(2.5, 0.5), dtype)


def first_truncation(unroll):
    return episodes.next_truncation(unroll, episodes.start(0, unroll.pairs), of_length(50), base.together)
