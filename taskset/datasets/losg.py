"""Data of the synthetic problems of losg_tasks_family (arXiv 1703.04813): small random sets, computed from a number.

All four splits draw from the same rows, each in an order of its own. A batch is drawn without replacement, and the batches of an
epoch are disjoint (`EpochOrder`), as everywhere in this package; a batch larger than the set is drawn with replacement.
"""

from dataclasses import dataclass

import numpy as np

from taskset import seeds
from taskset.datasets.base import EpochOrder

_LAYERS, _WIDTH = 6, 20  # of the random network that labels
_IDS = 5  # per row of parity data
_FLIPPED = 0.25  # share of parity labels


class WithReplacement:
    """The order of examples of sets that are smaller than a batch: each batch is `batch_size` independent rows."""

    def __init__(self, rows, batch_size):
        self.rows, self.batch_size = rows, batch_size

    def __call__(self, seed, split, start, count):
        """Row numbers of batches `start .. start + count - 1`: int64 [count, batch size]."""
        rngs = [seeds.generator(seed, "order", split, step) for step in range(start, start + count)]
        return np.stack([rng.integers(self.rows, size=self.batch_size) for rng in rngs])


class Rows:
    """An opened set (`taskset.datasets.base.RawBatches`): arrays {name: [rows, ..]} in batches."""

    def __init__(self, arrays, batch_size):
        self.arrays = arrays
        rows = len(next(iter(arrays.values())))
        self.order = EpochOrder(range(rows), batch_size) if batch_size <= rows else WithReplacement(rows, batch_size)

    def __call__(self, split, seed, start, count):
        """Batches `start .. start + count - 1`: {name: [count, batch size, ..]}."""
        rows = self.order(seed, split, start, count)
        return {name: array[rows] for name, array in self.arrays.items()}


@dataclass(frozen=True)
class _SmallSet:
    """number: seeds the rows; num_samples: how many there are; batch_size: how many a batch has."""

    number: int
    num_samples: int
    batch_size: int

    needs_source = False

    def open(self, source=None, data_dir=None):
        """Computes the rows; both arguments are ignored."""
        return Rows(self.arrays(), self.batch_size)

    def prepare(self, raw, key):
        """The raw batch as it is."""
        return dict(raw)


@dataclass(frozen=True)
class RandomNetworkData(_SmallSet):
    """Normal features, labelled by a random ReLU network without biases of 6 layers of 20 units.

    The label is 1 where its first output is positive. Weights are N(0, 2 / fan-in); no positive factor on them changes a label.

    Prepared batches: "features" float32 [batch, dim]; "label" int32 [batch].
    """

    dim: int

    @property
    def batch(self):
        """{name: (shape, dtype)} of a prepared batch."""
        return {"features": ((self.batch_size, self.dim), "float32"), "label": ((self.batch_size,), "int32")}

    def arrays(self):
        """All rows."""
        rng = seeds.generator(self.number, "losg", "random network")
        features = rng.standard_normal((self.num_samples, self.dim), np.float32)
        hidden = features
        for _ in range(_LAYERS):
            fan_in = hidden.shape[1]
            hidden = np.maximum(hidden @ (rng.standard_normal((fan_in, _WIDTH), np.float32) * np.float32(np.sqrt(2 / fan_in))), 0)
        return {"features": features, "label": (hidden[:, 0] > 0).astype(np.int32)}


@dataclass(frozen=True)
class SymmetricData(_SmallSet):
    """num_samples // 2 normal rows and their negatives.

    Prepared batches: "features" float32 [batch, dim].
    """

    dim: int

    @property
    def batch(self):
        """{name: (shape, dtype)} of a prepared batch."""
        return {"features": ((self.batch_size, self.dim), "float32")}

    def arrays(self):
        """All rows."""
        half = seeds.generator(self.number, "losg", "symmetric").standard_normal((self.num_samples // 2, self.dim), np.float32)
        return {"features": np.concatenate([half, -half])}


@dataclass(frozen=True)
class NoisyParityData(_SmallSet):
    """Five ids in {0, 1}; the label is the parity of their sum, a quarter of the labels flipped.

    Prepared batches: "ids" int32 [batch, 5]; "label" int32 [batch].
    """

    @property
    def batch(self):
        """{name: (shape, dtype)} of a prepared batch."""
        return {"ids": ((self.batch_size, _IDS), "int32"), "label": ((self.batch_size,), "int32")}

    def arrays(self):
        """All rows."""
        rng = seeds.generator(self.number, "losg", "noisy parity")
        ids = rng.integers(0, 2, (self.num_samples, _IDS), np.int32)
        flipped = rng.random(self.num_samples) < _FLIPPED
        return {"ids": ids, "label": ((ids.sum(1) + flipped) % 2).astype(np.int32)}


def data(kind, args, number):
    """The data specification of a problem `[kind, args, number]`, None where its loss reads none.

    dependency_chain has a batch size and a number of samples in its config, and a loss that never looks at them: it has none.
    """
    if "base" in args:
        base_kind, base_args = args["base"]
        return data(base_kind, base_args, number)
    if kind == "outward_snake":
        return RandomNetworkData(number, args["n_samples"], args["bs"], args["dim"])
    if kind == "fully_connected":
        return RandomNetworkData(number, args["n_samples"], args["bs"], args["n_features"])
    if kind in ("sum_of_quadratics", "projection_quadratic"):
        return SymmetricData(number, args["n_samples"], args["bs"], args["dim"])
    if kind == "sparse_softmax_regression":
        return NoisyParityData(number, args["n_samples"], args["bs"])
    return None
