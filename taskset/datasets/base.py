"""What a task asks of its data, and the order in which examples are drawn.

A data specification (`DataSpec`) is what a config says of its data; it holds no arrays. `open` it to draw raw batches: NumPy
arrays, drawn on the host as a pure function of (split, seed, step). `prepare` turns one raw batch into what the loss reads; it
is TensorFlow, pure, and runs inside the compiled loop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from taskset.random import seeds

if TYPE_CHECKING:
    import tensorflow as tf

    from taskset.random.stateless import Key

SPLITS = ("train", "valid_inner", "valid_outer", "test")
SOURCES = ("tfds", "synthetic")

RawBatch: TypeAlias = dict[str, np.ndarray]  # what the host draws; [count, batch size, ..] where several are drawn at once
Batch: TypeAlias = "dict[str, tf.Tensor]"  # what a loss reads: {name: [batch size, ..]}
BatchShapes: TypeAlias = dict[str, tuple[tuple[int, ...], str]]  # {name: (shape, dtype name)} of a `Batch`


class RawBatches(Protocol):
    """An opened data set."""

    def __call__(self, split: str, seed: int, start: int, count: int) -> RawBatch:
        """Batches `start .. start + count - 1` of the endless sequence (split, seed): {name: [count, batch size, ..]}."""


class DataSpec(Protocol):
    """What a config says of its data. Cheap to make, hashable, no arrays, no TensorFlow.

    batch_size: examples in a batch.
    needs_source: False for data that is computed from the config and the seed alone; the source is then "none".
    batch: {name: (shape, dtype name)} of a prepared batch, the batch axis included.
    """

    @property
    def batch_size(self) -> int: ...

    @property
    def needs_source(self) -> bool: ...

    @property
    def batch(self) -> BatchShapes: ...

    def check(self, source: str, data_dir: str | None) -> None:
        """Raise `DataNotPrepared` where `open` would, without loading anything."""

    def open(self, source: str, data_dir: str | None) -> RawBatches:
        """Load or generate the arrays. Raises `DataNotPrepared` where a real data set is not there."""

    def prepare(self, raw: dict[str, tf.Tensor], key: Key) -> Batch:
        """One prepared batch (tensors) from one raw batch (tensors) and a key (`taskset.random.stateless`)."""


class OrderInBlocks:
    """The order of examples, made `per_block` batches at a time: a pure function of (seed, stream name, step).

    A subclass has `_draw(seed, split, block)`: positions in `rows`, [per_block, batch size]. The last `kept` blocks are kept.
    """

    kept = 4

    def __init__(self, rows: range, batch_size: int, per_block: int):
        self.rows, self.batch_size, self.per_block = rows, batch_size, per_block
        self._blocks: dict[tuple[int, str, int], np.ndarray] = {}

    def _draw(self, seed, split, block):
        raise NotImplementedError

    def _block(self, seed, split, block):
        key = (seed, split, block)
        if key not in self._blocks:
            drawn = self._draw(seed, split, block)
            if len(self._blocks) >= self.kept:
                self._blocks.pop(next(iter(self._blocks)))
            self._blocks[key] = drawn
        return self._blocks[key]

    def __call__(self, seed, split, start, count):
        """Row numbers of batches `start .. start + count - 1`: int64 [count, batch size]."""
        steps = [divmod(step, self.per_block) for step in range(start, start + count)]
        return self.rows.start + np.stack([self._block(seed, split, block)[i] for block, i in steps])


class EpochOrder(OrderInBlocks):
    """The order of examples: each epoch a fresh permutation, incomplete batches dropped, repeated for ever."""

    def __init__(self, rows: range, batch_size: int):
        if len(rows) < batch_size:
            raise ValueError(f"a batch of {batch_size} can't be drawn from {len(rows)} examples")
        super().__init__(rows, batch_size, len(rows) // batch_size)

    def _draw(self, seed, split, epoch):
        order = seeds.generator(seed, "order", split, epoch).permutation(len(self.rows))
        return order[: self.per_block * self.batch_size].reshape(self.per_block, self.batch_size)
