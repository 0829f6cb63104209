"""What a task asks of its data, and the order in which examples are drawn.

A data specification (`DataSpec`) is what a config says of its data; it holds no arrays. `open` it to draw raw batches: NumPy
arrays, drawn on the host as a pure function of (split, seed, step). `prepare` turns one raw batch into what the loss reads; it
is TensorFlow, pure, and runs inside the compiled loop.
"""

from typing import Protocol

import numpy as np

from taskset import seeds

SPLITS = ("train", "valid_inner", "valid_outer", "test")
SOURCES = ("tfds", "synthetic")


class RawBatches(Protocol):
    """An opened data set."""

    def __call__(self, split: str, seed: int, start: int, count: int) -> dict[str, np.ndarray]:
        """Batches `start .. start + count - 1` of the endless sequence (split, seed): {name: [count, batch size, ..]}."""


class DataSpec(Protocol):
    """What a config says of its data. Cheap to make, hashable, no arrays, no TensorFlow.

    batch_size: examples in a batch.
    needs_source: False for data that is computed from the config and the seed alone; the source is then "none".
    batch: {name: (shape, dtype name)} of a prepared batch, the batch axis included.
    """

    batch_size: int
    needs_source: bool
    batch: dict[str, tuple[tuple[int, ...], str]]

    def check(self, source: str, data_dir: str | None) -> None:
        """Raise `DataNotPrepared` where `open` would, without loading anything."""

    def open(self, source: str, data_dir: str | None) -> RawBatches:
        """Load or generate the arrays. Raises `DataNotPrepared` where a real data set is not there."""

    def prepare(self, raw, key) -> dict:
        """One prepared batch (tensors) from one raw batch (tensors) and a key (`taskset.stateless`)."""


class EpochOrder:
    """The order of examples: each epoch a fresh permutation, incomplete batches dropped, repeated for ever.

    A pure function of (rows, seed, stream name, step); the permutation last used is kept.
    """

    def __init__(self, rows: range, batch_size: int):
        if len(rows) < batch_size:
            raise ValueError(f"a batch of {batch_size} can't be drawn from {len(rows)} examples")
        self.rows, self.batch_size = rows, batch_size
        self.per_epoch = len(rows) // batch_size
        self._epochs: dict[tuple, np.ndarray] = {}

    def _epoch(self, seed, split, epoch):
        key = (seed, split, epoch)
        if key not in self._epochs:
            order = seeds.generator(seed, "order", split, epoch).permutation(len(self.rows))
            if len(self._epochs) >= 4:
                self._epochs.pop(next(iter(self._epochs)))
            self._epochs[key] = order[: self.per_epoch * self.batch_size].reshape(self.per_epoch, self.batch_size)
        return self._epochs[key]

    def __call__(self, seed, split, start, count):
        """Row numbers of batches `start .. start + count - 1`: int64 [count, batch size]."""
        steps = [divmod(step, self.per_epoch) for step in range(start, start + count)]
        return self.rows.start + np.stack([self._epoch(seed, split, epoch)[i] for epoch, i in steps])
