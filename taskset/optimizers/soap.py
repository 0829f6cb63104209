"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner.

Each axis of a parameter with two or more axes has a basis of its own, also those of convolution kernels [height, width, in, out]
and of stacked weights, as in the authors' implementation; an axis longer than `max_dimension`, or of length 1, has none.
"""

from dataclasses import dataclass

import tensorflow as tf
from tensorflow.python.ops.parallel_for import pfor  # the only place where vectorized_map learns of further operations

from taskset.optimizers.adaptive import moments, weight
from taskset.optimizers.base import Gradients, Hparams, Params, State, Step, in_dtype, positive
from taskset.optimizers.settings import checked, count, described, with_averages

PROGRAM = ("frequency", "max_dimension")
FAR = 1e9  # from 1: squares of numbers up to it are well within float32

if "Qr" not in pfor._pfor_converter_registry:

    @pfor.RegisterPFor("Qr")
    def _several_qr(given):
        """The QR decompositions of all copies at once, for `tf.vectorized_map`, which lacks them."""
        parts = tf.linalg.qr(given.stacked_input(0), full_matrices=given.get_attr("full_matrices"))
        return [pfor.wrap(part, True) for part in parts]


def along(tensor: tf.Tensor, axis: int, matrix: tf.Tensor) -> tf.Tensor:
    """sum over j of tensor[.., j, ..] matrix[j, i], i in the place of j, `axis`."""
    product = tf.tensordot(tensor, matrix, [[axis], [0]])  # i comes last
    order = list(range(tensor.shape.rank - 1))
    return tf.transpose(product, [*order[:axis], tensor.shape.rank - 1, *order[axis:]])


@dataclass(frozen=True, eq=False)
class Soap:
    """The `Optimizer` that `soap` makes. Of its settings, PROGRAM are part of the compiled program, so they are no hparams."""

    name: str
    settings: dict[str, float | int]

    @property
    def rule(self) -> str:
        """Optimizers that refresh their bases at the same steps and have them for the same axes share a program."""
        return "_".join(["soap", *(str(self.settings[name]) for name in PROGRAM)])

    def hparams(self, horizon: int) -> dict[str, float]:
        """The hparams, whatever the horizon. Raises `ConfigError` unless horizon is an integer >= 1."""
        positive(horizon)
        return with_averages({name: value for name, value in self.settings.items() if name not in PROGRAM})

    def axes(self, w: tf.Tensor) -> list[int]:
        """The axes of a parameter that have a basis."""
        return [i for i, size in enumerate(w.shape) if 1 < size <= self.settings["max_dimension"]] if w.shape.rank > 1 else []

    def init(self, params: Params) -> State:
        """Zeros for m, v and covariances, and identities as bases: {"basis": {path: {"0": matrix [rows, rows], "1": ..}}}."""
        zeros = {slot: {path: tf.zeros_like(w) for path, w in params.items()} for slot in ("m", "v")}
        bases = {
            path: {str(axis): tf.eye(w.shape[axis], dtype=w.dtype) for axis in axes}
            for path, w in params.items()
            if (axes := self.axes(w))
        }
        return {**zeros, "basis": bases, "covariance": tf.nest.map_structure(tf.zeros_like, bases)}

    def update(self, grads: Gradients, state: State, params: Params, step: Step, hparams: Hparams) -> tuple[Params, State]:
        """(params, state) after one more step; see `Optimizer.update`. The first step leaves the parameters where they are."""
        moved: Params = {}
        new: State = {"m": {}, "v": {}, "basis": state["basis"], "covariance": {}}
        for path, w in params.items():
            h = {name: in_dtype(value, w.dtype) for name, value in hparams.items()}
            started = tf.cast(step > 0, w.dtype)
            t = tf.maximum(tf.cast(step, w.dtype), 1)
            g, bases = grads[path], state["basis"].get(path, {})
            projected = _rotated(g, bases)
            m, _ = moments(g, state["m"][path], state["v"][path], started * h["one_minus_beta1"], h["one_minus_beta2"])
            _, v = moments(projected, m, state["v"][path], h["one_minus_beta1"], started * h["one_minus_beta2"])
            new["m"][path], new["v"][path] = m, v
            rate = h["learning_rate"] * tf.sqrt(weight(h["log_beta2"], t)) / weight(h["log_beta1"], t)
            direction = _rotated_back(_rotated(m, bases) / (tf.sqrt(v) + h["epsilon"]), bases)
            moved[path] = w - started * (rate * direction + h["learning_rate"] * h["weight_decay"] * w)
            if bases:
                new["covariance"][path] = {
                    axis: c + h["one_minus_beta2"] * (_covariance(g, int(axis)) - c)
                    for axis, c in state["covariance"][path].items()
                }
        if new["basis"]:
            new["basis"], turned = self._refreshed(new, step)
            new["v"] = {**new["v"], **turned}
        return moved, new

    def _refreshed(self, state: State, step: Step) -> tuple[State, State]:
        """(bases, v of the parameters that have bases), both as they are, or as they are after a refresh."""
        step, frequency = tf.convert_to_tensor(step), self.settings["frequency"]

        def refresh() -> tuple[State, State]:
            bases: State = {}
            turned: State = {}
            for path, each in state["basis"].items():
                bases[path], v = {}, state["v"][path]
                for axis, basis in each.items():
                    covariance = _within_range(state["covariance"][path][axis])
                    variances = tf.reduce_sum(basis * (covariance @ basis), axis=0)
                    order = tf.argsort(variances, direction="DESCENDING", stable=True)
                    bases[path][axis] = tf.linalg.qr(covariance @ tf.gather(basis, order, axis=1)).q
                    v = tf.gather(v, order, axis=int(axis))
                turned[path] = v
            return bases, turned

        def keep() -> tuple[State, State]:
            return state["basis"], {path: state["v"][path] for path in state["basis"]}

        return tf.cond((step < frequency) | (step % frequency == 0), refresh, keep)


def _within_range(covariance: tf.Tensor) -> tf.Tensor:
    """A matrix, divided by its largest entry where that is far from 1, which changes no eigenvector.

    A QR decomposition squares what it is given: squares of squares of gradients, which overflow in float32 for gradients of 1e9,
    and vanish for those of 1e-10.
    """
    largest = tf.reduce_max(tf.abs(covariance))
    far = (largest > 0) & ((largest < 1 / FAR) | (largest > FAR))
    return covariance / tf.where(far, largest, tf.ones_like(largest))


def _rotated(tensor: tf.Tensor, bases: dict[str, tf.Tensor]) -> tf.Tensor:
    for axis, basis in bases.items():
        tensor = along(tensor, int(axis), basis)
    return tensor


def _rotated_back(tensor: tf.Tensor, bases: dict[str, tf.Tensor]) -> tf.Tensor:
    return _rotated(tensor, {axis: tf.transpose(basis) for axis, basis in bases.items()})


def _covariance(g: tf.Tensor, axis: int) -> tf.Tensor:
    others = [i for i in range(g.shape.rank) if i != axis]
    return tf.tensordot(g, g, [others, others])


def soap(
    learning_rate: float = 3e-3,
    beta1: float = 0.95,
    beta2: float = 0.95,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
    frequency: int = 10,
    max_dimension: int = 10000,
    name: str | None = None,
) -> Soap:
    """SOAP: W <- W - lr sqrt(1 - b2^t) / (1 - b1^t) QL (M' / (sqrt(V) + eps)) QR' - lr weight_decay W.

    G' = QL' G QR; M <- b1 M + (1 - b1) G; M' = QL' M QR; V <- b2 V + (1 - b2) G'^2; L <- b2 L + (1 - b2) G G';
    R <- b2 R + (1 - b2) G' G; every `frequency` steps QL <- Q of the QR decomposition of L QL, its columns first sorted by their
    variances, V's rows with them, and QR from R alike. Vyas et al. 2024 (arXiv 2409.11321), algorithms 3 and 4.

    More axes have more bases; an axis longer than `max_dimension` has none, as the paper proposes for wide layers (one-sided),
    and a parameter with one axis or none is Adam's. As in the authors' code, a gradient is used in a step before it changes the
    bases, and the first step (t = 0) only begins L, R and the bases. These start as identities and are refreshed in each of the
    first `frequency` steps, where the authors begin with eigenvectors: XLA takes longer to compile those than a small task takes
    to train.

    Raises `ConfigError` for settings that are not allowed.
    """
    settings = {
        "learning_rate": learning_rate,
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": epsilon,
        "weight_decay": weight_decay,
    }
    settings = {
        **checked("soap", settings),
        "frequency": count("soap", "frequency", frequency, 1),
        "max_dimension": count("soap", "max_dimension", max_dimension, 0),
    }
    return Soap(name or described("soap", settings), settings)
