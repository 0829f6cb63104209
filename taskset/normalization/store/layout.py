"""Curves as they are stored and as they are used: two things differ.

`seconds`, the training time so far, is stored as one number per run: `seconds_per_step`. A sweep's steps take equal time up to
the noise of measuring (median deviation .5% of a run's time), which took a fifth of a file. A run that has diverged spends no
time after the evaluation that shows it:

    seconds = seconds_per_step * min(step, step of the run's first diverged evaluation)

In merged baselines the curves of a group of equal options are in GROUP.parquet and, added later, in GROUP-2.parquet and so on. A
task is in one of them; in a later one, too, if it changed since the curves in the older were computed.

`version` is the package's that computed the curves. Files from before 0.2 have `seconds` and no version; they are read alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from taskset import changes
from taskset.errors import StoreError, cut
from taskset.normalization.store.columns import SCHEMA, STORED

# Names of the files in a directory of results.
TASKS, OPTIMIZERS, NORMALIZERS = "tasks.parquet", "optimizers.parquet", "normalizers.parquet"
SWEEP = "sweep.json"  # of one sweep: its options
SWEEPS = "sweeps.parquet"  # of merged baselines: the options of each sweep
SUMS = "SHA256SUMS"  # the list of sums of merged baselines; empty while a merge is at work
_ADDED = re.compile(r"-(\d+)$")  # names of groups end in a number of batches or a checksum
_FROM = {"seconds": ("seconds_per_step", "step", "diverged")}  # what derived columns are computed from


def group_of(file: str) -> str:
    """The group of options of a curve file of merged baselines, by its name without .parquet: "GROUP" or "GROUP-2"."""
    return _ADDED.sub("", file)


def file_in_group(group: str, number: int) -> str:
    """The name of the number-th curve file of a group, from 1 on, without .parquet."""
    return group if number == 1 else f"{group}-{number}"


def number_in_group(file: str) -> int:
    """The inverse of `file_in_group`."""
    match = _ADDED.search(file)
    return int(match[1]) if match else 1


def stored_columns(columns: Iterable[str]) -> list[str]:
    """The stored columns that the columns asked for are computed from."""
    return list(dict.fromkeys(part for column in columns for part in _FROM.get(column, (column,))))


def is_old(schema: pa.Schema) -> bool:
    """Whether a file's schema is that of curves from before version 0.2."""
    return "seconds" in schema.names and "seconds_per_step" not in schema.names


def check_columns(path: str | Path, schema: pa.Schema) -> None:
    """Raise `StoreError` unless a file has the columns of curves, those of today or of before version 0.2."""
    expected = SCHEMA if is_old(schema) else STORED
    if not set(expected.names) <= set(schema.names):
        raise StoreError(f"{path} is no curve file: its columns are {cut(', '.join(schema.names), 300)}; remove it")
    for field in expected:
        there = schema.field(field.name).type
        if _plain(there) != _plain(field.type):
            raise StoreError(f"{path} is no curve file: {field.name} is {cut(str(there))}, not {_plain(field.type)}; remove it")


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def version_of(metadata: dict[bytes, bytes] | None) -> str:
    """The version in an old file's metadata: the oldest where several made it."""
    versions = (metadata or {}).get(b"taskset_version", b"").decode()
    return changes.oldest(versions.split(", ")) if versions else changes.FIRST


def stored(table: pa.Table, version: str) -> pa.Table:
    """Curves of whole runs in the order of a sweep (`SCHEMA`) as they are stored. version: of the package that made them."""
    seconds, taken = table["seconds"].to_numpy(), taken_steps(table["step"].to_numpy(), _flags(table))
    starts = np.flatnonzero(table["step"].to_numpy() == 0)
    if len(table) and (not len(starts) or starts[0] != 0):
        raise StoreError("curves have to be stored run after run, each from step 0")
    ends = np.append(starts[1:], len(table)) - 1
    rates = np.divide(seconds[ends], taken[ends], out=np.where(np.isnan(seconds[ends]), np.nan, 0.0), where=taken[ends] > 0)
    columns = {name: table[name] for name in SCHEMA.names if name != "seconds"}
    columns["seconds_per_step"] = np.repeat(rates.astype(np.float32), ends - starts + 1)
    columns["version"] = pa.array([version] * len(table), pa.string())
    return pa.table(columns).cast(STORED)


def with_version(table: pa.Table, version: str) -> pa.Table:
    """Curves with the column `version`, the same in all rows."""
    values = pa.DictionaryArray.from_arrays(pa.array(np.zeros(len(table), np.int32)), pa.array([version], pa.string()))
    return table.append_column("version", values)


def with_seconds(table: pa.Table) -> pa.Table:
    """Stored curves, whole runs in the order of a file, with the column `seconds`."""
    taken = taken_steps(table["step"].to_numpy(), _flags(table))
    seconds = (table["seconds_per_step"].to_numpy() * taken).astype(np.float32)
    return table.append_column("seconds", pa.array(seconds))


def taken_steps(steps: np.ndarray, diverged: np.ndarray) -> np.ndarray:
    """Steps trained at each evaluation: those of a run end at its first evaluation that has diverged. Arrays [N]."""
    after = diverged.copy()
    after[1:] &= diverged[:-1]
    after[steps == 0] = False
    place = np.maximum.accumulate(np.where(after, 0, np.arange(len(steps))))
    return steps[place]


def _flags(table: pa.Table) -> np.ndarray:
    return table["diverged"].to_numpy(zero_copy_only=False).astype(bool)
