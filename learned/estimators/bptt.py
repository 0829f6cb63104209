"""Truncated backpropagation through time."""

import numpy as np
import tensorflow as tf

from learned.estimators import base
from learned.estimators.truncated_unroll import Carried, finite_rows
from learned.unrolling.backpropagation import BackpropagatedUnroll


class BPTT:
    """Backpropagation at theta through windows of K steps, the mean over N trainings.

        g = 1 / N sum_n grad L_n(theta),     L: mean loss of a window of K steps

    Nothing is perturbed: it is the gradient of the loss, not of the smoothed one. Biased unless the window is a whole episode,
    because it takes the state that the window starts from as given.
    """

    name = "bptt"

    def __init__(self, problem, settings, **execution):
        self.problem, self.settings = problem, settings
        self.windows = Carried(BackpropagatedUnroll, problem, settings, 1, **execution)

    def init(self, seed):
        """The state before the first window."""
        return self.windows.init(seed)

    def estimate(self, theta, state, lengths):
        """(Estimate from one window, state behind it)."""
        copies = tf.tile(tf.constant(theta)[None], [self.settings.pairs, 1])
        losses, gradients, state = self.windows.gradients(copies, state, lengths)
        rows, finite = finite_rows(gradients)
        return base.Estimate(rows.mean(axis=0), base.mean_loss(losses), int(np.sum(~finite)), losses.size), state
