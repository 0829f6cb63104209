"""Truncated backpropagation through time."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from learned.estimators import base
from learned.estimators.truncated_unroll import TruncatedUnroll, finite_rows
from learned.types import Lengths, Tree
from learned.unrolling.backpropagation import BackpropagatedUnroll
from learned.unrolling.problem import Problem


class BPTT:
    """Backpropagation at theta through truncations of K steps, the mean over N trainings.

        g = 1 / N sum_n grad L_n(theta),     L: mean loss of a truncation of K steps

    Nothing is perturbed: it is the gradient of the loss, not of the smoothed one. Biased unless the truncation is a whole
    episode, because it takes the state that the truncation starts from as given.
    """

    name = "bptt"

    def __init__(self, problem: Problem, settings: base.Settings, **execution: Any) -> None:
        self.problem, self.settings = problem, settings
        self.truncations = TruncatedUnroll(BackpropagatedUnroll, problem, settings, 1, **execution)

    def init(self, seed: int) -> Tree:
        """The state before the first truncation."""
        return self.truncations.init(seed)

    def estimate(self, theta: np.ndarray, state: Tree, lengths: Lengths) -> tuple[base.Estimate, Tree]:
        """(estimate from one truncation, state after it)."""
        copies = tf.tile(tf.constant(theta)[None], [self.settings.pairs, 1])
        losses, gradients, state = self.truncations.gradients(copies, state, lengths)
        rows, finite = finite_rows(gradients)
        return base.Estimate(rows.mean(axis=0), base.mean_loss(losses), int(np.sum(~finite)), losses.size), state
