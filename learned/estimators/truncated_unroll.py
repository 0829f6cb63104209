"""Windows that are carried on from one state a pair, from which all signs of the pair start."""

import numpy as np
import tensorflow as tf

from learned.estimators import base, episodes
from learned.unrolling.distributed import unroll


class TruncatedUnroll:
    """One truncation after the other, for the estimators of truncated unrolls.

    kind: `Unroll`, or `BackpropagatedUnroll` where gradients are wanted; signs: copies of a pair that start from its state.
    The state that is carried on is that of the first sign, at theta + e where there is an e: as likely as theta - e, and it
    costs nothing.
    """

    def __init__(self, kind, problem, settings, signs, **execution):
        self.problem, self.settings, self.signs = problem, settings, signs
        self.unroll = unroll(kind, problem, settings.pairs, signs, settings.steps, **execution)

    def init(self, seed):
        """`inner` states [N, ..], `episodes`."""
        return {"episodes": episodes.start(seed, self.settings.pairs), "inner": self._first_sign(self.unroll.empty())}

    def _first_sign(self, inner):
        return tf.nest.map_structure(lambda x: x[: self.settings.pairs], inner)

    def _next(self, state, lengths):
        truncation = episodes.next_truncation(self.unroll, state["episodes"], lengths, self.settings.first_lengths)
        return truncation, tf.nest.map_structure(lambda x: tf.concat([x] * self.signs, axis=0), state["inner"])

    def perturbations(self, state):
        """e [N, P] of the next truncation."""
        where = state["episodes"]
        size, settings = self.problem.layout.size, self.settings
        return base.perturbations(int(where["seed"]), where["window"], settings.pairs, size, settings.sigma, self.problem.dtype)

    def losses(self, copies, state, lengths):
        """(losses [K, C], state behind the truncation) at theta = copies [C, P]."""
        truncation, inner = self._next(state, lengths)
        losses, inner = self.unroll.run(copies, copies, inner, *truncation.arguments)
        return np.asarray(losses), {"episodes": truncation.after, "inner": self._first_sign(inner)}

    def gradients(self, copies, state, lengths):
        """(losses [K, C], gradients [C, P] as float64, state behind the truncation) at theta = copies [C, P]."""
        truncation, inner = self._next(state, lengths)
        losses, inner, gradients = self.unroll.gradients(copies, inner, *truncation.arguments)
        return (
            np.asarray(losses),
            np.asarray(gradients, np.float64),
            {"episodes": truncation.after, "inner": self._first_sign(inner)},
        )


def finite_rows(gradients):
    """(gradients with zeros for rows [.., P] that are not finite throughout, which rows are)."""
    finite = np.isfinite(gradients).all(axis=-1)
    return np.where(finite[..., None], gradients, 0.0), finite
