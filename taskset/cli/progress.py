"""What the commands print of runs and sweeps: progress bars and tables."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from taskset.cli import bars
from taskset.cli.tables import show_table
from taskset.datasets.base import SPLITS
from taskset.errors import counted
from taskset.random import seeds

if TYPE_CHECKING:
    import pandas as pd

    from taskset.jobs.pool import Progress as Done
    from taskset.normalization.sweep import baseline
    from taskset.normalization.sweep.options import SweepOptions
    from taskset.optimizers import Optimizer
    from taskset.tasks.base import Task


def train_report(task: Task, optimizer: Optimizer, steps: int, seed: int, mode: str | None, batches: int, out: Console) -> None:
    """Train with a progress bar; print the losses of all splits at a few steps."""
    from taskset.execution.loop import execution_mode
    from taskset.execution.measured_run import measured_run

    seeds.check(seed)  # before anything is printed
    out.print(f"{task.name}: {task.num_params:,} parameters", markup=False)
    how = f"source {task.source}, {mode or execution_mode(task)}"
    out.print(f"{optimizer.name}, seed {seed}; {how}", markup=False)
    columns = (
        TextColumn("step {task.completed}/{task.total}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=out, transient=True)
    line = bar.add_task("", total=steps)

    def report(step: int, loss: float) -> None:
        bar.start()  # once there are steps
        bar.update(line, completed=step, description=f"train loss {loss:.5g}")

    try:
        found = measured_run(task, optimizer, steps, seed, mode, batches, report)
    finally:
        bar.stop()
    table = Table(box=None, pad_edge=False)
    table.add_column("mean loss")
    for split in SPLITS:
        table.add_column(split, justify="right")
    for step, losses in found.losses.items():
        table.add_row(f"step {step}", *(f"{losses[s]:.5g}" for s in SPLITS))
    show_table(table, out)
    if found.diverged:
        out.print("the run diverged: its loss is not finite")
    out.print(
        f"{1000 * found.seconds / steps:.3g} ms per step, {steps / found.seconds:,.0f} steps/s; "
        f"compilation, first evaluation {found.compiled:.1f} s"
    )


def _number(value: float | None) -> str:
    return "-" if value is None or not np.isfinite(value) else f"{value:.5g}"


def print_normalizers(frame: pd.DataFrame, split: str, out: Console) -> None:
    """The table of best optimizers and normalizers of one split."""
    rows = frame[frame["split"] == split].to_dict("records")
    same = {name: rows[0][name] for name in ("source", "runs") if len({row[name] for row in rows}) == 1}
    if same:  # said once, not in each row: a table has 80 columns
        said = {"source": "source {}", "runs": "runs of each task: {}"}
        out.print(f"{split} loss; {', '.join(said[name].format(value) for name, value in same.items())}", markup=False)
    table = Table(box=None, pad_edge=False)
    every = ("task", "source", "best optimizer", "initial", "best", "runs", "diverged")
    columns = [column for column in every if column not in same]
    for column in columns:
        table.add_column(column, justify="right" if column in ("initial", "best", "runs", "diverged") else "left")
    for row in rows:
        best = row["best_optimizer"] if row["normalizable"] else "no normalizer"
        cells = {"task": row["task"], "source": row["source"], "best optimizer": best, "initial": _number(row["initial"])}
        cells |= {"best": _number(row["best"]), "runs": str(row["runs"]), "diverged": f"{row['diverged_share']:.0%}"}
        table.add_row(*(cells[column] for column in columns))
    show_table(table, out)


def show_sweep(
    names: Sequence[str], options: SweepOptions, root: str | Path, out: Console, err: Console, **how: Any
) -> baseline.Swept:
    """`sweep_all` with a progress bar, its normalizers as a table. how: its other arguments."""
    from taskset.normalization.sweep import baseline

    found = baseline.sweep_all(names, options, root, **how, watched=lambda todo, workers: _bar(todo, options, workers, out, err))
    if found.normalizers is not None:
        print_normalizers(found.normalizers, "train", out)
        out.print(f"curves, normalizers and tables: {root}", markup=False)
    if left := found.progress.left:
        out.print(f"{counted(len(left), 'task')} left, as time ran out: the same command resumes with them")
    if failed := found.progress.failed:
        err.print(f"{counted(len(failed), 'task')} failed: {', '.join(failed)}", markup=False)
    return found


@contextlib.contextmanager
def _bar(
    todo: baseline.Plan, options: SweepOptions, workers: int, out: Console, err: Console
) -> Iterator[Callable[[Done], object]]:
    """What there is to do in words, and a bar that shows how far it is."""
    from taskset.normalization.sweep import planning

    for name, reason in todo.infeasible.items():
        err.print(f"left out {name}: {reason}", markup=False)
    tasks, optimizers, runs = len(todo.finished) + len(todo.waiting), len(options.optimizers), len(options.seeds)
    out.print(
        f"{counted(tasks, 'task')}, {len(todo.finished)} finished before; {counted(optimizers, 'optimizer')} "
        f"x {counted(runs, 'seed')} x {counted(options.steps, 'step')}"
    )
    if todo.waiting:
        out.print(planning.announcement(todo.costs, workers))
    with bars.jobs(out, err, len(todo.finished), len(todo.waiting)) as report:
        yield report
