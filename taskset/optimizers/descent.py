"""Gradient descent, with momentum, and with step sizes from squared gradients.

Each rule is a formula for one parameter (w the parameter, g its gradient, t = 1, 2, .. the step) and a constructor.
"""

import tensorflow as tf

from taskset.optimizers.base import Elementwise, Stepped
from taskset.optimizers.settings import elementwise


def sgd_formula(t: tf.Tensor, w: tf.Tensor, g: tf.Tensor, *, learning_rate: tf.Tensor) -> Stepped:
    """w <- w - lr g."""
    del t
    return (w - learning_rate * g,)


def momentum_formula(
    t: tf.Tensor, w: tf.Tensor, g: tf.Tensor, u: tf.Tensor, *, learning_rate: tf.Tensor, momentum: tf.Tensor
) -> Stepped:
    """u <- mu u + g; w <- w - lr u."""
    del t
    u = momentum * u + g
    return w - learning_rate * u, u


def nesterov_formula(
    t: tf.Tensor, w: tf.Tensor, g: tf.Tensor, u: tf.Tensor, *, learning_rate: tf.Tensor, momentum: tf.Tensor
) -> Stepped:
    """u <- mu u + g; w <- w - lr (g + mu u)."""
    del t
    u = momentum * u + g
    return w - learning_rate * (g + momentum * u), u


def rmsprop_formula(
    t: tf.Tensor,
    w: tf.Tensor,
    g: tf.Tensor,
    v: tf.Tensor,
    *,
    learning_rate: tf.Tensor,
    one_minus_rho: tf.Tensor,
    epsilon: tf.Tensor,
) -> Stepped:
    """v <- rho v + (1 - rho) g^2; w <- w - lr g / sqrt(v + eps)."""
    del t
    v = v + one_minus_rho * (tf.square(g) - v)
    return w - learning_rate * g / tf.sqrt(v + epsilon), v


def adagrad_formula(
    t: tf.Tensor, w: tf.Tensor, g: tf.Tensor, a: tf.Tensor, *, learning_rate: tf.Tensor, initial_accumulator_value: tf.Tensor
) -> Stepped:
    """a <- a + g^2; w <- w - lr g / sqrt(a0 + a)."""
    del t
    # a0 is added when a is read: so the state starts at zero for all hyperparameters, and one program serves them.
    a = a + tf.square(g)
    return w - learning_rate * g / tf.sqrt(initial_accumulator_value + a), a


def _rmsprop_hparams(horizon: int, learning_rate: float, rho: float, epsilon: float) -> dict[str, float]:
    del horizon
    return {"learning_rate": learning_rate, "one_minus_rho": 1.0 - rho, "epsilon": epsilon}


def sgd(learning_rate: float, name: str | None = None) -> Elementwise:
    """Stochastic gradient descent: w <- w - lr g. Robbins and Monro 1951."""
    return elementwise("sgd", sgd_formula, (), {"learning_rate": learning_rate}, name)


def momentum(learning_rate: float, momentum: float = 0.9, name: str | None = None) -> Elementwise:
    """Gradient descent with momentum mu: u <- mu u + g; w <- w - lr u. Polyak 1964 (the heavy ball).

    The learning rate is outside the average, so that a change of it acts at once.
    """
    return elementwise("momentum", momentum_formula, ("u",), {"learning_rate": learning_rate, "momentum": momentum}, name)


def nesterov(learning_rate: float, momentum: float = 0.9, name: str | None = None) -> Elementwise:
    """Nesterov's momentum: u <- mu u + g; w <- w - lr (g + mu u).

    Nesterov 1983, written for the point at which the gradient is taken, as in Bengio et al. 2013 (arXiv 1212.0901), section 3.5.
    """
    return elementwise("nesterov", nesterov_formula, ("u",), {"learning_rate": learning_rate, "momentum": momentum}, name)


def rmsprop(learning_rate: float, rho: float = 0.9, epsilon: float = 1e-10, name: str | None = None) -> Elementwise:
    """RMSProp: v <- rho v + (1 - rho) g^2; w <- w - lr g / sqrt(v + eps), v = 0 at the start.

    Tieleman and Hinton 2012 (Neural Networks for Machine Learning, lecture 6.5). eps stands inside the root.
    """
    settings = {"learning_rate": learning_rate, "rho": rho, "epsilon": epsilon}
    return elementwise("rmsprop", rmsprop_formula, ("v",), settings, name, _rmsprop_hparams)


def adagrad(learning_rate: float, initial_accumulator_value: float = 0.1, name: str | None = None) -> Elementwise:
    """Adagrad: a <- a + g^2; w <- w - lr g / sqrt(a), a = initial_accumulator_value at the start.

    Duchi, Hazan and Singer 2011 (JMLR 12), the form with a diagonal matrix. The state holds a minus its initial value.
    """
    settings = {"learning_rate": learning_rate, "initial_accumulator_value": initial_accumulator_value}
    return elementwise("adagrad", adagrad_formula, ("a",), settings, name)
