"""NAdam with steps relative to the size of the parameters, at a rate that follows from the number of steps: for one run."""

import math
from dataclasses import dataclass

import tensorflow as tf

from taskset.optimizers.adaptive import moments, weight
from taskset.optimizers.base import Gradients, Hparams, Params, State, Step, in_dtype, positive
from taskset.optimizers.settings import average, checked, described

SMALLEST = 1e-4  # added to sizes, as a root mean square: parameters that are all 0 can leave it


@dataclass(frozen=True, eq=False)
class RelativeNadam:
    """The `Optimizer` that `relative_nadam` makes."""

    name: str
    settings: dict[str, float]
    rule = "relative_nadam"

    def hparams(self, horizon: int) -> dict[str, float]:
        """The hparams for a run of `horizon` steps, {name: float}. Raises `ConfigError` unless horizon is an integer >= 1."""
        steps, settings = positive(horizon), self.settings
        return {
            "learning_rate": settings["travel"] * math.sqrt(3 / steps),
            "horizon": float(steps),
            "epsilon": settings["epsilon"],
            "share": settings["share"],
            **average("beta1", settings["beta1"]),
            **average("beta2", settings["beta2"]),
        }

    def init(self, params: Params) -> State:
        """Zeros for m and v."""
        return {slot: {path: tf.zeros_like(w) for path, w in params.items()} for slot in ("m", "v")}

    def update(self, grads: Gradients, state: State, params: Params, step: Step, hparams: Hparams) -> tuple[Params, State]:
        """(params, state) after one more step; see `Optimizer.update`."""
        moved: Params = {}
        new: State = {"m": {}, "v": {}}
        squares = {path: tf.reduce_sum(tf.square(w)) for path, w in params.items()}
        count = sum(w.shape.num_elements() for w in params.values())
        whole = tf.add_n(list(squares.values())) / count
        least = tf.square(in_dtype(hparams["share"], whole.dtype)) * whole + SMALLEST**2
        for path, w in params.items():
            h = {name: in_dtype(value, w.dtype) for name, value in hparams.items()}
            k, g = tf.cast(step, w.dtype), grads[path]
            m, v = moments(g, state["m"][path], state["v"][path], h["one_minus_beta1"], h["one_minus_beta2"])
            new["m"][path], new["v"][path] = m, v
            ahead = (1 - h["one_minus_beta1"]) * m / weight(h["log_beta1"], k + 2)
            now = h["one_minus_beta1"] * g / weight(h["log_beta1"], k + 1)
            direction = self._direction(ahead + now, tf.sqrt(v / weight(h["log_beta2"], k + 1)) + h["epsilon"], h)
            size = tf.sqrt(squares[path] / w.shape.num_elements() + least)
            rate = h["learning_rate"] * tf.maximum(1 - k / h["horizon"], 0.0)
            moved[path] = w - rate * size * direction
        return moved, new

    def _direction(self, average: tf.Tensor, root: tf.Tensor, hparams: Hparams) -> tf.Tensor:
        """The step of a parameter over its size and the rate. average: of gradients; root: of their mean square."""
        del hparams
        return average / root


def relative_nadam(
    travel: float = 0.75,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    share: float = 0.1,
    name: str | None = None,
) -> RelativeNadam:
    """w <- w - lr (1 - (t - 1) / T) s n, t = 1, 2, .., T; lr = travel (3 / T)^.5; s^2 = |w|^2 + share^2 |all w|^2 + 1e-8.

    |.|^2: mean square over the entries of a parameter, and over those of all, so that biases leave their start at 0. The squares
    of all T rates add up to travel^2 (1 + 1/T) (1 + 1/(2T)): an entry whose steps were independent of each other, and as large as
    the rate, would be moved by about `travel` of its size over the run, whatever T is. Give a model a random start: where all
    parameters are 0, they hardly move.

    n = (b1 m / (1 - b1^(t+1)) + (1 - b1) g / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps): NAdam's direction (Dozat 2016), m and v
    as in `adam`. Steps relative to the parameters are Adafactor's (Shazeer and Stern 2018, arXiv 1804.04235, section 8).
    That the best rate falls like T^-.5, and how large it is, was found on training tasks here (docs/one_run_history.md).
    """
    settings = {"travel": travel, "beta1": beta1, "beta2": beta2, "epsilon": epsilon, "share": share}
    settings = checked("relative_nadam", settings)
    return RelativeNadam(name or described("relative_nadam", settings), settings)
