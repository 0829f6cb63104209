"""What all estimators of outer gradients share.

An estimator is an object with

    name
    init(seed) -> state                                       a nested dict of arrays and tensors
    estimate(theta, state, lengths) -> (Estimate, state)      theta: NumPy vector [P]

`lengths` is a function `(rng, n) -> [n] integers`, the lengths in steps of episodes that start in this call, no shorter than a
truncation. An episode is one inner training from its start; a truncation is the part of it that one estimate looks at, K steps long.
Everything random follows from the state's seed.

    D = L(theta + e) - L(theta - e),  e ~ N(0, sigma^2 I),  a row of e a pair;  L: mean normalized loss of the truncation
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from taskset.errors import ConfigError
from taskset.random import seeds, stateless


def value(differences, sigma):
    """D as it is."""
    return differences


def sign(differences, sigma):
    """sigma * sign(D): tasks whose losses change much weigh no more than others (arXiv 2211.09760).

    With the factor sigma an estimate has entries of the size of e / (2 sigma), whatever sigma is.
    """
    return sigma * np.sign(differences)


def together(rng, lengths):
    """All pairs start their first episode at its beginning and end it together."""
    return lengths


def spread(rng, lengths):
    """First episodes are cut to a uniformly drawn length, so that pairs don't start anew together ever after."""
    return rng.integers(1, lengths + 1)


@dataclass(frozen=True)
class Settings:
    """What estimators are told.

    pairs: N; steps: K, of a truncation; sigma: standard deviation of the perturbations.
    differences: what is made of D: `value` or `sign`; first_lengths: of the first episodes: `together` or `spread`.
    """

    pairs: int = 16
    steps: int = 20
    sigma: float = 0.01
    differences: Callable = value
    first_lengths: Callable = together

    def __post_init__(self):
        for name in ("pairs", "steps"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}: allowed is an integer of at least 1")
        if not self.sigma > 0:
            raise ConfigError(f"sigma is {self.sigma}: allowed is a number above 0")


@dataclass(frozen=True)
class Estimate:
    """One estimate of the gradient of the outer loss.

    gradient: [P]; loss: mean normalized loss of the truncation over all copies; non_finite: pairs that count as zero because their
    D (or their gradient) was not finite; steps: inner steps computed, of all copies; details: {name: scalar}.
    """

    gradient: np.ndarray
    loss: float
    non_finite: int
    steps: int
    details: dict = field(default_factory=dict)


def mean_loss(losses):
    """The mean of all that are finite."""
    losses = np.asarray(losses, np.float64)
    return float(losses[np.isfinite(losses)].mean()) if np.isfinite(losses).any() else float("nan")


def perturbations(seed, truncation, pairs, size, sigma, dtype):
    """e [N, P] of a truncation: one draw for all pairs (`taskset.random.stateless`)."""
    key = tf.constant([seeds.stream(seed, "perturbation"), int(truncation)], tf.int32)
    return (sigma * stateless.normal(key, [pairs, size], dtype)).numpy()


def both_signs(theta, e):
    """theta + e and theta - e, one below the other: [2 N, P]."""
    return tf.concat([theta + e, theta - e], axis=0)


def by_sign(losses):
    """Losses [K, 2 N] as float64 [K, 2, N]."""
    losses = np.asarray(losses, np.float64)
    return losses.reshape(len(losses), 2, -1)


def differences(losses, mask, settings):
    """What is made of the pairs' D, [N], the losses [K, 2, N] counting where mask [K, N] is True; and which D are finite.

    D = sum of the masked differences / K. One that is not finite becomes 0.
    """
    with np.errstate(invalid="ignore"):
        d = np.where(mask, losses[:, 0] - losses[:, 1], 0.0).sum(axis=0) / len(losses)
    finite = np.isfinite(d)
    return settings.differences(np.where(finite, d, 0.0), settings.sigma), finite
