"""Evolution strategies over whole inner trainings."""

from __future__ import annotations

from typing import Any

import numpy as np

from learned.estimators import base, episodes
from learned.types import Lengths, Tree
from learned.unrolling.making import unroll
from learned.unrolling.problem import Problem
from learned.unrolling.unroll import Unroll
from taskset.random import seeds


class ESFull:
    """One estimate looks at a whole episode of each pair.

        g = 1 / (2 sigma^2 N) sum_n D_n e_n,     L: mean loss of the episode

    Unbiased for the gradient of the smoothed loss; antithetic pairs as in Salimans et al. 2017 (arXiv 1703.03864). All pairs
    of an estimate have episodes of one length. K is only the number of steps computed in one call.
    """

    name = "es_full"
    takes_differences = True

    def __init__(self, problem: Problem, settings: base.Settings, **execution: Any) -> None:
        self.problem, self.settings = problem, settings
        self.unroll = unroll(Unroll, problem, settings.pairs, 2, settings.steps, **execution)
        self._empty = self.unroll.empty()

    def init(self, seed: int) -> Tree:
        """The state: the number of the next estimate."""
        return {"seed": np.asarray(seed, np.int64), "number": np.asarray(0, np.int64)}

    def estimate(self, theta: np.ndarray, state: Tree, lengths: Lengths) -> tuple[base.Estimate, Tree]:
        """(Estimate from one episode of each pair, state after it)."""
        settings, size = self.settings, self.problem.layout.size
        seed, number = int(state["seed"]), int(state["number"])
        length = max(int(lengths(seeds.generator(seed, "lengths", number), 1)[0]), settings.steps)
        e = base.perturbations(seed, number, settings.pairs, size, settings.sigma, self.problem.dtype)
        copies, inner, parts = base.both_signs(theta, e), self._empty, []
        where = episodes.start(seeds.stream(seed, "episodes", number), settings.pairs)
        for _ in range(0, length, settings.steps):
            truncation = episodes.next_truncation(self.unroll, where, lambda rng, n: np.full(n, length), base.together)
            losses, inner = self.unroll.run(copies, copies, inner, *truncation.arguments)
            parts.append(base.by_sign(losses))
            where = truncation.after
        losses, computed = np.concatenate(parts)[:length], sum(part.size for part in parts)
        d, finite = base.differences(losses, settings)
        gradient = d @ e / (2 * settings.sigma**2 * settings.pairs)
        lost = int(np.sum(~finite))
        estimate = base.Estimate(gradient, base.mean_loss(losses), lost, computed, square=base.mean_square(losses))
        return estimate, {"seed": state["seed"], "number": state["number"] + 1}
