"""Your own arrays as the data of a task."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from taskset.datasets.base import SPLITS, BatchShapes, Computed, EpochOrder, RawBatch
from taskset.errors import ConfigError, cut, shown, whole_number

if TYPE_CHECKING:
    from taskset.datasets.prepared import Directory


def _float_or_int(name, array):
    if isinstance(array, np.ma.MaskedArray):  # as an array it would have the numbers behind the mask
        raise ConfigError(f"array {shown(name)} is masked: allowed are arrays without a mask, as array.filled(0) makes them")
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise ConfigError(f"array {shown(name)} is of {array.dtype}: allowed are numbers and truth values")
    kind = np.float32 if array.dtype.kind == "f" else np.int32
    if array.dtype == kind:
        return array
    with np.errstate(over="ignore"):
        cast = array.astype(kind)
    lost = np.isfinite(array) & ~np.isfinite(cast) if kind is np.float32 else cast != array
    if lost.any():
        raise ConfigError(f"array {shown(name)} has {array[lost][0]!s}, which {kind.__name__} can't hold")
    return cast


class InMemoryData(Computed):
    """A data specification (`taskset.datasets.base.DataSpec`) of arrays in memory, and the batches drawn from it.

    arrays: {name: array}, all of the same length along the first axis, that of the examples; they are cast to float32 or int32.
        Those that are of these types already are not copied, and have to stay as they are: a checksum is what results keep.
    rows: {split: range} of "train", "valid_inner", "valid_outer", "test"; each has at least `batch_size` rows in a row.
    batch_size: examples per batch.
    origin: what curves keep of the data (JSON values), with a checksum of arrays, rows and batch size.

    Raises `ConfigError` for masked arrays, arrays of different lengths, values that don't fit and rows that they don't have.

    Each epoch is a new permutation of a split's rows. The loss reads batches of the arrays, unchanged.
    """

    def __init__(self, arrays: Mapping[str, ArrayLike], rows: Mapping[str, range], batch_size: int) -> None:
        if set(rows) != set(SPLITS):
            raise ConfigError(f"rows has {cut(', '.join(map(repr, rows)))}; needed are {', '.join(SPLITS)}")
        batch_size = whole_number("batch_size", batch_size)
        self.arrays = {name: _float_or_int(name, array) for name, array in arrays.items()}
        lengths = {array.shape[:1] for array in self.arrays.values()}
        if len(lengths) != 1 or () in lengths:
            shapes = {name: array.shape for name, array in self.arrays.items()}
            raise ConfigError(f"arrays of shapes {shapes}: allowed are arrays with the same first axis, that of the examples")
        ((count,),) = lengths
        for split in SPLITS:
            chosen = rows[split]
            inside = isinstance(chosen, range) and chosen.step == 1 and chosen.start >= 0 and chosen.stop <= count
            if not inside or len(chosen) < batch_size:
                raise ConfigError(
                    f"rows of {split!r} are {shown(chosen)}: allowed is range(start, stop) of the {count} examples, with at "
                    f"least the {batch_size} of a batch"
                )
        self.batch_size = batch_size
        self.batch: BatchShapes = {k: ((batch_size, *v.shape[1:]), v.dtype.name) for k, v in self.arrays.items()}
        self._orders = {split: EpochOrder(rows[split], batch_size) for split in SPLITS}

    def __repr__(self) -> str:
        arrays = ", ".join(f"{name} {array.dtype} {list(array.shape)}" for name, array in self.arrays.items())
        rows = ", ".join(f"{split} {len(order.rows)}" for split, order in self._orders.items())
        return f"InMemoryData({arrays}; examples: {rows}; batch_size {self.batch_size})"

    @functools.cached_property
    def origin(self) -> dict[str, str]:
        value = 0
        for name, array in sorted(self.arrays.items()):
            value = zlib.crc32(f"{name} {array.dtype} {array.shape}".encode(), value)
            value = zlib.crc32(np.ascontiguousarray(array).reshape(-1).data, value)
        drawn = [self.batch_size, *((order.rows.start, order.rows.stop) for order in self._orders.values())]
        return {"source": "none", "name": "arrays in memory", "checksum": f"{zlib.crc32(repr(drawn).encode(), value):08x}"}

    def open(self, source: str | None = None, data_dir: Directory | None = None) -> InMemoryData:
        """Itself; both arguments are ignored."""
        return self

    def __call__(self, split: str, seed: int, start: int, count: int) -> RawBatch:
        """Batches `start .. start + count - 1` of a split: {name: array [count, batch size, ..]}."""
        rows = self._orders[split](seed, split, start, count)
        return {name: array[rows] for name, array in self.arrays.items()}
