"""What the commands print: progress bars and tables."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from taskset.cli import bars
from taskset.cli.tables import show_table
from taskset.datasets.base import SPLITS

if TYPE_CHECKING:
    import pandas as pd

    from taskset.jobs.engines import Engine
    from taskset.normalization.sweep.options import SweepOptions
    from taskset.optimizers import Optimizer
    from taskset.tasks.base import Task


def train_report(task: Task, optimizer: Optimizer, steps: int, seed: int, mode: str | None, batches: int, out: Console) -> None:
    """Train with a progress bar; print the losses of all splits before and after."""
    from taskset.execution.loop import Loop, calls

    interval = max(1, steps // 50)
    loop = Loop(task, optimizer, interval, mode)
    run, hparams = loop.start(seed), optimizer.hparams(steps)
    out.print(f"{task.name}: {task.num_params:,} parameters, source {task.source}, {loop.mode}; {optimizer.name}, seed {seed}")
    start = time.perf_counter()
    evaluate = loop.evaluation(seed, batches)
    before = evaluate(run.params)
    loop.compile(run, hparams)
    compiled = time.perf_counter() - start
    columns = (
        TextColumn("step {task.completed}/{task.total}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=out, transient=True) as bar:
        line = bar.add_task("", total=steps)
        for count, raw in calls(loop, seed, steps, interval):
            trained = loop.train(run, hparams, count, raw)
            bar.update(line, completed=run.step, description=f"train loss {trained.mean():.5g}")
    after = evaluate(loop.evaluated(run, hparams))
    table = Table(box=None, pad_edge=False)
    table.add_column("mean loss")
    for split in SPLITS:
        table.add_column(split, justify="right")
    for label, losses in (("step 0", before), (f"step {steps}", after)):
        table.add_row(label, *(f"{losses[s]:.5g}" for s in SPLITS))
    show_table(table, out)
    if not all(np.isfinite(v) for v in after.values()):
        out.print("the run diverged: its loss is not finite")
    out.print(
        f"{1000 * run.seconds / steps:.3g} ms per step, {steps / run.seconds:,.0f} steps/s; "
        f"compilation and first evaluation {compiled:.1f} s"
    )


def _number(value: float | None) -> str:
    return "-" if value is None or not np.isfinite(value) else f"{value:.5g}"


def print_normalizers(frame: pd.DataFrame, split: str, out: Console) -> None:
    """The table of best optimizers and normalizers of one split."""
    table = Table(box=None, pad_edge=False)
    for column in ("task", "source", "best optimizer"):
        table.add_column(column)
    for column in ("initial", "best", "runs", "diverged"):
        table.add_column(column, justify="right")
    for row in frame[frame["split"] == split].to_dict("records"):
        best = row["best_optimizer"] if row["normalizable"] else "no normalizer"
        table.add_row(
            row["task"],
            row["source"],
            best,
            _number(row["initial"]),
            _number(row["best"]),
            str(row["runs"]),
            f"{row['diverged_share']:.0%}",
        )
    show_table(table, out)


def baseline_report(
    names: Sequence[str],
    options: SweepOptions,
    root: Path,
    data_dir: str | None,
    workers: int | None,
    mode: str | None,
    modules: Sequence[str],
    out: Console,
    err: Console,
    max_hours: float | None = None,
    engine: Engine | None = None,
) -> int:
    """Run a baseline with a progress bar; returns the exit status (1 if a task failed)."""
    from taskset.execution import machine
    from taskset.jobs import engines
    from taskset.normalization.sweep import baseline, planning
    from taskset.normalization.tables import write_tables

    engine = engine or engines.LOCAL
    todo = baseline.plan(names, options, root, data_dir)
    for name, reason in todo.infeasible.items():
        err.print(f"left out {name}: {reason}", markup=False)
    total = len(todo.finished) + len(todo.waiting)
    out.print(
        f"{total} tasks, {len(todo.finished)} finished before; "
        f"{len(options.optimizers)} optimizers x {len(options.seeds)} seeds x {options.steps} steps"
    )
    if todo.waiting:
        out.print(planning.announcement(todo.costs, engine.workers(workers, machine.cores())))
    with bars.jobs(out, err, len(todo.finished), len(todo.waiting)) as report:
        progress = baseline.run(todo, options, root, data_dir, workers, mode, modules, report, max_hours, engine)
        report(progress)
    if len(todo.finished) + len(progress.finished):
        print_normalizers(write_tables(root), "train", out)
        out.print(f"curves, normalizers and tables: {root}", markup=False)
    if progress.left:
        out.print(f"{len(progress.left)} tasks left, as time ran out: the same command resumes with them")
    if progress.failed:
        err.print(f"{len(progress.failed)} tasks failed: {', '.join(progress.failed)}", markup=False)
    return 1 if progress.failed else 0
