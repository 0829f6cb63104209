"""Evolution strategies on truncations of unfinished episodes, biased."""

from __future__ import annotations

from typing import Any

import numpy as np

from learned.estimators import base
from learned.estimators.truncated_unroll import TruncatedUnroll
from learned.types import Lengths, Tree
from learned.unrolling.problem import Problem
from learned.unrolling.unroll import Unroll


class ESTruncated:
    """Both signs of a pair start a truncation of K steps from the same state.

        g = 1 / (2 sigma^2 N) sum_n D_n e_n

    Biased: it misses what theta did to the state that the truncation starts from. Metz et al. 2019 (arXiv 1810.10180).
    """

    name = "es_truncated"
    takes_differences = True

    def __init__(self, problem: Problem, settings: base.Settings, **execution: Any) -> None:
        self.problem, self.settings = problem, settings
        self.truncations = TruncatedUnroll(Unroll, problem, settings, 2, **execution)

    def init(self, seed: int) -> Tree:
        """The state before the first truncation."""
        return self.truncations.init(seed)

    def estimate(self, theta: np.ndarray, state: Tree, lengths: Lengths) -> tuple[base.Estimate, Tree]:
        """(estimate from one truncation, state after it)."""
        settings, e = self.settings, self.truncations.perturbations(state)
        losses, state = self.truncations.losses(base.both_signs(theta, e), state, lengths)
        losses = base.by_sign(losses)
        d, finite = base.differences(losses, settings)
        gradient = d @ e / (2 * settings.sigma**2 * settings.pairs)
        lost = int(np.sum(~finite))
        return base.Estimate(gradient, base.mean_loss(losses), lost, losses.size, square=base.mean_square(losses)), state
