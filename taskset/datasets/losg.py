"""Data of the synthetic problems of losg_tasks_family (arXiv 1703.04813): small random sets, computed from a number.

All four splits draw from the same rows, each in an order of its own. A batch is drawn without replacement, and the batches of an
epoch are disjoint (`EpochOrder`), as everywhere in this package; where a batch is larger than the set, batches are cut from an
endless stream of its rows (`ShuffledStream`).
"""

from dataclasses import dataclass

import numpy as np

from taskset.datasets.base import EpochOrder, OrderInBlocks
from taskset.random import seeds

_LAYERS, _WIDTH = 6, 20  # of the random network that labels
_IDS = 5  # per row of parity data
_FLIPPED = 0.25  # share of parity labels


class ShuffledStream(OrderInBlocks):
    """The order of examples of sets that are smaller than a batch: the rows again and again, shuffled through a buffer.

    The buffer has as many places as there are rows. Each draw takes what is in a random place, and the next number of the
    sequence 0, 1, .., rows - 1, 0, 1, .. takes that place. So each row is in a batch about equally often: of 10 rows, batches
    of 100 have each 10 times, give or take 0.9 (independent draws: 3.0).

    Every 100 batches the stream starts anew, from a buffer as it is after endlessly many draws.
    """

    kept = 64  # of at most some 10^5 bytes; several runs draw in turns

    def __init__(self, rows: range, batch_size: int):
        super().__init__(rows, batch_size, per_block=100)

    def _draw(self, seed, split, block):
        # Time counts draws: the block's are 0, 1, .., and what enters at time t is row (first + t) % n. A draw takes what entered
        # at the last draw from the same place. For the places' first draws that is before 0: going back from there, each place is
        # met once, and with k of n places met a draw meets another one with probability 1 - k / n.
        rng, n = seeds.generator(seed, "order", split, block), len(self.rows)
        first, entered = rng.integers(n), -np.cumsum(rng.geometric(1 - np.arange(n) / n))
        draws = self.per_block * self.batch_size
        times = np.concatenate([entered, np.arange(draws)])
        places = np.concatenate([np.arange(n), rng.integers(n, size=draws)])
        by_place = np.argsort(places.astype(np.min_scalar_type(n)), kind="stable")  # small integers are sorted fastest
        before = np.empty_like(times)
        before[by_place[1:]] = times[by_place[:-1]]
        return ((first + before[n:]) % n).reshape(self.per_block, self.batch_size)


class Rows:
    """An opened set (`taskset.datasets.base.RawBatches`): arrays {name: [rows, ..]} in batches."""

    def __init__(self, arrays, batch_size):
        self.arrays = arrays
        rows = len(next(iter(arrays.values())))
        self.order = (EpochOrder if batch_size <= rows else ShuffledStream)(range(rows), batch_size)

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
