"""A learned optimizer from outside the package: `python -m learned train --optimizer learned_momentum --import THIS_FILE ..`."""

import tensorflow as tf

import learned
from taskset.tasks.initializers import constant


@learned.register_optimizer("learned_momentum")
def learned_momentum():
    """m <- d m + (1 - d) g; p <- p - exp(rate) m / sqrt(mean(m^2) + 1e-8), with d = sigmoid(decay); theta = (rate, decay)."""

    def init(theta, params):
        return {path: tf.zeros_like(p) for path, p in params.items()}

    def update(theta, grads, state, params, step, loss, validation_loss):
        d = tf.sigmoid(theta["decay"])
        m = {path: d * state[path] + (1 - d) * g for path, g in grads.items()}
        moves = {path: x * tf.math.rsqrt(tf.reduce_mean(x**2) + 1e-8) for path, x in m.items()}
        return {path: p - tf.exp(theta["rate"]) * moves[path] for path, p in params.items()}, m

    return learned.LearnedOptimizer(
        "learned_momentum", {"rate": ((), constant(-4.0)), "decay": ((), constant(2.0))}, init, update
    )
