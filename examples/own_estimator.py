"""An estimator from outside the package: `python -m learned train --estimator es_mean --import THIS_FILE ..`."""

import numpy as np
import tensorflow as tf

import learned
from learned.estimators.base import mean_loss
from learned.estimators.truncated_unroll import TruncatedUnroll
from learned.unrolling.unroll import Unroll


@learned.register_estimator("es_mean")
class ESMean:
    """Evolution strategies without antithetic pairs: g = 1 / ((N - 1) sigma^2) sum_n (L(theta + e_n) - mean L) e_n."""

    name = "es_mean"

    def __init__(self, problem, settings, **execution):
        self.settings = settings
        self.truncations = TruncatedUnroll(Unroll, problem, settings, 1, **execution)

    def init(self, seed):
        return self.truncations.init(seed)

    def estimate(self, theta, state, lengths):
        e = self.truncations.perturbations(state)
        losses, state = self.truncations.losses(tf.constant(theta + e), state, lengths)  # [K, N]
        means = losses.astype(np.float64).mean(axis=0)
        finite = np.isfinite(means)
        distance = np.where(finite, means - np.mean(means, where=finite), 0.0)
        gradient = distance @ e / ((len(e) - 1) * self.settings.sigma**2)
        return learned.Estimate(gradient, mean_loss(losses), int(np.sum(~finite)), losses.size), state
