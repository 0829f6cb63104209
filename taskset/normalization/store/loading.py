"""What users load: curves and the tables beside them, as pandas data frames. `root=None`: the baselines of the package."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from taskset import changes
from taskset.errors import StoreError, cut
from taskset.normalization.store import files
from taskset.normalization.store.reading import curves_table, warn_left_out

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Names = str | Iterable[str] | None  # one, several, or all


def load_curves(
    task: Names = None,
    family: Names = None,
    optimizer: Names = None,
    source: Names = None,
    columns: Names = None,
    root: str | Path | None = None,
    horizon: int | Iterable[int] | None = None,
    version: str | None = None,
) -> pd.DataFrame:
    """Learning curves as a pandas DataFrame, one row per evaluation.

    task, family, optimizer, source, horizon: a value or several; only those rows are read. A task may have curves of several
    sources and horizons: one run is one (task, source, horizon, optimizer, seed).
    columns: the columns wanted (`SCHEMA`, version, source and family); None: all.
    root: a directory made by `python -m taskset baseline`; None: the baselines that come with the package.
    version: None: what holds for today's tasks. Curves of tasks that changed since they were computed (`taskset.changes`) are
    left out, with a warning, and are an error where the task was asked for by name. "0.1": what that version computed.

    Losses are means over the same batches of a split at each evaluation, in nats where they are likelihoods; NaN once the run
    has diverged. `seconds` is the run's training time so far, at the run's mean rate; NaN where it isn't known (source
    published). Raises `StoreError`: nothing there, a name that is nowhere, a damaged file.
    """
    return curves_table(root, task, family, optimizer, source, columns, horizon, version).to_pandas()


# What tells the tables apart, and is read here or by what comes after: those of all versions have these columns of these kinds.
_TEXT, _INTEGER, _NUMBER, _FLAG = "text", "integers", "numbers", "true or false"
_COLUMNS = {
    # 0.1 wrote integers that may be missing as floats
    "tasks.parquet": {"task": _TEXT, "family": _TEXT, "seed": _NUMBER, "config": _TEXT, "num_params": _NUMBER},
    "optimizers.parquet": {"optimizer": _TEXT, "family": _TEXT},
    "sweeps.parquet": {
        "task": _TEXT,
        "source": _TEXT,
        "group": _TEXT,
        "horizon": _INTEGER,
        "evaluations": _INTEGER,
        "batches": _INTEGER,
    },
    "normalizers.parquet": {
        "task": _TEXT,
        "source": _TEXT,
        "horizon": _INTEGER,
        "split": _TEXT,
        "initial": _NUMBER,
        "best": _NUMBER,
        "normalizable": _FLAG,
    },
}


def _load(kind: str, root: str | Path | None) -> pd.DataFrame:
    """A table as it is stored. Raises `StoreError` where it is damaged, or is another table."""
    path = files.under(root, kind)
    table = files.read_table(path)
    for column, wanted in _COLUMNS[kind].items():
        there = table.schema.field(column).type if column in table.column_names else None
        if there is None or not _is(there, wanted):
            what = f"has no column {column!r}" if there is None else f"has {there} in column {column!r}, which holds {wanted}"
            raise StoreError(f"{path} {what}: it is another table; make it with `python -m taskset normalize DIR`")
    try:
        return table.to_pandas()
    except files.UNREADABLE as error:
        raise files.broken(path) from error


def _is(there: pa.DataType, wanted: str) -> bool:
    import pyarrow.types as kinds

    if kinds.is_null(there):  # a column without any value: seeds of fixed tasks
        return True
    there = there.value_type if kinds.is_dictionary(there) else there
    if wanted == _TEXT:
        return kinds.is_string(there) or kinds.is_large_string(there)
    if wanted == _FLAG:
        return kinds.is_boolean(there)
    return kinds.is_integer(there) or (wanted == _NUMBER and kinds.is_floating(there))


def load_tasks(root: str | Path | None = None) -> pd.DataFrame:
    """One row per task: name, family, seed (an integer; missing for fixed tasks), config (JSON text), data set, feasible, reason,
    num_params, cost."""
    frame = _load("tasks.parquet", root)
    try:
        return frame.astype({"seed": "Int32", "num_params": "Int64"})
    except (TypeError, ValueError, OverflowError) as error:
        raise StoreError(
            f"{files.under(root, 'tasks.parquet')}: seeds or numbers of parameters are no integers ({cut(str(error))}): make it "
            "with `python -m taskset normalize DIR`"
        ) from error


def load_optimizers(root: str | Path | None = None) -> pd.DataFrame:
    """One row per optimizer: its name, family and hyperparameters."""
    return _load("optimizers.parquet", root)


def load_sweeps(root: str | Path | None = None) -> pd.DataFrame:
    """One row per (task, source, group of options): how its curves were made, by what, where, and at what cost."""
    return _load("sweeps.parquet", root)


def load_normalizers(root: str | Path | None = None, version: str | None = None) -> pd.DataFrame:
    """One row per (task, source, horizon, split): initial and best loss, the best optimizer, runs, share of diverged runs.

    version: as in `load_curves`.
    """
    frame, left_out = normalizers_of(root, version)
    if left_out:
        warn_left_out("normalizers", left_out, stacklevel=3)
    return frame


def normalizers_of(root: str | Path | None = None, version: str | None = None) -> tuple[pd.DataFrame, set[tuple[str, str]]]:
    """(the normalizers of `load_normalizers`, {(task, version)} of those left out), without a warning."""
    frame = all_normalizers(root)
    if version is not None:
        changes.release(version)
        return frame[[changes.is_of(made_by, version) for made_by in frame["version"]]].reset_index(drop=True), set()
    rows = list(zip(frame["task"], frame["source"], frame["version"]))
    old = {row for row in set(rows) if changes.outdated(*row)}
    if not old:
        return frame, set()
    return frame[[row not in old for row in rows]].reset_index(drop=True), {(task, made_by) for task, _, made_by in old}


def all_normalizers(root: str | Path | None = None) -> pd.DataFrame:
    """The normalizers of all versions, those of tasks that changed since included."""
    frame = _load("normalizers.parquet", root)
    return frame if "version" in frame else frame.assign(version=changes.FIRST)
