"""Backpropagation through the unroll at perturbed weights."""

import numpy as np

from learned.estimators import base
from learned.estimators.truncated_unroll import TruncatedUnroll, finite_rows
from learned.unrolling.backpropagation import BackpropagatedUnroll


class Reparam:
    """The gradient of the smoothed loss by reparameterization: backpropagation at theta + e.

        g = 1 / (2 N) sum_n (grad L(theta + e_n) + grad L(theta - e_n)),     L: mean loss of a truncation of K steps

    Both signs of a pair start from the same state. Unbiased where the truncation is a whole episode, biased as `bptt` otherwise;
    its variance explodes with the length of the unroll (Metz et al. 2019, arXiv 1810.10180).
    """

    name = "reparam"

    def __init__(self, problem, settings, **execution):
        self.problem, self.settings = problem, settings
        self.truncations = TruncatedUnroll(BackpropagatedUnroll, problem, settings, 2, **execution)

    def init(self, seed):
        """The state before the first truncation."""
        return self.truncations.init(seed)

    def estimate(self, theta, state, lengths):
        """(Estimate from one truncation, state behind it)."""
        e = self.truncations.perturbations(state)
        losses, gradients, state = self.truncations.gradients(base.both_signs(theta, e), state, lengths)
        rows, finite = finite_rows(pair_gradients(gradients))
        return base.Estimate(rows.mean(axis=0), base.mean_loss(losses), int(np.sum(~finite)), losses.size), state


def pair_gradients(gradients):
    """Gradients [2 N, P] -> the pairs' [N, P], the mean of both signs."""
    return gradients.reshape(2, -1, gradients.shape[-1]).mean(axis=0)
