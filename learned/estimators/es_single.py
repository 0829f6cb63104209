"""Evolution strategies with one perturbation per episode."""

from __future__ import annotations

from typing import Any

import numpy as np

from learned.estimators import base, episodes
from learned.types import Lengths, Tree
from learned.unrolling.making import unroll
from learned.unrolling.problem import Problem
from learned.unrolling.unroll import Unroll


class ESSingle:
    """Each pair keeps two trainings, of theta + e and theta - e, with the same e from the start of an episode to its end.

        g = 1 / (2 sigma^2 N) sum_n sum_t 1/K (L_t(+) - L_t(-)) e_n

    No accumulator: the e of an episode is the perturbation that all its steps have seen. The mean over an episode's truncations
    is unbiased while theta stays; Vicol 2023 (arXiv 2304.11153).
    """

    name = "es_single"
    takes_differences = takes_groups = True

    def __init__(self, problem: Problem, settings: base.Settings, **execution: Any) -> None:
        self.problem, self.settings = problem, settings
        self.pairs = settings.pairs // settings.groups  # of one group
        self.unroll = unroll(Unroll, problem, self.pairs, 2, settings.steps, **execution)

    def init(self, seed: int, group: int | None = None) -> Tree:
        """The state before the first truncation: `e` [N, P], `inner` states [2 N, ..], `episodes`."""
        e = np.zeros([self.pairs, self.problem.layout.size], self.problem.dtype.as_numpy_dtype)
        return {"episodes": episodes.start(seed, self.settings.pairs, group), "inner": self.unroll.empty(), "e": e}

    def estimate(self, theta: np.ndarray, state: Tree, lengths: Lengths) -> tuple[base.Estimate, Tree]:
        """(estimate from one truncation, state after it)."""
        settings, size = self.settings, self.problem.layout.size
        truncation = episodes.next_truncation(self.unroll, state["episodes"], lengths, settings.first_lengths, settings.resumed)
        drawn = base.own_perturbations(state["episodes"], settings, size, self.problem.dtype)
        e = np.where((truncation.reset_at < settings.steps)[:, None], drawn, state["e"])
        before, after = base.both_signs(theta, state["e"]), base.both_signs(theta, e)
        losses, inner = self.unroll.run(before, after, state["inner"], *truncation.arguments)
        losses, old = base.by_sign(losses), truncation.old(settings.steps)
        d_old, d_new, finite = base.differences_at_resets(losses, old, settings)
        gradient = (d_old @ state["e"] + d_new @ e) / (2 * settings.sigma**2 * self.pairs)
        lost = int(np.sum(~finite))
        estimate = base.Estimate(
            gradient, base.mean_loss(losses), lost, losses.size, square=base.mean_square_at_resets(losses, old)
        )
        return estimate, {"episodes": truncation.after, "inner": inner, "e": e}
