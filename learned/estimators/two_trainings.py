"""What `pes` and `es_single` share: each pair keeps a training of each sign, through all truncations of an episode."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from learned.estimators import base, episodes
from learned.types import Lengths, Tree
from learned.unrolling.making import unroll
from learned.unrolling.problem import Problem
from learned.unrolling.unroll import Unroll


class Perturbations(NamedTuple):
    """Of a truncation, each [N, P]: e of the steps before and after a new episode starts in it, and what their losses go with."""

    before: np.ndarray
    after: np.ndarray
    old: np.ndarray
    new: np.ndarray


class TwoTrainings:
    """Each pair keeps two trainings, of theta + e and of theta - e.

        g = 1 / (2 sigma^2 N) sum_n (D_n(old) a_n + D_n(new) b_n)

    Where a pair starts a new episode in a truncation, D(old) is that of the losses up to and including the last one of the old
    episode, D(new) that of the later ones. A subclass says by `perturbed` which e there are, and with which a and b they go.
    kept: the name, in the state, of what it needs for the next truncation: a or, where a new episode started, b.
    """

    takes_differences = takes_groups = True
    kept: str

    def __init__(self, problem: Problem, settings: base.Settings, **execution: Any) -> None:
        self.problem, self.settings = problem, settings
        self.pairs = settings.pairs // settings.groups  # of one group
        self.unroll = unroll(Unroll, problem, self.pairs, 2, settings.steps, **execution)

    def perturbed(self, kept: np.ndarray, drawn: np.ndarray, starts: np.ndarray) -> Perturbations:
        """The `Perturbations`.

        kept: from the truncation before, drawn: e for this one, [N, P] each; starts: whether a new episode starts in it [N, 1].
        """
        raise NotImplementedError

    def init(self, seed: int, group: int | None = None) -> Tree:
        """The state before the first truncation: what is kept [N, P], `inner` states [2 N, ..], `episodes`."""
        nothing = np.zeros([self.pairs, self.problem.layout.size], self.problem.dtype.as_numpy_dtype)
        return {"episodes": episodes.start(seed, self.settings.pairs, group), "inner": self.unroll.empty(), self.kept: nothing}

    def estimate(self, theta: np.ndarray, state: Tree, lengths: Lengths) -> tuple[base.Estimate, Tree]:
        """(estimate from one truncation, state after it)."""
        settings, size = self.settings, self.problem.layout.size
        truncation = episodes.next_truncation(self.unroll, state["episodes"], lengths, settings.first_lengths, settings.resumed)
        drawn = base.own_perturbations(state["episodes"], settings, size, self.problem.dtype)
        starts = (truncation.reset_at < settings.steps)[:, None]
        e = self.perturbed(state[self.kept], drawn, starts)
        before, after = base.both_signs(theta, e.before), base.both_signs(theta, e.after)
        losses, inner = self.unroll.run(before, after, state["inner"], *truncation.arguments)
        losses, old = base.by_sign(losses), truncation.old(settings.steps)
        d_old, d_new, finite = base.differences_at_resets(losses, old, settings)
        gradient = (d_old @ e.old + d_new @ e.new) / (2 * settings.sigma**2 * self.pairs)
        lost = int(np.sum(~finite))
        estimate = base.Estimate(
            gradient, base.mean_loss(losses), lost, losses.size, square=base.mean_square_at_resets(losses, old)
        )
        return estimate, {"episodes": truncation.after, "inner": inner, self.kept: np.where(starts, e.new, e.old)}
