"""Hand-designed rules whose hyperparameters are theta: few enough weights to test estimators of outer gradients on.

Theta is in logarithms, so that a step of one size means the same anywhere. The rules are those of `taskset.optimizers`: momentum
sums gradients (u <- beta u + g), and Adam's averages are bias-corrected, as Kingma and Ba (arXiv 1412.6980) define it.
"""

from __future__ import annotations

import math

import tensorflow as tf

from learned.optimizers.base import LearnedOptimizer
from taskset.optimizers.adaptive import moments, weight
from taskset.optimizers.base import Elementwise, as_given
from taskset.optimizers.descent import momentum_formula, sgd_formula
from taskset.tasks.initializers import constant


def _learnable(name, formula, slots, start, hparams):
    """`formula` with the hyperparameters `hparams(theta)`; start: {path of theta: initial value}."""
    rule = Elementwise(name, name, formula, slots, {}, as_given)

    def init(theta, params):
        del theta
        return rule.init(params)

    def update(theta, grads, state, params, step, loss, validation_loss):
        del loss, validation_loss
        return rule.update(grads, state, params, step, hparams(theta))

    return LearnedOptimizer(name, {path: ((), constant(value)) for path, value in start.items()}, init, update)


def learnable_sgd() -> LearnedOptimizer:
    """w <- w - lr g, theta = log lr, at first log .01."""

    def hparams(theta):
        return {"learning_rate": tf.exp(theta["log_learning_rate"])}

    return _learnable("learnable_sgd", sgd_formula, (), {"log_learning_rate": math.log(0.01)}, hparams)


def learnable_sgdm() -> LearnedOptimizer:
    """u <- beta u + g, w <- w - lr u, theta = (log lr, log(1 - beta)), at first lr = .01, beta = .9."""

    def hparams(theta):
        return {
            "learning_rate": tf.exp(theta["log_learning_rate"]),
            "momentum": -tf.math.expm1(theta["log_one_minus_beta"]),
        }

    start = {"log_learning_rate": math.log(0.01), "log_one_minus_beta": math.log(0.1)}
    return _learnable("learnable_sgdm", momentum_formula, ("u",), start, hparams)


def differentiable_adam_formula(t, w, g, m, v, *, learning_rate, one_minus_beta1, log_beta1, one_minus_beta2, log_beta2, epsilon):
    """The numbers of `taskset.optimizers.adaptive.adam_formula`; the derivative of sqrt(v) at v = 0 is 0.

    The root's own is infinite there. A parameter whose gradient has been 0 so far (a weight of a pixel that is always 0, of a
    ReLU that is off) has m = v = 0 whatever theta is, but under XLA infinity times 0 would make all gradients of theta NaN
    (TensorFlow's kernel for it has 0 there).
    """
    m, v = moments(g, m, v, one_minus_beta1, one_minus_beta2)
    rate = learning_rate * tf.sqrt(weight(log_beta2, t)) / weight(log_beta1, t)
    positive = v > 0
    # Without the inner `where`, the zero gradient of the outer one would meet the infinite one and become NaN.
    root = tf.where(positive, tf.sqrt(tf.where(positive, v, tf.ones_like(v))), tf.zeros_like(v))
    return w - rate * m / (root + epsilon), m, v


def learnable_adam() -> LearnedOptimizer:
    """Adam, theta = (log lr, log(1 - beta1), log(1 - beta2), log epsilon), at first lr = .001, .9, .999, 1e-8."""

    def hparams(theta):
        one_minus_beta1, one_minus_beta2 = (tf.exp(theta[f"log_one_minus_beta{i}"]) for i in (1, 2))
        return {
            "learning_rate": tf.exp(theta["log_learning_rate"]),
            "one_minus_beta1": one_minus_beta1,
            "log_beta1": tf.math.log1p(-one_minus_beta1),
            "one_minus_beta2": one_minus_beta2,
            "log_beta2": tf.math.log1p(-one_minus_beta2),
            "epsilon": tf.exp(theta["log_epsilon"]),
        }

    start = {
        "log_learning_rate": math.log(0.001),
        "log_one_minus_beta1": math.log(0.1),
        "log_one_minus_beta2": math.log(0.001),
        "log_epsilon": math.log(1e-8),
    }
    return _learnable("learnable_adam", differentiable_adam_formula, ("m", "v"), start, hparams)
