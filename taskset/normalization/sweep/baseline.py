"""`python -m taskset baseline`: the sweep of many tasks on all cores, which can be interrupted at any moment.

One finished task is one file that appears whole. The same command again keeps what is finished and does the rest; the curves
come out the same (the seconds and the time of making aside).
"""

import os
import time
from dataclasses import dataclass

from taskset import catalogue, changes, plugins
from taskset.datasets.sharing import shared_arrays
from taskset.errors import InfeasibleTask, StoreError
from taskset.normalization import store
from taskset.normalization.sweep import claims, planning, resume, workers
from taskset.normalization.sweep.runner import sweep_to_file


@dataclass(frozen=True)
class Plan:
    """What there is to do: tasks to sweep, cheapest first, tasks finished before, and tasks that can't run ({name: reason})."""

    waiting: list
    finished: list
    infeasible: dict


def plan(names, options, root, data_dir=None):
    """Check everything that can be wrong before any work starts, and find what is left to do.

    A `root` made with fewer optimizers or seeds is extended: a task's file gets the runs it lacks, those it has stay as they are.

    Raises: UnknownName, DataNotPrepared, StoreError (other options, an unreadable file), InfeasibleTask if nothing can run.
    """
    described, configs = {}, {}
    for name in names:
        family, configs[name] = catalogue.resolve(name)
        described[name] = family, catalogue.facts(family, configs[name])
    infeasible = {name: facts.infeasible for name, (_, facts) in described.items() if facts.infeasible}
    if len(infeasible) == len(names):
        name, reason = next(iter(infeasible.items()))
        raise InfeasibleTask(f"none of these tasks can run; {name}: {reason}")
    resume.extend(root, options.as_json())
    store.check_options(root, options.as_json())
    waiting, finished = [], []
    for name, (family, facts) in described.items():
        if name in infeasible:
            continue
        source = _source(facts, options)
        path = store.curve_path(root, source, family, name)
        if path.exists():
            told = store.read_metadata(path)  # a file cut short is told before hours of work, not after
            made_by = told.get("taskset_version", changes.FIRST)
            if changes.outdated(name, source, made_by):
                raise StoreError(
                    f"{path} is of version {made_by}, and the task changed in {changes.changed_in(name, source)}: "
                    "delete it to compute it anew, or use another --out"
                )
            if resume.check_finished(path, told, name, family, source, configs[name], options.as_json()):
                finished.append(name)
                continue
        if source != "none":
            facts.data.check(source, data_dir)
        waiting.append(name)
    return Plan(list(planning.cheapest_first(waiting, options)), finished, infeasible)


def _source(facts, options):
    return options.source if facts.data is not None and facts.data.needs_source else "none"


def _job(name, options, root, data_dir, mode, modules, report):
    plugins.load(modules)
    family, config = catalogue.resolve(name)
    source = _source(catalogue.facts(family, config), options)
    path = store.curve_path(root, source, family, name)
    with claims.claim(root, name) as mine:
        if path.exists():
            told = store.read_metadata(path)
            if resume.check_finished(path, told, name, family, source, config, options.as_json()):
                return str(path)  # another process was faster
        if not mine:
            return workers.LATER
        return str(sweep_to_file(name, options, root, data_dir, mode, report))


def run(todo, options, root, data_dir=None, count=None, mode=None, modules=(), report=lambda progress: None, max_hours=None):
    """Sweep `todo.waiting` with `count` worker processes (default: one a core); returns their `workers.Progress`.

    mode: of execution (`taskset.execution.modes`), for runs one by one; None: the fastest way of each task.
    max_hours: tasks that by the estimate of their cost would end later than so many hours from now are not begun; those of
    unknown cost are, until then.
    Data sets are decoded or generated once, in a scratch directory that all workers map and that is removed at the end.
    Several processes may run on one `root`: each task is done by one of them (`taskset.normalization.sweep.claims`).
    """
    count = count or cores()
    end = None if max_hours is None else time.monotonic() + 3600 * max_hours

    def in_time(name):
        return end is None or time.monotonic() + (planning.core_seconds(name, options) or 0.0) < end

    resume.remove_leftovers(root)
    try:
        with shared_arrays():
            arguments = options, str(root), data_dir, mode, tuple(modules)
            return workers.run(todo.waiting, _job, arguments, count, report, in_time)
    finally:
        claims.tidy(root)


def cores():
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))
