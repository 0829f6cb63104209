"""What users load: curves and the tables beside them, as pandas data frames. `root=None`: the baselines of the package."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from taskset import changes
from taskset.errors import StoreError
from taskset.normalization.store import files
from taskset.normalization.store.reading import curves_table, warn_left_out

if TYPE_CHECKING:
    import pandas as pd

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


# What tells the tables apart, and is read here or by what comes after: those of all versions have these columns.
_COLUMNS = {
    "tasks.parquet": ("task", "family", "seed", "config", "num_params"),
    "optimizers.parquet": ("optimizer", "family"),
    "sweeps.parquet": ("task", "source", "group", "horizon", "optimizers"),
    "normalizers.parquet": ("task", "source", "horizon", "split", "initial", "best", "normalizable"),
}


def _load(kind: str, root: str | Path | None) -> pd.DataFrame:
    """A table as it is stored. Raises `StoreError` where it is damaged, or is another table."""
    path = files.under(root, kind)
    table = files.read_table(path)
    lacking = [column for column in _COLUMNS[kind] if column not in table.column_names]
    if lacking:
        raise StoreError(
            f"{path} has no column {lacking[0]!r}: it is another table; make it with `python -m taskset normalize DIR`"
        )
    return table.to_pandas()


def load_tasks(root: str | Path | None = None) -> pd.DataFrame:
    """One row per task: name, family, seed (an integer; missing for fixed tasks), config (JSON text), data set, feasible, reason,
    num_params, cost."""
    return _load("tasks.parquet", root).astype({"seed": "Int32", "num_params": "Int64"})


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
