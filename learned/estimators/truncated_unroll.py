"""Truncated unrolls: one state per pair is carried from truncation to truncation, and all signs of the pair start from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from learned.estimators import base, episodes
from learned.types import Lengths, Tree
from learned.unrolling.making import unroll
from learned.unrolling.problem import Problem
from learned.unrolling.unroll import Unroll


class TruncatedUnroll:
    """One truncation after the other, for the estimators of truncated unrolls.

    kind: `Unroll`, or `BackpropagatedUnroll` where gradients are wanted; signs: copies of a pair that start from its state.
    The state that is carried to the next truncation is that of the first sign, at theta + e where there is an e: it is as likely
    as theta - e, and costs nothing.
    """

    def __init__(self, kind: type[Unroll], problem: Problem, settings: base.Settings, signs: int, **execution: Any) -> None:
        self.problem, self.settings, self.signs = problem, settings, signs
        self.unroll = unroll(kind, problem, settings.pairs, signs, settings.steps, **execution)

    def init(self, seed: int) -> Tree:
        """The state before the first truncation: `inner` states [N, ..], `episodes`."""
        return {"episodes": episodes.start(seed, self.settings.pairs), "inner": self._first_sign(self.unroll.empty())}

    def _first_sign(self, inner):
        return tf.nest.map_structure(lambda x: x[: self.settings.pairs], inner)

    def _next(self, state, lengths):
        settings = self.settings
        truncation = episodes.next_truncation(self.unroll, state["episodes"], lengths, settings.first_lengths, settings.resumed)
        return truncation, tf.nest.map_structure(lambda x: tf.concat([x] * self.signs, axis=0), state["inner"])

    def perturbations(self, state: Tree) -> np.ndarray:
        """e [N, P] of the next truncation."""
        return base.own_perturbations(state["episodes"], self.settings, self.problem.layout.size, self.problem.dtype)

    def losses(self, copies: tf.Tensor, state: Tree, lengths: Lengths) -> tuple[np.ndarray, Tree]:
        """(losses [K, C], state after the truncation) at theta = copies [C, P]."""
        truncation, inner = self._next(state, lengths)
        losses, inner = self.unroll.run(copies, copies, inner, *truncation.arguments)
        return np.asarray(losses), {"episodes": truncation.after, "inner": self._first_sign(inner)}

    def gradients(self, copies: tf.Tensor, state: Tree, lengths: Lengths) -> tuple[np.ndarray, np.ndarray, Tree]:
        """(losses [K, C], gradients [C, P] as float64, state after the truncation) at theta = copies [C, P]."""
        truncation, inner = self._next(state, lengths)
        losses, inner, gradients = self.unroll.gradients(copies, inner, *truncation.arguments)
        after = {"episodes": truncation.after, "inner": self._first_sign(inner)}
        return np.asarray(losses), np.asarray(gradients, np.float64), after


def finite(rows: np.ndarray) -> np.ndarray:
    """Which of the rows [.., P] are finite throughout: [..]."""
    return np.isfinite(rows).all(axis=-1)


def finite_rows(gradients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(gradients with zeros for rows [.., P] that are not finite throughout, which rows are finite)."""
    whole = finite(gradients)
    return np.where(whole[..., None], gradients, 0.0), whole
