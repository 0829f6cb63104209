"""Evolution strategies and reparameterization, weighted by their variances."""

from __future__ import annotations

from typing import Any

import numpy as np

from learned.estimators import base
from learned.estimators.reparam import pair_gradients
from learned.estimators.truncated_unroll import TruncatedUnroll, finite
from learned.types import Lengths, Tree
from learned.unrolling.backpropagation import BackpropagatedUnroll
from learned.unrolling.problem import Problem
from taskset.errors import ConfigError

FLOOR = 1e-8  # added to the variances


def combine(es: np.ndarray, reparam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(g [P], weight of ES [P]) from the estimates [N, P] of N pairs by the two estimators.

        g = (g_es / v_es + g_rp / v_rp) / (1 / v_es + 1 / v_rp)

    g_es, g_rp: means over pairs; v_es, v_rp: unbiased variances over pairs + 1e-8, of each weight of theta by itself. Rows that
    are not finite are left out; an estimator with fewer than two others has no variance, and no weight. g is 0 if both have none.
    """
    es, reparam = (rows[finite(rows)] for rows in (es, reparam))
    if len(es) < 2 or len(reparam) < 2:
        chosen = es if len(reparam) < 2 else reparam
        weight = np.full(es.shape[1], float(chosen is es and len(es) > 1))
        return chosen.mean(axis=0) if len(chosen) > 1 else np.zeros(es.shape[1]), weight
    v_es, v_reparam = es.var(axis=0, ddof=1) + FLOOR, reparam.var(axis=0, ddof=1) + FLOOR
    weight = v_reparam / (v_es + v_reparam)
    return weight * es.mean(axis=0) + (1 - weight) * reparam.mean(axis=0), weight


class Combined:
    """Inverse-variance weighting of `es_truncated` and `reparam` on the same truncations and perturbations.

    Metz et al. 2019 (arXiv 1810.10180, section 4). A pair that is not finite in one of the two is left out of that one.
    """

    name = "combined"

    def __init__(self, problem: Problem, settings: base.Settings, **execution: Any) -> None:
        if settings.pairs < 2:
            raise ConfigError("pairs is 1: the combined estimator needs at least 2, to estimate variances")
        self.problem, self.settings = problem, settings
        self.truncations = TruncatedUnroll(BackpropagatedUnroll, problem, settings, 2, **execution)

    def init(self, seed: int) -> Tree:
        """The state before the first truncation."""
        return self.truncations.init(seed)

    def of_pairs(self, theta: np.ndarray, state: Tree, lengths: Lengths) -> tuple[np.ndarray, np.ndarray, np.ndarray, Tree]:
        """(estimates [N, P] of N pairs by ES, and by reparameterization, losses, state after the truncation).

        Rows of pairs that are not finite have entries that are not.
        """
        settings, e = self.settings, self.truncations.perturbations(state)
        losses, gradients, state = self.truncations.gradients(base.both_signs(theta, e), state, lengths)
        signs = base.by_sign(losses)
        d, finite_d = base.differences(signs, settings)
        es = np.where(finite_d[:, None], d[:, None] * e / (2 * settings.sigma**2), np.nan)
        return es, pair_gradients(gradients), losses, state

    def estimate(self, theta: np.ndarray, state: Tree, lengths: Lengths) -> tuple[base.Estimate, Tree]:
        """(estimate from one truncation, state after it); details: "es_weight", the mean weight of ES over theta."""
        es, reparam, losses, state = self.of_pairs(theta, state, lengths)
        gradient, weight = combine(es, reparam)
        lost = int(np.sum(~(finite(es) & finite(reparam))))
        return base.Estimate(gradient, base.mean_loss(losses), lost, losses.size, {"es_weight": float(weight.mean())}), state
