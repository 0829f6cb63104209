"""Adam, and its two extensions with decaying learning rates (6 and 8 hyperparameters).

w is the parameter, g its gradient, m and v the moving averages of g and g^2, t = 1, 2, .. the step being taken.
"""

import tensorflow as tf

from taskset.optimizers.base import Elementwise, Stepped
from taskset.optimizers.settings import elementwise, with_averages

ROOT_EPSILON = 1e-10  # adam6p and adam8p: under the square root, beside the epsilon outside it
RELEASE_STEPS = 10000  # the run length for which adam6p's decays are defined


def moments(
    g: tf.Tensor, m: tf.Tensor, v: tf.Tensor, one_minus_beta1: tf.Tensor, one_minus_beta2: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """(m, v) after g: m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2.

    Written as m + (1 - b1)(g - m), whose fixed point is g whatever the rounding of b1.
    """
    return m + one_minus_beta1 * (g - m), v + one_minus_beta2 * (tf.square(g) - v)


def weight(log_beta: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    """1 - beta^t, exact to rounding even for beta near 1 (float32 pow is off by 1.3 per cent for beta = 1 - 1e-6, t = 1)."""
    return -tf.math.expm1(t * log_beta)


def adam_formula(
    t: tf.Tensor,
    w: tf.Tensor,
    g: tf.Tensor,
    m: tf.Tensor,
    v: tf.Tensor,
    *,
    learning_rate: tf.Tensor,
    one_minus_beta1: tf.Tensor,
    log_beta1: tf.Tensor,
    one_minus_beta2: tf.Tensor,
    log_beta2: tf.Tensor,
    epsilon: tf.Tensor,
) -> Stepped:
    """w <- w - lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps), after `moments`."""
    m, v = moments(g, m, v, one_minus_beta1, one_minus_beta2)
    rate = learning_rate * tf.sqrt(weight(log_beta2, t)) / weight(log_beta1, t)
    return w - rate * m / (tf.sqrt(v) + epsilon), m, v


def adam6p_formula(
    t: tf.Tensor,
    w: tf.Tensor,
    g: tf.Tensor,
    m: tf.Tensor,
    v: tf.Tensor,
    *,
    learning_rate: tf.Tensor,
    one_minus_beta1: tf.Tensor,
    log_beta1: tf.Tensor,
    one_minus_beta2: tf.Tensor,
    log_beta2: tf.Tensor,
    epsilon: tf.Tensor,
    linear_decay: tf.Tensor,
    exponential_decay: tf.Tensor,
) -> Stepped:
    """w <- w - lr d mh / (sqrt(vh + 1e-10) + eps), after `moments`; mh = m / (1 - b1^t), vh = v / (1 - b2^t).

    d = max(1 - linear_decay (t - 1), 0) exp(-exponential_decay (t - 1)), the decays being per step.
    """
    m, v = moments(g, m, v, one_minus_beta1, one_minus_beta2)
    decay = tf.maximum(1.0 - linear_decay * (t - 1), 0.0) * tf.exp(-exponential_decay * (t - 1))
    mh, vh = m / weight(log_beta1, t), v / weight(log_beta2, t)
    return w - learning_rate * decay * mh / (tf.sqrt(vh + ROOT_EPSILON) + epsilon), m, v


def adam8p_formula(
    t: tf.Tensor, w: tf.Tensor, g: tf.Tensor, m: tf.Tensor, v: tf.Tensor, *, l1: tf.Tensor, l2: tf.Tensor, **hparams: tf.Tensor
) -> Stepped:
    """`adam6p_formula` on the gradient g + 2 l2 w + l1 sign(w) of the loss with both penalties."""
    return adam6p_formula(t, w, g + 2.0 * l2 * w + l1 * tf.sign(w), m, v, **hparams)


def _adam_hparams(horizon: int, **settings: float) -> dict[str, float]:
    del horizon
    return with_averages(settings)


def _adam6p_hparams(horizon: int, *, linear_decay: float, exponential_decay: float, **others: float) -> dict[str, float]:
    per_step = RELEASE_STEPS / horizon
    decays = {"linear_decay": linear_decay * per_step, "exponential_decay": exponential_decay * per_step}
    return {**_adam_hparams(horizon, **others), **decays}


def adam(
    learning_rate: float, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8, name: str | None = None
) -> Elementwise:
    """Adam: w <- w - lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + eps).

    m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2, both 0 at the start. Kingma and Ba 2015 (arXiv 1412.6980), the form at the
    end of section 2 ("epsilon hat"), not algorithm 1: there eps is scaled by sqrt(1 - b2^t), which matters where eps is large.
    """
    settings = {"learning_rate": learning_rate, "beta1": beta1, "beta2": beta2, "epsilon": epsilon}
    return elementwise("adam", adam_formula, ("m", "v"), settings, name, _adam_hparams)


def adam6p(
    learning_rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    linear_decay: float = 0.0,
    exponential_decay: float = 0.0,
    name: str | None = None,
) -> Elementwise:
    """Adam with two decays: w <- w - lr max(1 - linear_decay s, 0) exp(-exponential_decay s) mh / (sqrt(vh + 1e-10) + eps).

    mh = m / (1 - b1^t), vh = v / (1 - b2^t), s = (t - 1) 10000 / T for a run of T steps: the decays are meant for 10000 steps
    and scale with the run. Metz et al. 2020 (arXiv 2002.11887), Adam6p, as released.
    """
    settings = {
        "learning_rate": learning_rate,
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": epsilon,
        "linear_decay": linear_decay,
        "exponential_decay": exponential_decay,
    }
    return elementwise("adam6p", adam6p_formula, ("m", "v"), settings, name, _adam6p_hparams)


def adam8p(
    learning_rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    l1: float = 0.0,
    l2: float = 0.0,
    linear_decay: float = 0.0,
    exponential_decay: float = 0.0,
    name: str | None = None,
) -> Elementwise:
    """`adam6p` on the gradient g + 2 l2 w + l1 sign(w), with s = t - 1: its decays are per step, whatever the run's length.

    Metz et al. 2020 (arXiv 2002.11887), Adam8p, as released: there, 8p doesn't get the run's length.
    """
    settings = {
        "learning_rate": learning_rate,
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": epsilon,
        "l1": l1,
        "l2": l2,
        "linear_decay": linear_decay,
        "exponential_decay": exponential_decay,
    }
    return elementwise("adam8p", adam8p_formula, ("m", "v"), settings, name, _adam_hparams)
