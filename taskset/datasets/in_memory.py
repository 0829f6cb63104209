"""Arrays of one's own as the data of a task."""

import numpy as np

from taskset.datasets.base import SPLITS, EpochOrder


def _float_or_int(array):
    return np.asarray(array, np.float32 if np.issubdtype(array.dtype, np.floating) else np.int32)


class InMemoryData:
    """A data specification over arrays that are in memory already; see `taskset.datasets.base.DataSpec`.

    arrays: {name: array}, all of the same length; the first axis is that of the examples. They are cast to float32 or int32.
    rows: {split: range} of "train", "valid_inner", "valid_outer", "test".
    batch_size: examples in a batch.

    Batches are drawn epoch by epoch, each a fresh permutation, and reach the loss as they are.
    """

    needs_source = False

    def __init__(self, arrays, rows, batch_size):
        if set(rows) != set(SPLITS):
            raise ValueError(f"rows has {sorted(rows)}; needed are {', '.join(SPLITS)}")
        self.arrays = {name: _float_or_int(np.asarray(array)) for name, array in arrays.items()}
        self.batch_size = batch_size
        self.batch = {k: ((batch_size, *v.shape[1:]), v.dtype.name) for k, v in self.arrays.items()}
        self._orders = {split: EpochOrder(rows[split], batch_size) for split in SPLITS}

    def open(self, source=None, data_dir=None):
        """The raw batches; `source` and `data_dir` mean nothing here."""
        return lambda split, seed, start, count: self._take(self._orders[split](seed, split, start, count))

    def _take(self, rows):
        return {name: array[rows] for name, array in self.arrays.items()}

    def prepare(self, raw, key):
        """The raw batch itself."""
        return dict(raw)
