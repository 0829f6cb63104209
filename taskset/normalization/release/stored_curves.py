"""The curves of one task in a file, as releases are made of them."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from taskset import changes
from taskset.normalization.store import file_metadata, packing


@dataclass(frozen=True)
class StoredCurves:
    """The curves of one task in a file: where they are, the metadata stored with them ({name: text}), the footer."""

    path: Path
    row_group: int
    task: str
    metadata: dict[str, str]
    footer: pq.FileMetaData = field(repr=False, compare=False)

    @property
    def family(self) -> str:
        return self.metadata["family"]

    @property
    def source(self) -> str:
        return self.metadata["source"]

    @functools.cached_property
    def options(self) -> dict[str, Any]:
        """The options of their sweep, JSON values."""
        return file_metadata.options(self.path, self.metadata)

    @property
    def config(self) -> Any:
        """The config of their task, a JSON value."""
        return file_metadata.config(self.path, self.metadata)

    @property
    def version(self) -> str:
        """The version of the package that computed them."""
        return self.metadata.get("taskset_version") or changes.FIRST

    @property
    def core_seconds(self) -> float | None:
        """Processor time of their sweep; None where it isn't known."""
        return file_metadata.core_seconds(self.path, self.metadata).get("total")

    @property
    def runs(self) -> int:
        """The number of runs: one of each optimizer from each seed."""
        return len(self.options["optimizers"]) * len(self.options["seeds"])

    def read(self) -> pa.Table:
        """The curves as an Arrow table (`columns.STORED`)."""
        return packing.read_part(self.path, self.row_group, self.footer)


def same(one: StoredCurves, other: StoredCurves) -> bool:
    """Whether two `StoredCurves` of one task are equal in every value."""
    if one.version != other.version:
        return False
    left, right = (packing.in_order(curves.read()) for curves in (one, other))
    return len(left) == len(right) and all(_equal(left[name], right[name]) for name in left.column_names if name != "version")


def _equal(left: pa.ChunkedArray, right: pa.ChunkedArray) -> bool:
    if pa.types.is_dictionary(left.type):
        return left.cast(pa.string()).equals(right.cast(pa.string()))
    one, other = left.to_numpy(), right.to_numpy()
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
