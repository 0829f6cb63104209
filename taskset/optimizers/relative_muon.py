"""`relative_nadam` with Muon's direction for matrices: for one run, with nothing to tune."""

from dataclasses import dataclass

import tensorflow as tf

from taskset.optimizers.base import Hparams
from taskset.optimizers.muon import by_blocks, orthogonalized, rows_and_columns
from taskset.optimizers.relative_nadam import RelativeNadam
from taskset.optimizers.settings import checked, described


@dataclass(frozen=True, eq=False)
class RelativeMuon(RelativeNadam):
    """The `Optimizer` that `relative_muon` makes."""

    rule = "relative_muon"

    def hparams(self, horizon: int) -> dict[str, float]:
        """The hparams for a run of `horizon` steps, {name: float}. Raises `ConfigError` unless horizon is an integer >= 1."""
        return {**super().hparams(horizon), "orthogonal": self.settings["orthogonal"]}

    def _direction(self, average: tf.Tensor, root: tf.Tensor, hparams: Hparams) -> tf.Tensor:
        """Of a matrix, the orthogonal factor of the average of gradients; of other parameters NAdam's direction."""
        sides = rows_and_columns(average.shape)
        if sides is None:
            return average / root
        factor = by_blocks(orthogonalized, tf.reshape(average, [1, *sides]))
        return hparams["orthogonal"] * max(sides) ** 0.5 * tf.reshape(factor, average.shape)


def relative_muon(
    travel: float = 0.75,
    orthogonal: float = 0.4,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    share: float = 0.1,
    name: str | None = None,
) -> RelativeMuon:
    """`relative_nadam` with another n for matrices: n = orthogonal max(rows, columns)^.5 O, of RMS `orthogonal` at most, about.

    O: Muon's `orthogonalized` factor of b1 m / (1 - b1^(t+1)) + (1 - b1) g / (1 - b1^t), the average of gradients in NAdam's
    direction; of a matrix whose smaller side is above 128, the factors of blocks of at most so many rows along that side
    (`taskset.optimizers.muon.by_blocks`). A matrix is a parameter of two or more axes, [everything but the last axis, last axis],
    of which neither is 1; others are moved as by `relative_nadam`, whose settings these are. Jordan et al. 2024
    (kellerjordan.github.io/posts/muon).
    """
    settings = {
        "travel": travel,
        "orthogonal": orthogonal,
        "beta1": beta1,
        "beta2": beta2,
        "epsilon": epsilon,
        "share": share,
    }
    settings = checked("relative_muon", settings)
    return RelativeMuon(name or described("relative_muon", settings), settings)
