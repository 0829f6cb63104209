"""Truncated backpropagation through time."""

import numpy as np
import tensorflow as tf

from learned.estimators import base
from learned.estimators.truncated_unroll import TruncatedUnroll, finite_rows
from learned.unrolling.backpropagation import BackpropagatedUnroll


class BPTT:
    """Backpropagation at theta through truncations of K steps, the mean over N trainings.

        g = 1 / N sum_n grad L_n(theta),     L: mean loss of a truncation of K steps

    Nothing is perturbed: it is the gradient of the loss, not of the smoothed one. Biased unless the truncation is a whole episode,
    because it takes the state that the truncation starts from as given.
    """

    name = "bptt"

    def __init__(self, problem, settings, **execution):
        self.problem, self.settings = problem, settings
        self.truncations = TruncatedUnroll(BackpropagatedUnroll, problem, settings, 1, **execution)

    def init(self, seed):
        """The state before the first truncation."""
        return self.truncations.init(seed)

    def estimate(self, theta, state, lengths):
        """(Estimate from one truncation, state behind it)."""
        copies = tf.tile(tf.constant(theta)[None], [self.settings.pairs, 1])
        losses, gradients, state = self.truncations.gradients(copies, state, lengths)
        rows, finite = finite_rows(gradients)
        return base.Estimate(rows.mean(axis=0), base.mean_loss(losses), int(np.sum(~finite)), losses.size), state
