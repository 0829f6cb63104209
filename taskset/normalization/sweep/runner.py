"""The runs of a task: every optimizer from every seed, evaluated at `evaluations` + 1 steps."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from taskset.catalogue import get_task
from taskset.datasets.base import SPLITS
from taskset.execution.divergence import has_diverged
from taskset.normalization import store
from taskset.normalization.store import file_metadata
from taskset.normalization.sweep import resume
from taskset.normalization.sweep.curves import Curves, earlier, keep, made_by, metadata_of
from taskset.normalization.sweep.options import SweepOptions

if TYPE_CHECKING:
    from taskset.optimizers.base import Optimizer
    from taskset.tasks.base import Task


def by_rule(optimizers: Sequence[Optimizer]) -> list[list[Optimizer]]:
    """Optimizers in groups that share a compiled program: those of one rule; of users' own, those that are known to be alike."""
    groups: dict[str, list[Optimizer]] = {}
    for optimizer in optimizers:
        groups.setdefault(_program(optimizer), []).append(optimizer)
    return list(groups.values())


def _program(optimizer: Optimizer) -> str:
    from taskset.execution.shared_programs import program  # TensorFlow
    from taskset.optimizers.base import is_own

    return program(optimizer) if is_own(optimizer) else optimizer.rule


class Account:
    """Core-seconds by what they were spent on: `with account("train"): ..`."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def __call__(self, purpose: str) -> Iterator[None]:
        start = time.process_time()
        yield
        self.seconds[purpose] = self.seconds.get(purpose, 0.0) + time.process_time() - start


def run_all(
    task: Task,
    optimizers: Sequence[Optimizer],
    options: SweepOptions,
    report: Callable[[float], object] = lambda share: None,
    account: Account | None = None,
    mode: str | None = None,
) -> pa.Table:
    """Curves of one task as an Arrow table (`store.SCHEMA`), with "copies" in its metadata: the most runs in one program.

    A run ends at the first evaluation that is not finite: from there on its losses are NaN and its rows are marked as diverged.
    A seed has the same start and the same batches under every optimizer, so the runs of a seed advance side by side.
    report: called with the share that is done; account: the `Account` that gets the time; mode: of execution
    (`taskset.execution.modes`); None: the fastest.
    """
    account = account or Account()
    from taskset.normalization.sweep import run_groups  # TensorFlow

    interval = options.steps // options.evaluations
    groups = [run_groups.of_group(task, group, interval, options, account, mode) for group in by_rule(optimizers)]
    found: dict[tuple[str, int, int], tuple[dict[str, float], float]] = {}
    done = 0
    for seed in options.seeds:
        for group in groups:
            horizons = {o.name: options.steps for o in group.group}
            for step, losses in run_groups.evaluations(group, horizons, interval, seed, account):
                for name in losses:
                    found[name, seed, step] = losses[name], group.seconds(name)
                done += len(group.group) if step else 0
                report(done / (options.runs * options.evaluations))
    copies = max(group.copies for group in groups)
    return _table(task, optimizers, options, interval, found).replace_schema_metadata({"copies": str(copies)})


def _table(task, optimizers, options, interval, found):
    """Complete curves, sorted by (optimizer as asked for, seed, step): diverged runs are filled up with NaN.

    found: {(optimizer, seed, step): ({split: loss}, seconds)}, for each run up to its first loss that is not finite.
    """
    columns: dict[str, list[Any]] = {name: [] for name in store.SCHEMA.names}
    for optimizer in optimizers:
        for seed in options.seeds:
            seconds = 0.0
            for step in range(0, options.steps + 1, interval):
                losses, seconds = found.get((optimizer.name, seed, step), ({}, seconds))
                over = not losses or bool(has_diverged(list(losses.values())))
                values = [np.nan if over else losses[split] for split in SPLITS]
                row = (task.name, optimizer.name, seed, step, options.steps, *values, over, seconds)
                for column, value in zip(columns.values(), row):
                    column.append(value)
    arrays = [
        pa.array(values, type=kind.value_type if pa.types.is_dictionary(kind) else kind)
        for values, kind in zip(columns.values(), store.SCHEMA.types)
    ]
    return pa.table(arrays, names=store.SCHEMA.names).cast(store.SCHEMA)


def completed(
    name: str,
    options: SweepOptions,
    before: Curves | None = None,
    data_dir: str | Path | None = None,
    mode: str | None = None,
    report: Callable[[float], object] = lambda share: None,
) -> Curves:
    """The `Curves` of one task: of `before`, with the runs that it lacks.

    Their numbers are those of one sweep of all; up to rounding for new optimizers of tasks whose runs share a program
    (`taskset.execution.modes.copies_pay`). All curves of a file carry one version, which decides whether they are out of date:
    the oldest that computed some of them. Commit, TensorFlow's version, mode and machine are those of all, `created` is the time
    of the last.
    """
    from taskset.execution.loop import execution_mode
    from taskset.optimizers import get_optimizer

    account, total = Account(), Account()
    with total("total"):
        with account("build"):
            task = get_task(name, options.source, data_dir)
        with account("open"):  # decodes the data set, unless another task of the sweep has
            task.raw_batches("train", options.seeds[0], 0, 1)
        parts = _lacking(task, options, before)
        tables = []
        for i, part in enumerate(parts):
            optimizers, report_part = [get_optimizer(o) for o in part.optimizers], _part_of(report, i, len(parts))
            tables.append(run_all(task, optimizers, part, report_part, account, mode))
    copies = max(int(table.schema.metadata[b"copies"]) for table in tables)
    spent = {**account.seconds, **total.seconds}
    if before:
        spent, copies = _with_earlier(task, before, spent, copies)
    now = {**metadata_of(task, options, mode or execution_mode(task), spent), "copies": str(copies)}
    if not before:
        return Curves(tables[0], now)
    table = resume.joined([*(table.replace_schema_metadata(None) for table in tables), before.table], options)
    return Curves(table, {**now, **made_by(before.metadata, now)})


def _lacking(task: Task, options: SweepOptions, before: Curves | None) -> list[SweepOptions]:
    """The sweeps that make the runs of `options` which are not there before. Raises StoreError where those are on other data."""
    if before is None:
        return [options]
    path = _file(task)
    resume.check_origin(path, before.metadata, task.data_origin)
    return resume.missing(path, before.metadata, options)


def _with_earlier(task: Task, before: Curves, spent: dict[str, float], copies: int) -> tuple[dict[str, float], int]:
    """(core-seconds by purpose, most runs in one program) of the curves of before and of those made now."""
    spent_before = file_metadata.core_seconds(_file(task), before.metadata)
    spent = {purpose: spent_before.get(purpose, 0.0) + spent.get(purpose, 0.0) for purpose in {**spent_before, **spent}}
    return spent, max(copies, file_metadata.whole_number(_file(task), before.metadata, "copies") or 1)


def _file(task: Task) -> Path:
    """A task's file below a directory of results, in messages about what it has."""
    return store.curve_path("", task.source, task.family, task.name)


def _part_of(report: Callable[[float], object], i: int, count: int) -> Callable[[float], object]:
    """`report` for the share that is done of the i-th of `count` equal parts."""
    return lambda share: report((i + share) / count)


def sweep_to_file(
    name: str,
    options: SweepOptions,
    root: str | Path,
    data_dir: str | Path | None = None,
    mode: str | None = None,
    report: Callable[[float], object] = lambda share: None,
) -> Path:
    """Sweep one task and write its file, whole or not at all; returns the path.

    Where there is a file with a part of the runs, only the others are made (`completed`).
    """
    return keep(completed(name, options, earlier(name, options, root), data_dir, mode, report), options, root)
