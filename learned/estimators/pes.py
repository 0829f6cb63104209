"""Persistent evolution strategies: unbiased gradients from truncations of unfinished episodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from learned.estimators import base, episodes
from learned.types import Lengths, Tree
from learned.unrolling.making import unroll
from learned.unrolling.problem import Problem
from learned.unrolling.unroll import Unroll


def credit(truncation: episodes.Truncation, steps: int) -> np.ndarray:
    """[K, N]: which losses of a truncation go with the perturbations of the old episode: up to and including its last one."""
    return truncation.old(steps)


class PES:
    """Each pair keeps two trainings, of theta + e and of theta - e with a fresh e in each truncation, and the sum xi of its e.

        g = 1 / (2 sigma^2 N) sum_n sum_t 1/K (L_t(+) - L_t(-)) xi_t,     xi_t: sum of the e of the episode that t belongs to

    The mean of g over the truncations of an episode is an unbiased estimate of the gradient of the smoothed mean loss. Where a
    pair starts a new episode in a truncation, its losses up to and including the last one of the old episode go with the old sum
    (this truncation's e included), the later ones with this truncation's e alone. Vicol, Metz and Sohl-Dickstein 2021
    (arXiv 2112.13835).
    """

    name = "pes"
    takes_differences = takes_groups = True

    def __init__(self, problem: Problem, settings: base.Settings, **execution: Any) -> None:
        self.problem, self.settings = problem, settings
        self.pairs = settings.pairs // settings.groups  # of one group
        self.unroll = unroll(Unroll, problem, self.pairs, 2, settings.steps, **execution)

    def init(self, seed: int, group: int | None = None) -> Tree:
        """The state before the first truncation: `xi` [N, P], `inner` states [2 N, ..], `episodes`."""
        xi = np.zeros([self.pairs, self.problem.layout.size], self.problem.dtype.as_numpy_dtype)
        return {"episodes": episodes.start(seed, self.settings.pairs, group), "inner": self.unroll.empty(), "xi": xi}

    def estimate(self, theta: np.ndarray, state: Tree, lengths: Lengths) -> tuple[base.Estimate, Tree]:
        """(estimate from one truncation, state after it)."""
        settings, size = self.settings, self.problem.layout.size
        truncation = episodes.next_truncation(self.unroll, state["episodes"], lengths, settings.first_lengths, settings.resumed)
        e = base.own_perturbations(state["episodes"], settings, size, self.problem.dtype)
        copies = base.both_signs(theta, e)
        losses, inner = self.unroll.run(copies, copies, state["inner"], *truncation.arguments)
        losses, old, xi = base.by_sign(losses), credit(truncation, settings.steps), state["xi"] + e
        d_old, d_new, finite = base.differences_at_resets(losses, old, settings)
        gradient = (d_old @ xi + d_new @ e) / (2 * settings.sigma**2 * self.pairs)
        xi = np.where((truncation.reset_at < settings.steps)[:, None], e, xi)
        lost = int(np.sum(~finite))
        estimate = base.Estimate(
            gradient, base.mean_loss(losses), lost, losses.size, square=base.mean_square_at_resets(losses, old)
        )
        return estimate, {"episodes": truncation.after, "inner": inner, "xi": xi}
