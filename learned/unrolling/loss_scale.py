"""The scale of a task's loss as a function of tensors: what makes the losses of different tasks comparable in outer training."""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

from taskset.normalization.normalizer import HIGH, LOW, Normalizer


@dataclass(frozen=True)
class LossScale:
    """n(L) = clip((L - best) / (initial - best), -2, 2), and 2 for a loss that is not finite; on tensors.

    The gradient is zero where the clip acts and where the loss is not finite: there n is constant.
    """

    initial: float
    best: float

    @classmethod
    def of(cls, normalizer: Normalizer) -> LossScale:
        """The scale of a `taskset.normalization.normalizer.Normalizer`."""
        return cls(normalizer.initial, normalizer.best)

    def __call__(self, loss: tf.Tensor) -> tf.Tensor:
        finite = tf.math.is_finite(loss)
        # Without the inner `where`, the zero gradient of the outer one would meet an infinite one and become NaN.
        inside = tf.where(finite, loss, tf.cast(self.initial, loss.dtype))
        scaled = tf.clip_by_value((inside - self.best) / (self.initial - self.best), LOW, HIGH)
        return tf.where(finite, scaled, tf.cast(HIGH, loss.dtype))


def unscaled(loss: tf.Tensor) -> tf.Tensor:
    """The loss itself: for problems whose losses are comparable already, and for tests."""
    return loss
