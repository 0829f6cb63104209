"""Data of the synthetic problems of losg_tasks_family (arXiv 1703.04813): small random sets, computed from a number.

All four splits draw from the same rows, each in its own order. A batch is drawn without replacement, and the batches of an epoch
are disjoint (`EpochOrder`), as everywhere in this package; of a set of less than FEW batches they are cut from an endless
stream of its rows (`ShuffledStream`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from taskset.datasets.base import BatchShapes, Computed, DataSpec, EpochOrder, OrderInBlocks, RawBatch
from taskset.datasets.given import RawShapes
from taskset.random import seeds

if TYPE_CHECKING:
    from taskset.datasets.prepared import Directory

_LAYERS, _WIDTH = 6, 20  # of the random network that labels features
_IDS = 5  # per row of parity data
_FLIPPED = 0.25  # share of the parity labels


# Below so many batches a set is read as a `ShuffledStream`. How often a row is in a batch varies more there than in epochs, which
# have each row once: of 20 rows, in batches of 20, 10, 5 and 2, with a variance of .61, .39, .22 and .093 instead of 0, .25, .19
# and .090.
FEW = 4


class ShuffledStream(OrderInBlocks):
    """The order of examples of sets of few batches: a repetition of the rows, shuffled through a buffer, as in the release.

    The buffer has as many places as there are rows. Each draw takes the content of a random place, which the next number of the
    sequence 0, 1, .., rows - 1, 0, 1, .. then fills. So all rows are about equally frequent in a batch: of 10 rows, batches of
    100 have each 10 times, with a standard deviation of 0.9 (independent draws: 3.0).

    Every 100 batches the stream restarts from a buffer in its stationary state, that after infinitely many draws.
    """

    kept = 64  # each has at most about 10^5 bytes; several runs draw in turns

    def __init__(self, rows: range, batch_size: int) -> None:
        super().__init__(rows, batch_size, per_block=100)

    def _draw(self, seed: int, split: str, block: int) -> np.ndarray:
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

    def __init__(self, arrays: dict[str, np.ndarray], batch_size: int) -> None:
        self.arrays = arrays
        rows = range(len(next(iter(arrays.values()))))
        self.order = EpochOrder(rows, batch_size) if len(rows) >= FEW * batch_size else ShuffledStream(rows, batch_size)

    def __call__(self, split: str, seed: int, start: int, count: int) -> RawBatch:
        """Batches `start .. start + count - 1`: {name: [count, batch size, ..]}."""
        rows = self.order(seed, split, start, count)
        return {name: array[rows] for name, array in self.arrays.items()}


@dataclass(frozen=True)
class _SmallSet(Computed):
    """number: the seed of the rows; num_samples: their number; batch_size: rows per batch."""

    number: int
    num_samples: int
    batch_size: int

    @property
    def num_rows(self) -> int:
        """The number of rows that there are in the end."""
        return self.num_samples

    @property
    def batch(self) -> BatchShapes:
        """{name: (shape, dtype)} of a prepared batch."""
        raise NotImplementedError

    @property
    def raw(self) -> RawShapes:
        """{name: (shape, limit)} of a raw batch: labels and ids are 0 or 1, features are floats."""
        return {name: (shape, 2 if dtype == "int32" else None) for name, (shape, dtype) in self.batch.items()}

    def arrays(self) -> dict[str, np.ndarray]:
        """All rows."""
        raise NotImplementedError

    def open(self, source: str | None = None, data_dir: Directory | None = None) -> Rows:
        """Computes the rows; both arguments are ignored."""
        return Rows(self.arrays(), self.batch_size)


@dataclass(frozen=True)
class RandomNetworkData(_SmallSet):
    """Normal features, labelled by a random ReLU network without biases, with 6 layers of 20 units.

    The label is 1 where its first output is positive. Weights are N(0, 2 / fan-in); no positive factor on them changes a label.

    Prepared batches: "features" float32 [batch, dim]; "label" int32 [batch].
    """

    dim: int

    @property
    def batch(self) -> BatchShapes:
        """{name: (shape, dtype)} of a prepared batch."""
        return {"features": ((self.batch_size, self.dim), "float32"), "label": ((self.batch_size,), "int32")}

    def arrays(self) -> dict[str, np.ndarray]:
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
    def num_rows(self) -> int:
        """An even number."""
        return self.num_samples // 2 * 2

    @property
    def batch(self) -> BatchShapes:
        """{name: (shape, dtype)} of a prepared batch."""
        return {"features": ((self.batch_size, self.dim), "float32")}

    def arrays(self) -> dict[str, np.ndarray]:
        """All rows."""
        half = seeds.generator(self.number, "losg", "symmetric").standard_normal((self.num_samples // 2, self.dim), np.float32)
        return {"features": np.concatenate([half, -half])}


@dataclass(frozen=True)
class NoisyParityData(_SmallSet):
    """Five ids in {0, 1}; the label is the parity of their sum, a quarter of the labels flipped.

    Prepared batches: "ids" int32 [batch, 5]; "label" int32 [batch].
    """

    @property
    def batch(self) -> BatchShapes:
        """{name: (shape, dtype)} of a prepared batch."""
        return {"ids": ((self.batch_size, _IDS), "int32"), "label": ((self.batch_size,), "int32")}

    def arrays(self) -> dict[str, np.ndarray]:
        """All rows."""
        rng = seeds.generator(self.number, "losg", "noisy parity")
        ids = rng.integers(0, 2, (self.num_samples, _IDS), np.int32)
        flipped = rng.random(self.num_samples) < _FLIPPED
        return {"ids": ids, "label": ((ids.sum(1) + flipped) % 2).astype(np.int32)}


def data(kind: str, args: dict[str, Any], number: int) -> DataSpec | None:
    """The data specification of a problem `[kind, args, number]`; None if its loss reads none.

    dependency_chain has a batch size and a number of samples in its config, but its loss reads no data.
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
