"""Raw batches that a user gives to a task of the package (`Task.reading`), looked at in every draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from taskset.datasets.base import DataSpec, RawBatch, RawBatches
from taskset.errors import ConfigError, cut, shown

RawShapes: TypeAlias = dict[str, tuple[tuple[int, ...], int]]  # {name: (shape, values from 0 to below this)} of a `RawBatch`


class GivenBatches:
    """`RawBatches` of a user's function, which raise `ConfigError` where the task can't read what it gives.

    spec: the data of the task; where it has no `raw` (`RawShapes`), a draw is not looked at. source: its name in messages.
    """

    def __init__(self, draw: RawBatches, spec: DataSpec | None, source: str) -> None:
        self.origin = getattr(draw, "origin", None)
        self._draw, self._wanted, self._source = draw, getattr(spec, "raw", None), source

    def __call__(self, split: str, seed: int, start: int, count: int) -> RawBatch:
        raw = self._draw(split, seed, start, count)
        if self._wanted is not None:
            self._check(raw, self._wanted, count)
        return raw

    def _check(self, raw: Any, wanted: RawShapes, count: int) -> None:
        if not isinstance(raw, Mapping) or set(raw) != set(wanted):
            given = cut(", ".join(map(repr, raw))) if isinstance(raw, Mapping) else shown(raw)
            raise self._error(f"gave {given}", f"an array each of {', '.join(map(repr, wanted))}")
        for name, (shape, limit) in wanted.items():
            array = raw[name]
            if not isinstance(array, np.ndarray) or array.shape != (count, *shape) or array.dtype.kind not in "biu":
                kind = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else shown(array)
                raise self._error(f"gave {name!r} as {kind}", f"an array of whole numbers {[count, *shape]}")
            if array.size and not 0 <= array.min() <= array.max() < limit:
                outside = array[(array < 0) | (array >= limit)]
                raise self._error(f"gave {name!r} with {outside[0]}", f"0 to {limit - 1}")

    def _error(self, given: str, allowed: str) -> ConfigError:
        return ConfigError(f"raw_batches of source {self._source!r} {given}: allowed is {allowed}")
