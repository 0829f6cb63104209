"""What all estimators of outer gradients share, and what an `Estimator` is.

An episode is one inner training from its start; a truncation is the part of it that one estimate looks at, K steps long.
Everything random follows from the state's seed.

    D = L(theta + e) - L(theta - e),  e ~ N(0, sigma^2 I),  one row of e per pair;  L: mean normalized loss of the truncation
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from learned.types import Lengths, Tree
from taskset.errors import ConfigError, whole_number
from taskset.random import seeds, stateless


class Estimator(Protocol):
    """An estimator of outer gradients, made as `estimator(problem, settings, **execution)`.

    execution: keyword arguments for `learned.unrolling.making.unroll`. name: what it is registered as.

    A class says by two attributes, where they are true, what its estimates allow: takes_differences, that they are
    linear in D, so that `Settings.differences` can replace it; takes_groups, that `init` takes `group=`, the number of a group of
    pairs (`Settings.groups`).

    The state is a nested dict of arrays and tensors. It has "episodes" (the state of `learned.estimators.episodes`), or "number",
    how many whole episodes were finished: a task is replaced when all its pairs have finished `Options.episodes`.
    """

    name: str

    def init(self, seed: int) -> Tree:
        """The state before the first estimate."""
        ...

    def estimate(self, theta: np.ndarray, state: Tree, lengths: Lengths) -> tuple[Estimate, Tree]:
        """(estimate, state after it) at theta [P].

        lengths: `(rng, n) -> [n] integers`, the lengths in steps of episodes that start in this call, none shorter than a
        truncation.
        """
        ...


def value(parts: np.ndarray, sigma: float) -> np.ndarray:
    """D as it is."""
    return parts


def sign(parts: np.ndarray, sigma: float) -> np.ndarray:
    """sigma * sign(D): tasks whose losses change much weigh no more than others (arXiv 2211.09760).

    With the factor sigma an estimate has entries of the size of e / (2 sigma), whatever sigma is. Of a truncation in which a pair
    starts again, the parts of D [parts, N] keep their signs and their shares: sigma D_i / (|D_1| + |D_2|).
    """
    sizes = np.abs(parts).sum(axis=0)
    return sigma * parts / np.where(sizes > 0, sizes, 1.0)


def together(rng: np.random.Generator, lengths: np.ndarray) -> np.ndarray:
    """All pairs start their first episode at its beginning and end it together."""
    return lengths


def spread(rng: np.random.Generator, lengths: np.ndarray) -> np.ndarray:
    """First episodes are cut to a uniformly drawn length, so that pairs don't start their later episodes together.

    Lengths below that of a truncation become that (`learned.estimators.episodes`). Steps near the start of an episode weigh more
    than with `together` (docs/learned.md).
    """
    return rng.integers(1, lengths + 1)


def never(rng: np.random.Generator, lengths: np.ndarray) -> np.ndarray:
    """No episode is resumed at its end."""
    return lengths


@dataclass(frozen=True)
class Settings:
    """Settings that all estimators share.

    pairs: N; steps: K, the length of a truncation; sigma: standard deviation of the perturbations. groups: in how many parts of
    equal size the pairs are computed, each with a state and estimates of its own, whose mean is that of all pairs; only
    estimators that take groups can have more than one: `pes`, `es_single`.
    differences: what D is replaced by, `value` or `sign`; first_lengths: lengths of the first episodes, `together` or `spread`;
    resumed: `(rng, lengths [N]) -> [N]`, longer lengths for the episodes that come to their end and are resumed
    (`learned.outer_training.length_schedules.Resumed`), the same ones for the others. Estimators of whole episodes ignore it.
    """

    pairs: int = 16
    steps: int = 20
    sigma: float = 0.01
    differences: Callable[[np.ndarray, float], np.ndarray] = value
    first_lengths: Callable[[np.random.Generator, np.ndarray], np.ndarray] = together
    resumed: Callable[[np.random.Generator, np.ndarray], np.ndarray] = never
    groups: int = 1

    def __post_init__(self) -> None:
        for name in ("pairs", "steps", "groups"):
            whole_number(name, getattr(self, name))
        if self.pairs % self.groups:
            raise ConfigError(f"groups is {self.groups}: allowed is a number that divides the {self.pairs} pairs")
        if not self.sigma > 0:
            raise ConfigError(f"sigma is {self.sigma}: allowed is a number above 0")


@dataclass(frozen=True)
class Estimate:
    """One estimate of the gradient of the outer loss.

    gradient: [P]; loss: mean normalized loss of the truncation over all copies; non_finite: pairs that count as zero because
    their D (or their gradient) was not finite; steps: inner steps computed, of all copies; details: {name: scalar}, for the log;
    square: mean of D^2 over the pairs whose D is finite, NaN where there is none or the estimator takes no differences; one that
    does (`takes_differences`) has to give it.
    """

    gradient: np.ndarray
    loss: float
    non_finite: int
    steps: int
    details: dict[str, float] = field(default_factory=dict)
    square: float = float("nan")


def finite_mean(values: ArrayLike) -> float:
    """The mean of the values that are finite; NaN where none is."""
    values = np.asarray(values, np.float64)
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")


mean_loss = finite_mean  # of the losses of a truncation, as users' own estimators know it


def own_perturbations(state: Tree, settings: Settings, size: int, dtype: tf.DType) -> np.ndarray:
    """e [N / groups, P] of the pairs of one group in its next truncation. state: of `learned.estimators.episodes`."""
    drawn = perturbations(int(state["seed"]), int(state["window"]), settings.pairs, size, settings.sigma, dtype)
    return np.split(drawn, settings.groups)[int(state.get("group", 0))]


def perturbations(seed: int, truncation: int, pairs: int, size: int, sigma: float, dtype: tf.DType) -> np.ndarray:
    """e [N, P] of the truncation with this number: one draw for all pairs (`taskset.random.stateless`)."""
    key = tf.constant([seeds.stream(seed, "perturbation"), int(truncation)], tf.int32)
    return (sigma * stateless.normal(key, [pairs, size], dtype)).numpy()


def both_signs(theta: np.ndarray, e: np.ndarray) -> tf.Tensor:
    """theta + e and theta - e, stacked: [2 N, P]."""
    return tf.concat([theta + e, theta - e], axis=0)


def by_sign(losses: np.ndarray) -> np.ndarray:
    """Losses [K, 2 N] as float64 [K, 2, N]."""
    losses = np.asarray(losses, np.float64)
    return losses.reshape(len(losses), 2, -1)


def differences(losses: np.ndarray, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """(`settings.differences` of the pairs' D, [N]; which D are finite, [N]).

    D = sum over K of the differences / K, for losses [K, 2, N]. One that is not finite becomes 0.
    """
    (d,), (finite,) = _of_parts(losses, [np.ones(losses[:, 0].shape, bool)], settings)
    return d, finite


def differences_at_resets(losses: np.ndarray, old: np.ndarray, settings: Settings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `differences`, of the steps of old episodes (old [K, N] is True) and of new ones: (D_old, D_new, both finite)."""
    (d_old, d_new), finite = _of_parts(losses, [old, ~old], settings)
    return d_old, d_new, finite.all(axis=0)


def _parts(losses, masks):
    """D of the steps of each mask [K, N], from losses [K, 2, N]: [masks, N]."""
    with np.errstate(invalid="ignore"):
        return np.stack([np.where(mask, losses[:, 0] - losses[:, 1], 0.0).sum(axis=0) / len(losses) for mask in masks])


def _of_parts(losses, masks, settings):
    d = _parts(losses, masks)
    finite = np.isfinite(d)
    return settings.differences(np.where(finite, d, 0.0), settings.sigma), finite


def mean_square(losses: np.ndarray) -> float:
    """The mean of D^2 over the pairs whose D is finite, from losses [K, 2, N]; NaN where no D is."""
    return mean_square_at_resets(losses, np.ones(losses[:, 0].shape, bool))


def mean_square_at_resets(losses: np.ndarray, old: np.ndarray) -> float:
    """As `mean_square`, of D_old^2 + D_new^2 (`differences_at_resets`), which are weighted apart and must not cancel here."""
    return finite_mean(np.square(_parts(losses, [old, ~old])).sum(axis=0))
