"""`python -m taskset baseline`: the sweep of many tasks on all cores, which can be interrupted at any moment.

Each finished task is one file, written whole or not at all. The same command again keeps what is finished and does the rest; its
curves are the same (apart from the seconds and the time stamps).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from taskset.datasets.sharing import shared_arrays
from taskset.errors import InfeasibleTask
from taskset.execution import machine
from taskset.jobs import claims, engines, pool
from taskset.normalization import store
from taskset.normalization.sweep import planning, resume
from taskset.normalization.sweep.curves import Curves, earlier, keep
from taskset.normalization.sweep.options import SweepOptions
from taskset.normalization.sweep.runner import completed
from taskset.normalization.tables import write_tables

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Plan:
    """What there is to do: tasks to sweep, cheapest first; tasks finished before; tasks that can't run ({name: reason}).

    costs: {task: core-seconds of the runs that it lacks} of those to sweep, where there is an estimate.
    """

    waiting: list[str]
    finished: list[str]
    infeasible: dict[str, str]
    costs: Mapping[str, float | None] = field(default_factory=dict)


def plan(names: Sequence[str], options: SweepOptions, root: str | Path, data_dir: str | Path | None = None) -> Plan:
    """Check everything that can be wrong before any work starts, and find what is left to do.

    A `root` made with fewer optimizers or seeds is extended: a task's file gets the runs it lacks, those it has stay as they are.

    Raises: UnknownName, DataNotPrepared, StoreError (other options, an unreadable file), InfeasibleTask if nothing can run.
    """
    files = {name: resume.task_file(root, name, options) for name in names}
    infeasible = {name: file.facts.infeasible for name, file in files.items() if file.facts.infeasible}
    if names and len(infeasible) == len(files):
        name, reason = next(iter(infeasible.items()))
        raise InfeasibleTask(f"none of these tasks can run; {name}: {reason}")
    extended = resume.extended(root, options.as_json())
    if not extended:
        with resume.settling(root):
            store.check_options(root, options.as_json())
    costs: dict[str, float | None] = {}
    finished = []
    for name, file in files.items():
        if name in infeasible:
            continue
        if lacking := _lacking(file, options):
            costs[name] = planning.core_seconds(name, *lacking)
            if file.source != "none" and file.facts.data is not None:
                file.facts.data.check(file.source, data_dir)
        else:
            finished.append(name)
    if extended:  # only now that nothing else is wrong
        with resume.settling(root):
            resume.settle_options(root, options.as_json())  # another command may have extended it meanwhile
    costs = planning.by_cost(costs)
    return Plan(list(costs), finished, infeasible, costs)


def _lacking(file: resume.TaskFile, options: SweepOptions) -> list[SweepOptions]:
    """The sweeps that make the runs which a task's file lacks. Raises StoreError as the checks of `resume`.

    It is read for this: a damaged file is reported before hours of work, not after.
    """
    if not file.path.exists():
        return [options]
    metadata = store.read_metadata(file.path)
    resume.check_current(file, metadata)
    finished = resume.check_finished(file, metadata, options.as_json())
    return [] if finished else resume.missing(file.path, metadata, options)


@dataclass(frozen=True)
class SweepWork:
    """A `taskset.jobs.engines.Work`: the sweep of each task, into `root`."""

    options: SweepOptions
    root: str
    data_dir: str | Path | None = None
    mode: str | None = None

    @contextlib.contextmanager
    def begin(self, job: str) -> Iterator[Curves | str | None]:
        """Gives the curves that the task's file has before, or None."""
        file = resume.task_file(self.root, job, self.options)
        with claims.claim(self.root, job) as mine:
            if file.path.exists():
                metadata = store.read_metadata(file.path)
                options = self.options.as_json()
                resume.check_own_code(file.path, metadata, file.family, self.options.optimizers)
                more = resume.has_all(file.path, metadata, options)  # of a command that has extended the directory
                if more or resume.check_finished(file, metadata, options):
                    yield engines.FINISHED  # another process was faster
                    return
            yield earlier(job, self.options, self.root) if mine else pool.LATER

    def compute(self, job: str, given: Curves | None, report: Callable[[float], object]) -> Curves:
        """The task's curves, with those of before."""
        return completed(job, self.options, given, self.data_dir, self.mode, report)

    def keep(self, job: str, result: Curves) -> None:
        """Write the task's file."""
        del job
        keep(result, self.options, self.root)


def run(
    todo: Plan,
    options: SweepOptions,
    root: str | Path,
    *,
    data_dir: str | Path | None = None,
    workers: int | None = None,
    mode: str | None = None,
    modules: Iterable[str] = (),
    report: Callable[[pool.Progress], object] = lambda progress: None,
    max_hours: float | None = None,
    engine: engines.Engine = engines.LOCAL,
) -> pool.Progress:
    """Sweep `todo.waiting` with so many `workers` (None: one per core of the engine); returns their `taskset.jobs.pool.Progress`.

    mode: of execution (`taskset.execution.modes`), for runs one by one; None: the fastest way of each task.
    max_hours: tasks that would end more than so many hours from now, by the estimate of their cost, are not begun; those of
    unknown cost are begun until then.
    Data sets are decoded or generated once, in a scratch directory that all workers map into memory and that is removed at the
    end.
    Several processes may run on one `root`: each task is done by one of them (`taskset.jobs.claims`).
    engine: where the tasks are computed (`taskset.jobs.engines`); this process writes what others send it.
    """
    end = None if max_hours is None else time.monotonic() + 3600 * max_hours

    def in_time(name: str) -> bool:
        return end is None or time.monotonic() + (todo.costs.get(name) or 0.0) < end

    # An engine that has more jobs at hand than cores would ask `in_time` of jobs that wait for a core.
    at_once = workers if end is None else engine.workers(workers, machine.cores())
    resume.remove_leftovers(root)
    try:
        with shared_arrays():
            work = SweepWork(options, str(root), data_dir, mode)
            return engine.run(todo.waiting, work, at_once, report, in_time, tuple(modules), default=machine.cores())
    finally:
        claims.tidy(root)


@dataclass(frozen=True)
class Swept:
    """A sweep that has ended. normalizers: of all that the directory has (`write_tables`); None where it has no curves yet."""

    progress: pool.Progress
    normalizers: pd.DataFrame | None


def sweep_all(
    names: Sequence[str],
    options: SweepOptions,
    root: str | Path,
    data_dir: str | Path | None = None,
    workers: int | None = None,
    mode: str | None = None,
    modules: Iterable[str] = (),
    max_hours: float | None = None,
    engine: engines.Engine = engines.LOCAL,
    *,
    watched: Callable[[Plan, int], AbstractContextManager[Callable[[pool.Progress], object]]],
) -> Swept:
    """`plan`, `run` and the tables of what there is then, below `root`. Raises as these do; a task that fails doesn't end it.

    watched: a context around the runs, made from the plan and the number of workers, that gives the `report` of `run`. The other
    arguments are those of `plan` and `run`.
    """
    todo = plan(names, options, root, data_dir)
    with watched(todo, engine.workers(workers, machine.cores())) as report:
        progress = run(
            todo, options, root, data_dir=data_dir, workers=workers, mode=mode, modules=modules, report=report,
            max_hours=max_hours, engine=engine,
        )  # fmt: skip
        report(progress)
    return Swept(progress, write_tables(root) if todo.finished or progress.finished else None)
