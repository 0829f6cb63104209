"""Raw batches that a user gives to a task of the package (`Task.reading`), looked at in every draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from taskset.datasets.base import DataSpec, RawBatch, RawBatches
from taskset.errors import ConfigError, cut, shown

# {name: (shape, limit)} of a `RawBatch`: whole numbers from 0 to below the limit, or finite floats where it is None
RawShapes: TypeAlias = dict[str, tuple[tuple[int, ...], int | None]]


class Repeatable:
    """`RawBatches` of a user's own, which raise `ConfigError` where a batch is another one when it is drawn alone.

    Loops and evaluations draw batches in stretches of different lengths, and resumed runs draw some again. The first draw of each
    split that has several batches is looked at. who: whose draws they are, for messages.
    """

    def __init__(self, draw: RawBatches, who: str) -> None:
        self._draw, self._who, self._seen = draw, who, set[str]()

    @property
    def origin(self) -> Any:
        return getattr(self._draw, "origin", None)

    def __call__(self, split: str, seed: int, start: int, count: int) -> RawBatch:
        raw = _kept(self._draw(split, seed, start, count))
        self.check(raw, split, seed, start, count)
        return raw

    def check(self, raw: RawBatch, split: str, seed: int, start: int, count: int) -> None:
        """Raise `ConfigError` unless the last batch of a draw is the same alone; only for the first draw of a split."""
        if count == 1 or split in self._seen or not isinstance(raw, Mapping):
            return
        last = start + count - 1
        alone = self._draw(split, seed, last, 1)
        unlike = [name for name in raw if not _equal(raw[name][-1], alone[name][0])]
        if unlike:
            raise ConfigError(
                f"{self._who} gave batch {last} of {split!r} with other values of {unlike[0]!r} when it was drawn alone: allowed "
                "is what depends on split, seed and number of the batch alone, "
                'as taskset.random.seeds.generator(seed, "purpose", split, number) draws it'
            )
        self._seen.add(split)


def _kept(raw: Any) -> Any:
    """A draw with copies of its arrays: a function may fill the same arrays again in its next draw, while this one is read."""
    if not isinstance(raw, Mapping):
        return raw
    return {name: array.copy() if isinstance(array, np.ndarray) else array for name, array in raw.items()}


def _equal(one: Any, other: Any) -> bool:
    """Whether two arrays are, bit for bit; of objects, such as texts, by what they are and not by where they lie."""
    one, other = np.asarray(one), np.asarray(other)
    same = one.tolist() == other.tolist() if one.dtype.hasobject else one.tobytes() == other.tobytes()
    return one.shape == other.shape and one.dtype == other.dtype and same


class GivenBatches:
    """`RawBatches` of a user's function, which raise `ConfigError` where the task can't read what it gives.

    spec: the data of the task; where it has no `raw` (`RawShapes`), a draw is not looked at. source: its name in messages.
    """

    def __init__(self, draw: RawBatches, spec: DataSpec | None, source: str) -> None:
        self.origin = getattr(draw, "origin", None)
        self._draw, self._wanted, self._source = draw, getattr(spec, "raw", None), source
        self._repeatable = Repeatable(draw, f"raw_batches of source {source!r}")

    def __call__(self, split: str, seed: int, start: int, count: int) -> RawBatch:
        raw = _kept(self._draw(split, seed, start, count))
        if self._wanted is not None:
            self._check(raw, self._wanted, count)
        self._repeatable.check(raw, split, seed, start, count)
        return raw

    def _check(self, raw: Any, wanted: RawShapes, count: int) -> None:
        if not isinstance(raw, Mapping) or set(raw) != set(wanted):
            given = cut(", ".join(map(repr, raw))) if isinstance(raw, Mapping) else shown(raw)
            raise self._error(f"gave {given}", f"an array each of {', '.join(map(repr, wanted))}")
        for name, (shape, limit) in wanted.items():
            array, numbers, kinds = raw[name], *(("floats", "f") if limit is None else ("whole numbers", "biu"))
            if not isinstance(array, np.ndarray) or array.shape != (count, *shape) or array.dtype.kind not in kinds:
                kind = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else shown(array)
                raise self._error(f"gave {name!r} as {kind}", f"an array of {numbers} {[count, *shape]}")
            if limit is None:
                if not (finite := np.isfinite(array)).all():
                    raise self._error(f"gave {name!r} with {array[~finite][0]}", "finite numbers")
            elif array.size and not 0 <= array.min() <= array.max() < limit:
                outside = array[(array < 0) | (array >= limit)]
                raise self._error(f"gave {name!r} with {outside[0]}", f"0 to {limit - 1}")

    def _error(self, given: str, allowed: str) -> ConfigError:
        return ConfigError(f"raw_batches of source {self._source!r} {given}: allowed is {allowed}")
