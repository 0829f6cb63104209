"""Problems from the baselines: what there is, and one of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from taskset import catalogue, changes
from taskset.datasets.base import SPLITS
from taskset.errors import StoreError, shown
from taskset.tabular.problem import Problem, frozen

if TYPE_CHECKING:
    import pandas as pd


def problems(root: str | Path | None = None, version: str | None = None) -> pd.DataFrame:
    """One row per problem in the baselines that come with the package or in `root`, from the tables alone, or from the metadata
    of a sweep's files: no curve is read.

    Columns: task, source, horizon; optimizers: tuple of names, in the order of a `Problem`; seeds: tuple of integers, of the runs
    of each; configurations: the number of optimizers. Each row is what `load` takes:

        row = tabular.problems().iloc[0]
        tabular.load(row.task, row.optimizers, row.source, row.horizon)

    The optimizers of a task that ran with the same seeds are one problem; a task has several where some ran with others.
    version: None: problems of today's tasks; tasks that changed since their curves were computed are left out, with a warning.
    "0.1": what that version computed. Raises `StoreError` where the directory has no curves, or their files don't say how they
    were made.
    """
    import pandas as pd

    from taskset.normalization.store.outdated import warn_left_out
    from taskset.normalization.store.packing import optimizer_key

    sweeps, left_out = _sweeps(root), set()
    if version is None:
        old = [changes.outdated(*row) for row in zip(sweeps["task"], sweeps["source"], sweeps["taskset_version"])]
        left_out = _not_renewed(sweeps[old], sweeps[np.logical_not(old)])
        sweeps = sweeps[np.logical_not(old)]
    else:
        sweeps = sweeps[changes.of_release(version, sweeps["taskset_version"], "problems")]
    key, rows = optimizer_key(), []
    for (task, source, horizon, _), seeds_of in _seeds_of(sweeps).items():
        for seeds, names in _alike(seeds_of).items():
            rows.append((task, source, int(horizon), tuple(sorted(names, key=key)), seeds, len(names)))
    if left_out:
        warn_left_out("problems", left_out, stacklevel=3)
    return pd.DataFrame(rows, columns=["task", "source", "horizon", "optimizers", "seeds", "configurations"])


def _seeds_of(sweeps: pd.DataFrame) -> dict[tuple[Any, ...], dict[str, set[int]]]:
    """{(task, source, horizon, evaluations): {optimizer: seeds}} of the runs of sweeps."""
    found: dict[tuple[Any, ...], dict[str, set[int]]] = {}
    columns = ("task", "source", "horizon", "evaluations", "optimizers", "seeds")
    for *setting, optimizers, seeds in zip(*(sweeps[column] for column in columns)):
        of_setting = found.setdefault(tuple(setting), {})
        for optimizer in optimizers:
            of_setting.setdefault(optimizer, set()).update(map(int, seeds))
    return found


def _alike(seeds_of: dict[str, set[int]]) -> dict[tuple[int, ...], list[str]]:
    """{seeds: the optimizers that ran with these}."""
    found = defaultdict(list)
    for optimizer, seeds in seeds_of.items():
        found[tuple(sorted(seeds))].append(optimizer)
    return found


def _not_renewed(old: pd.DataFrame, new: pd.DataFrame) -> set[tuple[str, str]]:
    """{(task, version)} of the rows `old` of sweeps whose runs are in no row of `new`."""

    def runs(row: Any) -> tuple[Any, ...]:
        return row.task, row.source, row.horizon, tuple(row.optimizers), tuple(row.seeds)

    there = set(map(runs, new.itertuples()))
    return {(str(row.task), str(row.taskset_version)) for row in old.itertuples() if runs(row) not in there}


def _sweeps(root: str | Path | None) -> pd.DataFrame:
    """sweeps.parquet; for the output of a sweep, what it would say: of each curve file what its metadata says.

    A directory that is being extended has files with the old runs and files with all.
    """
    import pandas as pd

    from taskset.normalization import store

    if store.is_merged(root):
        return store.load_sweeps(root)
    return pd.DataFrame([_row_of_sweep(root, path) for path in store.curve_files(root)])


def _row_of_sweep(root: str | Path | None, path: Path) -> dict[str, Any]:
    from taskset.normalization import store
    from taskset.normalization.store import file_metadata

    metadata = store.read_metadata(path)
    # files of before 0.2 may lack options: those of their directory held for all of them
    options = file_metadata.options(path, metadata) if "options" in metadata or root is None else store.read_options(root)
    return {
        **{name: file_metadata.text(path, metadata, name) for name in ("task", "source")},
        "horizon": options["steps"],
        **{name: options[name] for name in ("evaluations", "optimizers", "seeds")},
        "taskset_version": metadata.get("taskset_version", changes.FIRST),
    }


def load(
    task: str,
    optimizer: str | Iterable[str] | None = None,
    source: str | None = None,
    horizon: int | None = None,
    root: str | Path | None = None,
    version: str | None = None,
) -> Problem:
    """The `Problem` of a task, from the baselines that come with the package or from `root`.

    optimizer: names or globs of the configurations wanted, None: all. source, horizon: needed only where the task has several.
    version: as in `taskset.load_curves`.
    Raises StoreError: no such curves, also of one of the optimizers; several sources or horizons; optimizers that were swept with
    different seeds or steps.
    """
    from taskset.normalization.store import load_curves

    wanted = tuple(optimizer) if isinstance(optimizer, Iterable) and not isinstance(optimizer, (str, bytes)) else optimizer
    curves = load_curves(task=task, optimizer=wanted, source=source, horizon=horizon, root=root, version=version)
    there = sorted(set(zip(curves["source"], curves["horizon"].tolist())))
    if len(there) > 1:
        raise StoreError(f"task {task!r} has curves of several (source, horizon): {there}; pass source= and horizon=")
    found = set(curves["optimizer"].astype(str))
    named = [name for name in (wanted if isinstance(wanted, tuple) else ()) if not catalogue.is_glob(name)]
    lacking = [name for name in named if name not in found]
    if lacking:
        raise StoreError(
            f"task {task!r} has no curves of optimizer {shown(lacking[0])} (source {there[0][0]}, horizon {there[0][1]}): "
            "tabular.problems(..) lists the optimizers of each task"
        )
    return from_curves(curves)


def from_curves(curves: pd.DataFrame) -> Problem:
    """The `Problem` in a DataFrame of curves (`taskset.load_curves`) of one task, source and horizon, each run once.

    Its arrays are read-only. Raises StoreError.
    """
    from taskset.normalization.store.packing import optimizer_key

    lacking = [name for name in _COLUMNS if name not in curves]
    if lacking or not len(curves):
        what = f"no column {lacking[0]!r}" if lacking else "no rows"
        raise StoreError(f"curves with {what}: expected are those of one task, as taskset.load_curves gives them")
    task, source, horizon = _only(curves, "task"), _only(curves, "source"), int(_only(curves, "horizon"))
    optimizers = sorted(curves["optimizer"].astype(str).unique(), key=optimizer_key())
    runs, steps = sorted(int(s) for s in curves["seed"].unique()), np.sort(curves["step"].unique()).astype(np.int64)
    shape = len(optimizers), len(runs), len(steps)
    place = {name: i for i, name in enumerate(optimizers)}
    frame = curves.assign(place=curves["optimizer"].astype(str).map(place)).sort_values(["place", "seed", "step"])
    twice = frame.duplicated(["place", "seed", "step"])
    if twice.any():
        row = frame[twice].iloc[0]
        raise StoreError(
            f"the curves of {task} have ({row['optimizer']}, seed {row['seed']}, step {row['step']}) twice: pass each run once"
        )
    if len(curves) != np.prod(shape):
        raise StoreError(
            f"the optimizers of {task} were swept with different seeds or evaluations: {len(optimizers)} optimizers x "
            f"{len(runs)} seeds x {len(steps)} evaluations, {len(curves)} rows; pass optimizer= to choose those of one sweep"
        )
    arrays = {name: frozen(frame[name].to_numpy(np.float64).reshape(shape)) for name in (*SPLITS, "seconds")}
    seconds = arrays.pop("seconds")
    return Problem(task, source, horizon, tuple(optimizers), tuple(runs), frozen(steps), arrays, seconds)


_COLUMNS = ("task", "source", "horizon", "optimizer", "seed", "step", *SPLITS, "seconds")


def _only(curves: pd.DataFrame, column: str) -> Any:
    values = curves[column].unique().tolist()
    if len(values) > 1:
        shown = ", ".join(map(str, sorted(values)[:3]))
        raise StoreError(f"curves of several {column}s ({shown}{' ..' if len(values) > 3 else ''}): a problem has one")
    return values[0]
