"""NAdamW with a warm-up and a cosine decay, as published and as meant.

w is the parameter, g its gradient, m and v the moving averages of g and g^2, t = 1, 2, .. the step being taken.
"""

import math

import tensorflow as tf

from taskset.optimizers.adaptive import moments, weight
from taskset.optimizers.base import Elementwise
from taskset.optimizers.settings import average, checked, described


def schedule(k, *, learning_rate, min_learning_rate_mult, horizon, warmup_steps, decay_steps):
    """The learning rate after k = 0, 1, .. steps: up along a line, level, then down along half a cosine.

    With c = horizon - decay_steps: lr k / warmup_steps for k < warmup_steps; lr until c; then, k' = min(k, horizon),
    (lr - low) (cos(pi (k' - c) / decay_steps) + 1) / 2 + low, low = min_learning_rate_mult lr. Loshchilov and Hutter 2017 (arXiv
    1608.03983), equation 5, one period. decay_steps = 0 stays level for ever.
    """
    left = horizon - tf.minimum(k, horizon)
    # (1 + cos(pi - x)) / 2 = sin(x / 2)^2, counted from the end: no cancellation, and exactly `low` there.
    falling = tf.square(tf.sin(math.pi / 2 * tf.math.divide_no_nan(left, decay_steps)))
    height = tf.where(left < decay_steps, falling, tf.ones_like(falling))
    ramp = tf.where(k < warmup_steps, tf.math.divide_no_nan(k, warmup_steps), tf.ones_like(k))
    return learning_rate * ramp * (min_learning_rate_mult + (1.0 - min_learning_rate_mult) * height)


def nadamw_published_formula(
    t,
    w,
    g,
    m,
    v,
    *,
    one_minus_beta1,
    log_beta1,
    one_minus_beta2,
    log_beta2,
    epsilon,
    l2_weight_decay,
    adamw_weight_decay,
    **scheduled,
):
    """w <- w - lr_t (m / (sqrt(v) + eps) + adamw_weight_decay w), after `moments` of g - l2_weight_decay w.

    lr_t = schedule(t - 1) sqrt(1 - b2^t) / (1 - b1^t).
    """
    m, v = moments(g - l2_weight_decay * w, m, v, one_minus_beta1, one_minus_beta2)
    rate = schedule(t - 1, **scheduled) * tf.sqrt(weight(log_beta2, t)) / weight(log_beta1, t)
    return w - rate * (m / (tf.sqrt(v) + epsilon) + adamw_weight_decay * w), m, v


def nadamw_corrected_formula(
    t,
    w,
    g,
    m,
    v,
    *,
    one_minus_beta1,
    log_beta1,
    one_minus_beta2,
    log_beta2,
    epsilon,
    l2_weight_decay,
    adamw_weight_decay,
    use_nesterov,
    **scheduled,
):
    """w <- w - lr_t (n / (sqrt(v) + eps) + adamw_weight_decay w), after `moments` of g <- g + l2_weight_decay w.

    n = b1 m + (1 - b1) g where use_nesterov is 1, m where it is 0; lr_t = schedule(t - 1) sqrt(1 - b2^t) / (1 - b1^t).
    """
    g = g + l2_weight_decay * w
    m, v = moments(g, m, v, one_minus_beta1, one_minus_beta2)
    n = tf.where(use_nesterov > 0.5, m + one_minus_beta1 * (g - m), m)
    rate = schedule(t - 1, **scheduled) * tf.sqrt(weight(log_beta2, t)) / weight(log_beta1, t)
    return w - rate * (n / (tf.sqrt(v) + epsilon) + adamw_weight_decay * w), m, v


def _hparams(horizon, *, beta1, beta2, warmup_fraction, constant_fraction, **as_they_are):
    return {
        **as_they_are,
        **average("beta1", beta1),
        **average("beta2", beta2),
        "horizon": horizon,
        "warmup_steps": min(warmup_fraction, constant_fraction) * horizon,
        "decay_steps": (1.0 - constant_fraction) * horizon,
    }


def _make(rule, formula, settings, name):
    settings = checked(rule, settings)
    return Elementwise(name or described(rule, settings), rule, formula, ("m", "v"), settings, _hparams)


def nadamw_published(
    learning_rate,
    beta1=0.9,
    beta2=0.999,
    epsilon=1e-8,
    adamw_weight_decay=0.0,
    l2_weight_decay=0.0,
    warmup_fraction=0.0,
    min_learning_rate_mult=1.0,
    constant_fraction=1.0,
    name=None,
):
    """NAdamW as it was run for the published curves and the learned list: `nadamw_grid`.

    g <- g - l2 w; m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2; w <- w - lr_t (m / (sqrt(v) + eps) + adamw_weight_decay w),
    lr_t = schedule(t - 1) sqrt(1 - b2^t) / (1 - b1^t). Metz et al. 2020 (arXiv 2002.11887), NAdamW. It departs from the paper as
    the release does: the sign of l2, and no Nesterov momentum whatever the config says. `nadamw_corrected` is the one meant.
    The fractions are of the run's length T; the warm-up takes the lesser of the two.
    """
    settings = {
        "learning_rate": learning_rate,
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": epsilon,
        "adamw_weight_decay": adamw_weight_decay,
        "l2_weight_decay": l2_weight_decay,
        "warmup_fraction": warmup_fraction,
        "min_learning_rate_mult": min_learning_rate_mult,
        "constant_fraction": constant_fraction,
    }
    return _make("nadamw_published", nadamw_published_formula, settings, name)


def nadamw_corrected(
    learning_rate,
    beta1=0.9,
    beta2=0.999,
    epsilon=1e-8,
    adamw_weight_decay=0.0,
    l2_weight_decay=0.0,
    use_nesterov=True,
    warmup_fraction=0.0,
    min_learning_rate_mult=1.0,
    constant_fraction=1.0,
    name=None,
):
    """NAdamW: g <- g + l2 w, Nesterov momentum where use_nesterov says so, decoupled weight decay, warm-up and cosine decay.

    m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2; n = b1 m + (1 - b1) g (m without Nesterov);
    w <- w - lr_t (n / (sqrt(v) + eps) + adamw_weight_decay w), lr_t = schedule(t - 1) sqrt(1 - b2^t) / (1 - b1^t).
    Dozat 2016 (Nesterov in Adam), Loshchilov and Hutter 2019 (arXiv 1711.05101, decoupled decay), Metz et al. 2020 (arXiv
    2002.11887), NAdamW. The fractions are of the run's length T; the warm-up takes the lesser of the two.
    """
    settings = {
        "learning_rate": learning_rate,
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": epsilon,
        "adamw_weight_decay": adamw_weight_decay,
        "l2_weight_decay": l2_weight_decay,
        "use_nesterov": use_nesterov,
        "warmup_fraction": warmup_fraction,
        "min_learning_rate_mult": min_learning_rate_mult,
        "constant_fraction": constant_fraction,
    }
    return _make("nadamw_corrected", nadamw_corrected_formula, settings, name)
