"""The interface between tasks and data, and the order in which examples are drawn.

A data specification (`DataSpec`) is what a config says about its data; it holds no arrays. `open` gives a function that draws raw
batches: NumPy arrays, drawn on the host as a pure function of (split, seed, step). `prepare` turns one raw batch into what the
loss reads: a pure TensorFlow function that runs inside the compiled loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from taskset.errors import ConfigError, counted, shown, unknown, whole_number
from taskset.random import seeds

if TYPE_CHECKING:
    import tensorflow as tf

    from taskset.datasets.prepared import Directory
    from taskset.random.stateless import Key

SPLITS = ("train", "valid_inner", "valid_outer", "test")
SOURCES = ("tfds", "synthetic")

RawBatch: TypeAlias = dict[str, np.ndarray]  # what the host draws; [count, batch size, ..] where several are drawn at once
Batch: TypeAlias = "dict[str, tf.Tensor]"  # what a loss reads: {name: [batch size, ..]}
BatchShapes: TypeAlias = dict[str, tuple[tuple[int, ...], str]]  # {name: (shape, dtype name)} of a `Batch`


def check_source(source: str) -> None:
    """Raise `UnknownName` unless `source` is one of `SOURCES`."""
    if not isinstance(source, str) or source not in SOURCES:
        raise unknown("source", source, SOURCES, f"Allowed are {' and '.join(map(repr, SOURCES))}.")


def check_split(split: str) -> str:
    """`split`, if it is one of `SPLITS`. Raises `UnknownName` where not."""
    if not isinstance(split, str) or split not in SPLITS:
        raise unknown("split", split, SPLITS, f"Allowed are {', '.join(SPLITS)}.")
    return split


class RawBatches(Protocol):
    """An opened data set."""

    def __call__(self, split: str, seed: int, start: int, count: int) -> RawBatch:
        """Batches `start .. start + count - 1` of the endless sequence (split, seed): {name: [count, batch size, ..]}."""


class DataSpec(Protocol):
    """What a config says about its data. Cheap to make, hashable; without arrays and without TensorFlow.

    batch_size: examples per batch.
    needs_source: False for data that is computed from the config and the seed alone; the source is then "none".
    batch: {name: (shape, dtype name)} of a prepared batch, with the batch axis.
    """

    @property
    def batch_size(self) -> int: ...

    @property
    def needs_source(self) -> bool: ...

    @property
    def batch(self) -> BatchShapes: ...

    def check(self, source: str, data_dir: Directory | None) -> None:
        """Raise `DataNotPrepared` where `open` would, without loading anything."""

    def open(self, source: str, data_dir: Directory | None) -> RawBatches:
        """Load or generate the arrays. Raises `DataNotPrepared` if a real data set is missing."""

    def prepare(self, raw: dict[str, tf.Tensor], key: Key) -> Batch:
        """One prepared batch (tensors) from one raw batch (tensors) and a key (`taskset.random.stateless`)."""


class Computed:
    """What specifications share of data that is computed from config and seed alone; a subclass gives the rest of `DataSpec`."""

    needs_source = False

    def check(self, source: str | None = None, data_dir: Directory | None = None) -> None:
        """Does nothing: no data is read."""

    def prepare(self, raw: Mapping[str, tf.Tensor], key: Key) -> Batch:
        """The raw batch, unchanged."""
        return dict(raw)


class OrderInBlocks:
    """The order of examples, drawn `per_block` batches at a time: a pure function of (seed, split, step).

    A subclass defines `_draw(seed, split, block)`: positions in `rows`, int [per_block, batch size]. The last `kept` blocks stay
    in memory.

    rows: numbers of the rows, a range of any step. Raises `ConfigError` for other rows, and a `batch_size` below 1.
    """

    kept = 4

    def __init__(self, rows: range, batch_size: int, per_block: int) -> None:
        self.rows, self.batch_size, self.per_block = _checked_rows(rows), whole_number("batch_size", batch_size), per_block
        self._blocks: dict[tuple[int, str, int], np.ndarray] = {}

    def _draw(self, seed: int, split: str, block: int) -> np.ndarray:
        raise NotImplementedError

    def _block(self, seed: int, split: str, block: int) -> np.ndarray:
        key = (seed, split, block)
        drawn = self._blocks.get(key)  # asked once: another thread may take it out
        if drawn is None:
            drawn = self._draw(seed, split, block)
            if len(self._blocks) >= self.kept:
                self._blocks.pop(next(iter(self._blocks)), None)
            self._blocks[key] = drawn
        return drawn

    def __call__(self, seed: int, split: str, start: int, count: int) -> np.ndarray:
        """Row numbers of batches `start .. start + count - 1`: int64 [count, batch size]."""
        steps = [divmod(step, self.per_block) for step in range(start, start + count)]
        return self.rows.start + self.rows.step * np.stack([self._block(seed, split, block)[i] for block, i in steps])


def _checked_rows(rows: range) -> range:
    if not isinstance(rows, range):
        raise ConfigError(f"rows {shown(rows)}: allowed is a range of row numbers, such as range(500)")
    return rows


class EpochOrder(OrderInBlocks):
    """The order of examples: each epoch is a new permutation, without its incomplete last batch; epochs follow without end.

    rows: a range with at least `batch_size` numbers. of: whose rows they are, for the error message. Raises `ConfigError`.
    """

    def __init__(self, rows: range, batch_size: int, of: str = "") -> None:
        rows, batch_size = _checked_rows(rows), whole_number("batch_size", batch_size)
        if len(rows) < batch_size:
            whose = f" of {of}" if of else ""
            raise ConfigError(
                f"a batch of {batch_size} can't be drawn from {counted(len(rows), 'example')}{whose}: allowed is a batch_size "
                "of at most that many"
            )
        super().__init__(rows, batch_size, len(rows) // batch_size)

    def _draw(self, seed: int, split: str, block: int) -> np.ndarray:
        order = seeds.generator(seed, "order", split, block).permutation(len(self.rows))
        return order[: self.per_block * self.batch_size].reshape(self.per_block, self.batch_size)
