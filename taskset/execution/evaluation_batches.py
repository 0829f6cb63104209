"""The batches at which an evaluation computes the loss, and how they are divided into calls of a compiled program."""

from typing import TypeAlias

import numpy as np
import tensorflow as tf

from taskset.datasets.base import SPLITS, RawBatch
from taskset.random import seeds
from taskset.tasks.base import Task

Place: TypeAlias = tuple[str, int]  # (split, number of the batch)
Call: TypeAlias = tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]


def drawn(task: Task, seed: int, batches: int) -> tuple[RawBatch, list[Place]]:
    """The raw batches {name: [places, ..]} of all splits, `batches` each, and their places.

    A task without data and without randomness has one loss, whatever the split: it has one place.
    """
    if task.data is None and not task.random:
        return {}, [("train", 0)]
    raw = [task.raw_batches(split, seed, 0, batches) for split in SPLITS]
    places = [(split, number) for split in SPLITS for number in range(batches)]
    return {name: np.concatenate([one[name] for one in raw]) for name in raw[0]}, places


def padded_calls(raw: RawBatch, places: list[Place], seed: int, chunk: int) -> list[Call]:
    """Arguments of the evaluation program for `chunk` places after the other, the last ones filled up.

    Each call: raw batches {name: [chunk, ..]}, the seeds of batches and of losses and the numbers of the batches [chunk], and how
    many of them count.
    """
    found = []
    for first in range(0, len(places), chunk):
        part = places[first : first + chunk]
        padded = part + part[-1:] * (chunk - len(part))
        rows = np.arange(first, first + chunk).clip(max=len(places) - 1)
        found.append(
            (
                {name: tf.constant(array[rows]) for name, array in raw.items()},
                tf.constant([seeds.batch_seed(seed, split) for split, _ in padded]),
                tf.constant([seeds.evaluation_seed(seed, split) for split, _ in padded]),
                tf.constant([number for _, number in padded]),
                tf.constant(len(part)),
            )
        )
    return found
