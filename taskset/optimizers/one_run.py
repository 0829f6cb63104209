"""Rules meant to need a single run: without a learning rate to tune, or without a schedule. And Lion, which needs less memory.

w is the parameter, g its gradient, t = 1, 2, .. the step being taken, T the run's length.
"""

from dataclasses import dataclass

import tensorflow as tf

from taskset.errors import ConfigError
from taskset.optimizers.adaptive import weight
from taskset.optimizers.base import Elementwise, Gradients, Hparams, Params, State, Step, Stepped, beside, in_dtype, positive
from taskset.optimizers.nadamw import schedule
from taskset.optimizers.settings import average, checked, described, elementwise


def lion_formula(
    t: tf.Tensor,
    w: tf.Tensor,
    g: tf.Tensor,
    m: tf.Tensor,
    *,
    learning_rate: tf.Tensor,
    beta1: tf.Tensor,
    beta2: tf.Tensor,
    weight_decay: tf.Tensor,
) -> Stepped:
    """w <- w - lr (sign(b1 m + (1 - b1) g) + weight_decay w); m <- b2 m + (1 - b2) g."""
    del t
    return w - learning_rate * (tf.sign(m + (1 - beta1) * (g - m)) + weight_decay * w), m + (1 - beta2) * (g - m)


def lion(
    learning_rate: float = 1e-4, beta1: float = 0.9, beta2: float = 0.99, weight_decay: float = 0.0, name: str | None = None
) -> Elementwise:
    """Lion: w <- w - lr (sign(b1 m + (1 - b1) g) + weight_decay w); m <- b2 m + (1 - b2) g, 0 at the start.

    Chen et al. 2023 (arXiv 2302.06675), algorithm 2. Its learning rates are 3 to 10 times smaller than Adam's.
    """
    settings = {"learning_rate": learning_rate, "beta1": beta1, "beta2": beta2, "weight_decay": weight_decay}
    return elementwise("lion", lion_formula, ("m",), settings, name)


def averaging_weight(t: tf.Tensor, warmup_steps: tf.Tensor) -> tf.Tensor:
    """c_t = k_t^2 / sum of k_i^2 over i = 1 .. t, where k_i = min(1, i / warmup_steps): the sum of squares in closed form."""
    rising = 6 * t / ((t + 1) * (2 * t + 1))
    warmed = tf.math.divide_no_nan((warmup_steps + 1) * (2 * warmup_steps + 1), 6 * warmup_steps)
    return tf.where(t <= warmup_steps, rising, 1 / (warmed + tf.maximum(t - warmup_steps, 1)))


def schedule_free_adamw_formula(
    t: tf.Tensor,
    w: tf.Tensor,
    g: tf.Tensor,
    ahead: tf.Tensor,
    v: tf.Tensor,
    *,
    learning_rate: tf.Tensor,
    beta1: tf.Tensor,
    one_minus_beta2: tf.Tensor,
    log_beta2: tf.Tensor,
    epsilon: tf.Tensor,
    weight_decay: tf.Tensor,
    warmup_steps: tf.Tensor,
) -> Stepped:
    """`schedule_free_adamw` for y = w and ahead = z - y, the only slot besides v: x = y - (1 - b1) / b1 (z - y)."""
    v = v + one_minus_beta2 * (tf.square(g) - v)
    rate = learning_rate * tf.where(t < warmup_steps, tf.math.divide_no_nan(t, warmup_steps), tf.ones_like(t))
    x = w - (1 - beta1) / beta1 * ahead
    z = w + ahead - rate * (g / (tf.sqrt(v / weight(log_beta2, t)) + epsilon) + weight_decay * w)
    x = x + averaging_weight(t, warmup_steps) * (z - x)
    return x + (1 - beta1) * (z - x), beta1 * (z - x), v


class ScheduleFree(Elementwise):
    """An `Elementwise` whose runs are judged at the average x, while gradients are taken at y."""

    def evaluated(self, params: Params, state: State, hparams: Hparams) -> Params:
        """x = y - (1 - b1) / b1 (z - y)."""
        beta1 = hparams["beta1"]
        return {path: y - beside((1 - beta1) / beta1, y) * state["ahead"][path] for path, y in params.items()}


def _schedule_free_hparams(horizon: int, *, beta2: float, warmup_fraction: float, **as_they_are: float) -> dict[str, float]:
    return {**as_they_are, **average("beta2", beta2), "warmup_steps": round(warmup_fraction * horizon)}


