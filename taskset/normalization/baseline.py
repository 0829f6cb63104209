"""`python -m taskset baseline`: the sweep of many tasks on all cores, which can be interrupted at any moment.

One finished task is one file that appears whole. The same command again keeps what is finished and does the rest; the curves
come out the same (the seconds and the time of making aside).
"""

import os
from dataclasses import dataclass
from pathlib import Path

from taskset import changes, plugins, registry
from taskset.datasets.sharing import shared_arrays
from taskset.errors import InfeasibleTask, StoreError
from taskset.normalization import store, workers
from taskset.normalization.sweep import sweep_to_file


@dataclass(frozen=True)
class Plan:
    """What there is to do: tasks to sweep, tasks finished before, and tasks that can't run ({name: reason})."""

    waiting: list
    finished: list
    infeasible: dict


def plan(names, options, root, data_dir=None):
    """Check everything that can be wrong before any work starts, and find what is left to do.

    Raises: UnknownName, DataNotPrepared, StoreError (other options, an unreadable file), InfeasibleTask if nothing can run.
    """
    described = {}
    for name in names:
        family, config = registry.resolve(name)
        described[name] = family, registry.facts(family, config)
    infeasible = {name: facts.infeasible for name, (_, facts) in described.items() if facts.infeasible}
    if len(infeasible) == len(names):
        name, reason = next(iter(infeasible.items()))
        raise InfeasibleTask(f"none of these tasks can run; {name}: {reason}")
    store.check_options(root, options.as_json())
    waiting, finished = [], []
    for name, (family, facts) in described.items():
        if name in infeasible:
            continue
        source = options.source if facts.data is not None and facts.data.needs_source else "none"
        path = store.curve_path(root, source, family, name)
        if path.exists():
            told = store.read_metadata(path)  # a file cut short is told before hours of work, not after
            made_by = told.get("taskset_version", changes.FIRST)
            if changes.outdated(name, source, made_by):
                raise StoreError(
                    f"{path} is of version {made_by}, and the task changed in {changes.changed_in(name, source)}: "
                    "delete it to compute it anew, or use another --out"
                )
            finished.append(name)
            continue
        if source != "none":
            facts.data.check(source, data_dir)
        waiting.append(name)
    return Plan(waiting, finished, infeasible)


def _job(name, options, root, data_dir, mode, modules, report):
    plugins.load(modules)
    return str(sweep_to_file(name, options, root, data_dir, mode, report))


def run(todo, options, root, data_dir=None, count=None, mode=None, modules=(), report=lambda progress: None):
    """Sweep `todo.waiting` with `count` worker processes (default: one a core); returns their `workers.Progress`.

    mode: of execution (`taskset.modes`), for runs one by one; None: the fastest way of each task.
    Data sets are decoded or generated once, in a scratch directory that all workers map and that is removed at the end.
    """
    count = count or len(os.sched_getaffinity(0))
    for left in Path(root).rglob(".*.tmp"):  # of a run that was killed
        left.unlink()
    with shared_arrays():
        return workers.run(todo.waiting, _job, (options, str(root), data_dir, mode, tuple(modules)), count, report)
