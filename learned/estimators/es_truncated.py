"""Evolution strategies on truncations of unfinished episodes, biased."""

import numpy as np

from learned.estimators import base
from learned.estimators.truncated_unroll import TruncatedUnroll
from learned.unrolling.unroll import Unroll


class ESTruncated:
    """Both signs of a pair start a truncation of K steps from the same state.

        g = 1 / (2 sigma^2 N) sum_n D_n e_n

    Biased: it misses what theta did to the state that the truncation starts from. Metz et al. 2019 (arXiv 1810.10180).
    """

    name = "es_truncated"

    def __init__(self, problem, settings, **execution):
        self.problem, self.settings = problem, settings
        self.truncations = TruncatedUnroll(Unroll, problem, settings, 2, **execution)

    def init(self, seed):
        """The state before the first truncation."""
        return self.truncations.init(seed)

    def estimate(self, theta, state, lengths):
        """(Estimate from one truncation, state behind it)."""
        settings, e = self.settings, self.truncations.perturbations(state)
        losses, state = self.truncations.losses(base.both_signs(theta, e), state, lengths)
        losses = base.by_sign(losses)
        d, finite = base.differences(losses, np.ones([settings.steps, settings.pairs], bool), settings)
        gradient = d @ e / (2 * settings.sigma**2 * settings.pairs)
        return base.Estimate(gradient, base.mean_loss(losses), int(np.sum(~finite)), losses.size), state