def schedule_free_adamw(
    learning_rate: float = 0.0025,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
    warmup_fraction: float = 0.0,
    name: str | None = None,
) -> ScheduleFree:
    """Schedule-free AdamW: gradients at y = (1 - b1) z + b1 x; the run is judged at x, an average of z.

    v <- b2 v + (1 - b2) g(y)^2; z <- z - lr k_t (g(y) / (sqrt(v / (1 - b2^t)) + eps) + weight_decay y); x <- (1 - c_t) x + c_t z,
    c_t = k_t^2 / sum of k_i^2, k_t = min(1, t / round(warmup_fraction T)); without warm-up c_t = 1 / t. x = z = y = w at first.
    Defazio et al. 2024 (arXiv 2405.15682), algorithm 1, with v corrected for its bias where the paper scales the rate.

    The parameters of a run are y, whose losses are those of training; `evaluated` returns x. Raises `ConfigError` for beta1 = 0,
    for which y doesn't depend on x.
    """
    rule = "schedule_free_adamw"
    settings = {
        "learning_rate": learning_rate,
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": epsilon,
        "weight_decay": weight_decay,
        "warmup_fraction": warmup_fraction,
    }
    settings = checked(rule, settings)
    if settings["beta1"] == 0:
        raise ConfigError(f"beta1 {beta1!r} of {rule}: allowed is a number in 0 < beta1 < 1; change it and call {rule} again")
    slots = ("ahead", "v")
    return ScheduleFree(
        name or described(rule, settings), rule, schedule_free_adamw_formula, slots, settings, _schedule_free_hparams
    )


@dataclass(frozen=True, eq=False)
class Prodigy:
    """The `Optimizer` that `prodigy` makes."""

    name: str
    settings: dict[str, float]
    rule = "prodigy"

    def hparams(self, horizon: int) -> dict[str, float]:
        """The hparams for a run of `horizon` steps, {name: float}. Raises `ConfigError` unless horizon is an integer >= 1."""
        steps, constant = positive(horizon), self.settings["constant_fraction"]
        settings = {name: value for name, value in self.settings.items() if name != "constant_fraction"}
        return {**settings, "horizon": float(steps), "decay_steps": (1 - constant) * steps}

    def init(self, params: Params) -> State:
        """The start x_0, zeros for m, v and s, and the scalars r and d - d_0, of all parameters together."""
        zeros = {slot: {path: tf.zeros_like(w) for path, w in params.items()} for slot in ("m", "v", "s")}
        zero = tf.zeros([], next(iter(params.values())).dtype)
        return {**zeros, "start": dict(params), "r": zero, "grown": zero}

    def update(self, grads: Gradients, state: State, params: Params, step: Step, hparams: Hparams) -> tuple[Params, State]:
        """(params, state) after one more step; see `Optimizer.update`."""
        dtype = next(iter(params.values())).dtype
        h = {name: in_dtype(value, dtype) for name, value in hparams.items()}
        beta1, beta2, root = h["beta1"], h["beta2"], tf.sqrt(h["beta2"])
        rate = schedule(
            tf.cast(step, dtype), learning_rate=h["learning_rate"], min_learning_rate_mult=tf.zeros([], dtype),
            horizon=h["horizon"], warmup_steps=tf.zeros([], dtype), decay_steps=h["decay_steps"],
        )  # fmt: skip
        d = h["initial_distance"] + state["grown"]
        share = (1 - root) * rate * d * d
        new: State = {"m": {}, "v": {}, "s": {}, "start": state["start"]}
        moved: Params = {}
        inner, norm = [], []
        for path, w in params.items():
            g = grads[path]
            new["m"][path] = beta1 * state["m"][path] + (1 - beta1) * d * g
            new["v"][path] = beta2 * state["v"][path] + (1 - beta2) * tf.square(d * g)
            new["s"][path] = root * state["s"][path] + share * g
            inner.append(tf.reduce_sum(g * (state["start"][path] - w)))
            norm.append(tf.reduce_sum(tf.abs(new["s"][path])))
            moved[path] = w - rate * d * new["m"][path] / (tf.sqrt(new["v"][path]) + d * h["epsilon"])
        new["r"] = root * state["r"] + share * tf.add_n(inner)
        estimate = tf.math.divide_no_nan(new["r"], tf.add_n(norm))
        new["grown"] = tf.maximum(state["grown"], estimate - h["initial_distance"])
        return moved, new


def prodigy(
    learning_rate: float = 1.0,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    initial_distance: float = 1e-6,
    constant_fraction: float = 0.0,
    name: str | None = None,
) -> Prodigy:
    """Prodigy in Adam's form: it finds the size of its steps, d, from how far the parameters have come.

    With rate l_t, level until constant_fraction T and then falling to 0 along a cosine, and sums over all parameters:
    m <- b1 m + (1 - b1) d g; v <- b2 v + (1 - b2) d^2 g^2; r <- sqrt(b2) r + (1 - sqrt(b2)) l_t d^2 <g, x_0 - x>;
    s <- sqrt(b2) s + (1 - sqrt(b2)) l_t d^2 g; x <- x - l_t d m / (sqrt(v) + d eps); then d <- max(d, r / sum of abs s).
    x_0: the start; d = initial_distance at first. Mishchenko and Defazio 2023 (arXiv 2306.06101), algorithm 4; the cosine is the
    schedule that they recommend.
    """
    settings = {
        "learning_rate": learning_rate,
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": epsilon,
        "initial_distance": initial_distance,
        "constant_fraction": constant_fraction,
    }
    settings = checked("prodigy", settings)
    return Prodigy(name or described("prodigy", settings), settings)
