"""Gradient descent, with momentum, and with a step size per parameter made of squared gradients.

Each rule is a formula for one parameter (w the parameter, g its gradient, t = 1, 2, .. the step) and a constructor.
"""

import tensorflow as tf

from taskset.optimizers.base import Elementwise, as_given
from taskset.optimizers.settings import checked, described


def _fixed(rule, formula, slots, settings, name, translate=as_given):
    settings = checked(rule, settings)
    return Elementwise(name or described(rule, settings), rule, formula, slots, settings, translate)


def sgd_formula(t, w, g, *, learning_rate):
    """w <- w - lr g."""
    del t
    return (w - learning_rate * g,)


def momentum_formula(t, w, g, u, *, learning_rate, momentum):
    """u <- mu u + g; w <- w - lr u."""
    del t
    u = momentum * u + g
    return w - learning_rate * u, u


def nesterov_formula(t, w, g, u, *, learning_rate, momentum):
    """u <- mu u + g; w <- w - lr (g + mu u)."""
    del t
    u = momentum * u + g
    return w - learning_rate * (g + momentum * u), u


def rmsprop_formula(t, w, g, v, *, learning_rate, one_minus_rho, epsilon):
    """v <- rho v + (1 - rho) g^2; w <- w - lr g / sqrt(v + eps)."""
    del t
    v = v + one_minus_rho * (tf.square(g) - v)
    return w - learning_rate * g / tf.sqrt(v + epsilon), v


def adagrad_formula(t, w, g, a, *, learning_rate, initial_accumulator_value):
    """a <- a + g^2; w <- w - lr g / sqrt(a0 + a)."""
    del t
    # a0 is added on reading: the state then starts at zero whatever the hyperparameters, and one program serves them all.
    a = a + tf.square(g)
    return w - learning_rate * g / tf.sqrt(initial_accumulator_value + a), a


def _rmsprop_hparams(horizon, learning_rate, rho, epsilon):
    del horizon
    return {"learning_rate": learning_rate, "one_minus_rho": 1.0 - rho, "epsilon": epsilon}


def sgd(learning_rate, name=None):
    """Stochastic gradient descent: w <- w - lr g. Robbins and Monro 1951."""
    return _fixed("sgd", sgd_formula, (), {"learning_rate": learning_rate}, name)


def momentum(learning_rate, momentum=0.9, name=None):
    """Gradient descent with momentum mu: u <- mu u + g; w <- w - lr u. Polyak 1964 (the heavy ball).

    The learning rate is outside the average, so that it acts at once where it changes.
    """
    return _fixed("momentum", momentum_formula, ("u",), {"learning_rate": learning_rate, "momentum": momentum}, name)


def nesterov(learning_rate, momentum=0.9, name=None):
    """Nesterov's momentum: u <- mu u + g; w <- w - lr (g + mu u).

    Nesterov 1983, written for the point where the gradient is taken as in Bengio et al. 2013 (arXiv 1212.0901), section 3.5.
    """
    return _fixed("nesterov", nesterov_formula, ("u",), {"learning_rate": learning_rate, "momentum": momentum}, name)


def rmsprop(learning_rate, rho=0.9, epsilon=1e-10, name=None):
    """RMSProp: v <- rho v + (1 - rho) g^2; w <- w - lr g / sqrt(v + eps), v = 0 at the start.

    Tieleman and Hinton 2012 (Neural Networks for Machine Learning, lecture 6.5). eps stands inside the root.
    """
    settings = {"learning_rate": learning_rate, "rho": rho, "epsilon": epsilon}
    return _fixed("rmsprop", rmsprop_formula, ("v",), settings, name, _rmsprop_hparams)


def adagrad(learning_rate, initial_accumulator_value=0.1, name=None):
    """Adagrad: a <- a + g^2; w <- w - lr g / sqrt(a), a = initial_accumulator_value at the start.

    Duchi, Hazan and Singer 2011 (JMLR 12), the form with a diagonal matrix. The state holds a less its initial value.
    """
    settings = {"learning_rate": learning_rate, "initial_accumulator_value": initial_accumulator_value}
    return _fixed("adagrad", adagrad_formula, ("a",), settings, name)
