"""NAdamW with a warm-up and a cosine decay, as it was released and as its paper means it.

w is the parameter, g its gradient, m and v the moving averages of g and g^2, t = 1, 2, .. the step being taken.
"""

import math

import tensorflow as tf

from taskset.optimizers.adaptive import moments, weight
from taskset.optimizers.base import Elementwise, Stepped
from taskset.optimizers.settings import average, elementwise


def schedule(
    k: tf.Tensor,
    *,
    learning_rate: tf.Tensor,
    min_learning_rate_mult: tf.Tensor,
    horizon: tf.Tensor,
    warmup_steps: tf.Tensor,
    decay_steps: tf.Tensor,
) -> tf.Tensor:
    """The learning rate after k = 0, 1, .. steps: up along a line, level, then down along half a cosine.

    With c = horizon - decay_steps: lr k / warmup_steps for k < warmup_steps; lr until c; then, k' = min(k, horizon),
    (lr - low) (cos(pi (k' - c) / decay_steps) + 1) / 2 + low, low = min_learning_rate_mult lr. Loshchilov and Hutter 2017 (arXiv
    1608.03983), equation 5, one period. With decay_steps = 0 it stays level.
    """
    left = horizon - tf.minimum(k, horizon)
    # (1 + cos(pi - x)) / 2 = sin(x / 2)^2, counted from the end: no cancellation, and exactly `low` there.
    falling = tf.square(tf.sin(math.pi / 2 * tf.math.divide_no_nan(left, decay_steps)))
    height = tf.where(left < decay_steps, falling, tf.ones_like(falling))
    ramp = tf.where(k < warmup_steps, tf.math.divide_no_nan(k, warmup_steps), tf.ones_like(k))
    return learning_rate * ramp * (min_learning_rate_mult + (1.0 - min_learning_rate_mult) * height)


def nadamw_published_formula(
    t: tf.Tensor,
    w: tf.Tensor,
    g: tf.Tensor,
    m: tf.Tensor,
    v: tf.Tensor,
    *,
    one_minus_beta1: tf.Tensor,
    log_beta1: tf.Tensor,
    one_minus_beta2: tf.Tensor,
    log_beta2: tf.Tensor,
    epsilon: tf.Tensor,
    l2_weight_decay: tf.Tensor,
    adamw_weight_decay: tf.Tensor,
    **scheduled: tf.Tensor,
) -> Stepped:
    """w <- w - lr_t (m / (sqrt(v) + eps) + adamw_weight_decay w), after `moments` of g - l2_weight_decay w.

    lr_t = schedule(t - 1) sqrt(1 - b2^t) / (1 - b1^t).
    """
    m, v = moments(g - l2_weight_decay * w, m, v, one_minus_beta1, one_minus_beta2)
    rate = schedule(t - 1, **scheduled) * tf.sqrt(weight(log_beta2, t)) / weight(log_beta1, t)
    return w - rate * (m / (tf.sqrt(v) + epsilon) + adamw_weight_decay * w), m, v


def nadamw_corrected_formula(
    t: tf.Tensor,
    w: tf.Tensor,
    g: tf.Tensor,
    m: tf.Tensor,
    v: tf.Tensor,
    *,
    one_minus_beta1: tf.Tensor,
    log_beta1: tf.Tensor,
    one_minus_beta2: tf.Tensor,
    log_beta2: tf.Tensor,
    epsilon: tf.Tensor,
    l2_weight_decay: tf.Tensor,
    adamw_weight_decay: tf.Tensor,
    use_nesterov: tf.Tensor,
    **scheduled: tf.Tensor,
) -> Stepped:
    """w <- w - lr_t (n / (sqrt(v) + eps) + adamw_weight_decay w), after `moments` of g <- g + l2_weight_decay w.

    n = b1 m + (1 - b1) g where use_nesterov is 1, m where it is 0; lr_t = schedule(t - 1) sqrt(1 - b2^t) / (1 - b1^t).
    """
    g = g + l2_weight_decay * w
    m, v = moments(g, m, v, one_minus_beta1, one_minus_beta2)
    n = tf.where(use_nesterov > 0.5, m + one_minus_beta1 * (g - m), m)
    rate = schedule(t - 1, **scheduled) * tf.sqrt(weight(log_beta2, t)) / weight(log_beta1, t)
    return w - rate * (n / (tf.sqrt(v) + epsilon) + adamw_weight_decay * w), m, v


def _hparams(
    horizon: int, *, beta1: float, beta2: float, warmup_fraction: float, constant_fraction: float, **as_they_are: float
) -> dict[str, float]:
    return {
        **as_they_are,
        **average("beta1", beta1),
        **average("beta2", beta2),
        "horizon": horizon,
        "warmup_steps": min(warmup_fraction, constant_fraction) * horizon,
        "decay_steps": (1.0 - constant_fraction) * horizon,
    }


def nadamw_published(
    learning_rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    adamw_weight_decay: float = 0.0,
    l2_weight_decay: float = 0.0,
    warmup_fraction: float = 0.0,
    min_learning_rate_mult: float = 1.0,
    constant_fraction: float = 1.0,
    name: str | None = None,
) -> Elementwise:
    """NAdamW as it was run for the published curves and the learned list: `nadamw_grid`.

    g <- g - l2 w; m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2; w <- w - lr_t (m / (sqrt(v) + eps) + adamw_weight_decay w),
    lr_t = schedule(t - 1) sqrt(1 - b2^t) / (1 - b1^t). Metz et al. 2020 (arXiv 2002.11887), NAdamW. Like the release, it
    departs from the paper in the sign of l2, and has no Nesterov momentum whatever the config says; `nadamw_corrected` has both.
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
    return elementwise("nadamw_published", nadamw_published_formula, ("m", "v"), settings, name, _hparams)


def nadamw_corrected(
    learning_rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    adamw_weight_decay: float = 0.0,
    l2_weight_decay: float = 0.0,
    use_nesterov: bool = True,
    warmup_fraction: float = 0.0,
    min_learning_rate_mult: float = 1.0,
    constant_fraction: float = 1.0,
    name: str | None = None,
) -> Elementwise:
    """NAdamW: g <- g + l2 w, Nesterov momentum if use_nesterov, decoupled weight decay, warm-up and cosine decay.

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
    return elementwise("nadamw_corrected", nadamw_corrected_formula, ("m", "v"), settings, name, _hparams)
