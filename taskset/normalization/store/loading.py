"""What users load: curves and the tables beside them, as pandas data frames. `root=None`: the baselines of the package."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from taskset import changes
from taskset.errors import StoreError, cut
from taskset.normalization.store import files, layout
from taskset.normalization.store.outdated import warn_left_out
from taskset.normalization.store.reading import curves_table

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
    seed: int | Iterable[int] | None = None,
) -> pd.DataFrame:
    """Learning curves as a pandas DataFrame, one row per evaluation.

    task, family, optimizer, source, horizon, seed: a value or several; only those rows are read. Task, family and optimizer may
    be globs, such as "adam_lr_*". A task may have curves of several sources and horizons: one run is one (task, source, horizon,
    optimizer, seed). Conditions are joined by "and": a task that has curves, but none of the horizon asked for, adds no rows.
    columns: the columns wanted (`SCHEMA`, version, source and family); None: all.
    root: a directory of `baseline`, `score`, `learned evaluate` or `data ship`; None: the baselines that come with the package.
    version: None: what holds for today's tasks. Curves of tasks that changed since they were computed (`taskset.changes`) are
    left out, with a warning, and an error where a task that was asked for by name has no others. "0.1": what that version
    computed.

    Losses are means over the same batches of a split at each evaluation, in nats where they are likelihoods; NaN once the run
    has diverged. `seconds` is the run's training time so far, at the run's mean rate; NaN where it isn't known (source
    published). Raises `StoreError`: nothing there, a name that is nowhere, a task of which `version` has nothing, a damaged file.
    """
    return curves_table(root, task, family, optimizer, source, columns, horizon, version, seed).to_pandas()


def with_text_names(curves: pd.DataFrame) -> pd.DataFrame:
    """Curves with names as text instead of categories, so that frames with different names can be concatenated."""
    return curves.astype({name: str for name in ("task", "optimizer") if name in curves})


# What tells the tables apart, and is read here or by what comes after: those of all versions have these columns of these kinds.
_NAME, _TEXT, _INTEGER, _NUMBER, _FLAG = "names", "text", "integers", "numbers", "true or false"
_MAY_LACK = (_TEXT, _NUMBER)  # the others have a value in each row
_COLUMNS = {
    # 0.1 wrote integers that may be missing as floats
    layout.TASKS: {"task": _NAME, "family": _NAME, "seed": _NUMBER, "config": _TEXT, "num_params": _NUMBER},
    layout.OPTIMIZERS: {"optimizer": _NAME, "family": _TEXT},
    layout.SWEEPS: {
        "task": _NAME,
        "source": _NAME,
        "group": _NAME,
        "horizon": _INTEGER,
        "evaluations": _INTEGER,
        "batches": _INTEGER,
    },
    layout.NORMALIZERS: {
        "task": _NAME,
        "source": _NAME,
        "horizon": _INTEGER,
        "split": _NAME,
        "initial": _NUMBER,
        "best": _NUMBER,
        "best_optimizer": _TEXT,
        "normalizable": _FLAG,
        "runs": _INTEGER,
        "diverged_share": _NUMBER,
    },
}


def _load(kind: str, root: str | Path | None) -> pd.DataFrame:
    """A table as it is stored. Raises `StoreError` where it is damaged, or is another table."""
    path = files.under(root, kind)
    table = files.read_table(path)
    others = dict.fromkeys(table.column_names, _NUMBER) if kind == layout.OPTIMIZERS else {}  # hyperparameters
    for column, wanted in {**others, **_COLUMNS[kind]}.items():
        there = table[column] if column in table.column_names else None
        if there is None or not _is(there, wanted):
            what = "has no" if there is None else f"has {cut(str(there.type))}, or nothing, where {wanted} should be, in"
            raise StoreError(f"{path} {what} column {column!r}: it is another table; {files.way_to(root, kind)}")
    try:
        return table.to_pandas()
    except files.UNREADABLE as error:
        raise files.broken(path) from error


def _is(column: pa.ChunkedArray, wanted: str) -> bool:
    import pyarrow.types as kinds

    if column.null_count and wanted not in _MAY_LACK:
        return False
    kind = column.type.value_type if kinds.is_dictionary(column.type) else column.type
    if kinds.is_null(kind):  # a column without any value: seeds of fixed tasks
        return True
    if wanted in (_NAME, _TEXT):
        return kinds.is_string(kind) or kinds.is_large_string(kind)
    if wanted == _FLAG:
        return kinds.is_boolean(kind)
    return kinds.is_integer(kind) or (wanted == _NUMBER and kinds.is_floating(kind))


def load_tasks(root: str | Path | None = None) -> pd.DataFrame:
    """One row per task: name, family, seed (an integer; missing for fixed tasks), config (JSON text), data set, feasible, reason,
    num_params, cost."""
    frame = _load(layout.TASKS, root)
    try:
        return frame.astype({"seed": "Int32", "num_params": "Int64"})
    except (TypeError, ValueError, OverflowError) as error:
        raise StoreError(
            f"{files.under(root, 'tasks.parquet')}: seeds or numbers of parameters are no integers ({cut(str(error))}): "
            f"{files.way_to(root, 'tasks.parquet')}"
        ) from error


def load_optimizers(root: str | Path | None = None) -> pd.DataFrame:
    """One row per optimizer: its name, family and hyperparameters."""
    return _load(layout.OPTIMIZERS, root)


def load_sweeps(root: str | Path | None = None) -> pd.DataFrame:
    """One row per (task, source, group of options): how its curves were made, by what, where, and at what cost.

    Of merged baselines (`data ship`) only: a sweep by itself has none, and is a `StoreError`.
    """
    return _load(layout.SWEEPS, root)


def load_normalizers(root: str | Path | None = None, version: str | None = None) -> pd.DataFrame:
    """One row per (task, source, horizon, split): initial and best loss, the best optimizer, runs, share of diverged runs.

    version: that of the package which computed the curves, such as "0.1"; by default all but those of tasks that changed since.
    Baselines keep one version of a (task, source, horizon, split): where a changed task was computed again, today's alone.
    """
    files.require_whole(root)
    frame, left_out = normalizers_of(root, version)
    if left_out:
        warn_left_out("normalizers", left_out, stacklevel=3)
    return frame


def normalizers_of(root: str | Path | None = None, version: str | None = None) -> tuple[pd.DataFrame, set[tuple[str, str]]]:
    """(the normalizers of `load_normalizers`, {(task, version)} of those left out), without a warning."""
    frame = all_normalizers(root)
    if version is not None:
        there = changes.of_release(version, frame["version"], "normalizers")
        return frame[there].reset_index(drop=True), set()
    rows = list(zip(frame["task"], frame["source"], frame["version"]))
    old = {row for row in set(rows) if changes.outdated(*row)}
    if not old:
        return frame, set()
    return frame[[row not in old for row in rows]].reset_index(drop=True), {(task, made_by) for task, _, made_by in old}


def all_normalizers(root: str | Path | None = None) -> pd.DataFrame:
    """The normalizers of all versions, those of tasks that changed since included."""
    frame = _load(layout.NORMALIZERS, root)
    if "version" not in frame:
        return frame.assign(version=changes.FIRST)
    if not all(isinstance(version, str) for version in frame["version"].unique()):
        raise StoreError(
            f"{files.under(root, 'normalizers.parquet')} lacks versions: {files.way_to(root, 'normalizers.parquet')}"
        )
    return frame
