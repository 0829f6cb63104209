"""The scalars of a call of the training program, in one array: each further argument makes the call slower."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from taskset.random import seeds


class Scalars(NamedTuple):
    """The whole numbers: seeds of a run's batches and losses, the first step and how many there are, seeds of validation."""

    batch_seed: int | tf.Tensor
    loss_seed: int | tf.Tensor
    first: int | tf.Tensor
    steps: int | tf.Tensor
    valid_batch_seed: int | tf.Tensor
    valid_loss_seed: int | tf.Tensor


def of_call(seed: int, first: int, steps: int) -> Scalars:
    """The scalars of `steps` steps from step `first` on, of the run of a seed."""
    return Scalars(
        seeds.batch_seed(seed, "train"),
        seeds.loss_seed(seed, "train"),
        first,
        steps,
        seeds.batch_seed(seed, "valid_inner"),
        seeds.loss_seed(seed, "valid_inner"),
    )


def packed(scalars: Scalars, floats: np.ndarray) -> np.ndarray:
    """int32 [6 + n]: the scalars, and n floats as their bits."""
    return np.concatenate([np.array(scalars, np.int32), floats.astype(np.float32).view(np.int32)])


def unpacked(numbers: tf.Tensor) -> tuple[Scalars, tf.Tensor]:
    """(scalars, floats [n]) of what `packed` made."""
    size = len(Scalars._fields)
    return Scalars(*tf.unstack(numbers[:size])), tf.bitcast(numbers[size:], tf.float32)
