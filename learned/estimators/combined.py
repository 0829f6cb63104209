"""Evolution strategies and reparameterization, weighed by their variances."""

import numpy as np

from learned.estimators import base
from learned.estimators.reparam import pair_gradients
from learned.estimators.truncated_unroll import TruncatedUnroll, finite_rows
from learned.unrolling.backpropagation import BackpropagatedUnroll

FLOOR = 1e-8  # added to the variances


def combine(es, reparam):
    """(g [P], weight of ES [P]) from the estimates [N, P] of N pairs by each of both.

        g = (g_es / v_es + g_rp / v_rp) / (1 / v_es + 1 / v_rp)

    g_es, g_rp: means over pairs; v_es, v_rp: unbiased variances over pairs + 1e-8, of each weight of theta by itself.
    """
    v_es, v_reparam = es.var(axis=0, ddof=1) + FLOOR, reparam.var(axis=0, ddof=1) + FLOOR
    weight = v_reparam / (v_es + v_reparam)
    return weight * es.mean(axis=0) + (1 - weight) * reparam.mean(axis=0), weight


class Combined:
    """Inverse-variance weighting of `es_truncated` and `reparam` on the same truncations and perturbations.

    Metz et al. 2019 (arXiv 1810.10180, section 4). A pair that is not finite in one of the two counts as zero in that one.
    """

    name = "combined"

    def __init__(self, problem, settings, **execution):
        if settings.pairs < 2:
            raise base.ConfigError("pairs is 1: the combined estimator needs at least 2 to tell variances")
        self.problem, self.settings = problem, settings
        self.truncations = TruncatedUnroll(BackpropagatedUnroll, problem, settings, 2, **execution)

    def init(self, seed):
        """The state before the first truncation."""
        return self.truncations.init(seed)

    def estimate(self, theta, state, lengths):
        """(Estimate from one truncation, state behind it); details: "es_weight", the mean weight of ES over theta."""
        settings, e = self.settings, self.truncations.perturbations(state)
        losses, gradients, state = self.truncations.gradients(base.both_signs(theta, e), state, lengths)
        signs = base.by_sign(losses)
        d, finite_d = base.differences(signs, np.ones([settings.steps, settings.pairs], bool), settings)
        rows, finite_rp = finite_rows(pair_gradients(gradients))
        gradient, weight = combine(d[:, None] * e / (2 * settings.sigma**2), rows)
        lost = int(np.sum(~(finite_d & finite_rp)))
        return base.Estimate(gradient, base.mean_loss(losses), lost, losses.size, {"es_weight": float(weight.mean())}), state
