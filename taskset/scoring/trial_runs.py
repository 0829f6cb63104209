"""A candidate's runs on the tasks of a suite: a sweep's directory, with a file for each finished task."""

import json
from dataclasses import dataclass

from taskset import catalogue, plugins
from taskset.datasets.sharing import shared_arrays
from taskset.errors import StoreError
from taskset.normalization import store
from taskset.normalization.sweep import planning, workers
from taskset.normalization.sweep.resume import check_finished, remove_leftovers
from taskset.scoring import candidates


@dataclass(frozen=True)
class Text:
    """A candidate as a worker process can be given it: `candidates.candidate`'s arguments, texts and JSON values."""

    optimizer: str
    trials: tuple[dict, ...]
    name: str

    def candidate(self):
        """The `Candidate`."""
        sets = None if self.optimizer.startswith("opt_list:") else list(self.trials)
        return candidates.candidate(self.optimizer, sets, name=self.name)


def plan(candidate, tasks, options, root):
    """The tasks that have no curves under `root` yet, cheapest first; claims `root` for this candidate and these options.

    Raises StoreError where `root` holds other results.
    """
    _claim(root, candidate, options)
    waiting = []
    for name in tasks:
        family, config = catalogue.resolve(name)
        source = _source(catalogue.facts(family, config), options)
        path = store.curve_path(root, source, family, name)
        if path.exists():
            found = store.read_metadata(path)
            check_finished(path, found, name, family, source, config, options.as_json())
            if found.get("candidate") != _as_metadata(candidate):
                raise StoreError(
                    f"{path} has curves of another optimizer or other hyperparameters: delete it, or use another --out"
                )
        else:
            waiting.append(name)
    return list(planning.cheapest_first(waiting, options))


def _source(facts, options):
    return options.source if facts.data is not None and facts.data.needs_source else "none"


def _claim(root, candidate, options):
    store.check_options(root, {**options.as_json(), **candidate.as_json()})


def _as_metadata(candidate):
    return json.dumps(candidate.as_json(), sort_keys=True)


def run_task(name, candidate, options, root, data_dir=None, report=lambda share: None):
    """The runs of all trials on one task, written as one file of curves; returns its path."""
    from taskset.catalogue import get_task
    from taskset.execution.loop import execution_mode
    from taskset.normalization.sweep.runner import Account, metadata, sweep

    account, total = Account(), Account()
    with total("total"):
        with account("build"):
            task = get_task(name, options.source, data_dir)
        optimizers = [candidate.make(trial, options.steps) for trial in range(len(candidate.trials))]
        table = sweep(task, optimizers, options, report, account)
    labels = metadata(task, options, execution_mode(task), {**account.seconds, **total.seconds})
    path = store.curve_path(root, task.source, task.family, task.name)
    _claim(root, candidate, options)  # once more: another process may have been first to have curves here
    store.write_curves(table.replace_schema_metadata(None), path, {**labels, "candidate": _as_metadata(candidate)})
    return str(path)


def _job(name, text, options, root, data_dir, modules, report):
    plugins.load(modules)
    return run_task(name, text.candidate(), options, root, data_dir, report)


def run(candidate, waiting, options, root, data_dir=None, text=None, count=1, modules=(), report=lambda progress: None):
    """Run the `waiting` tasks; returns a `taskset.normalization.sweep.workers.Progress`.

    text: the candidate as a `Text`, for `count` worker processes; None: an object, whose tasks are run one by one here.
    A finished task is a file that appears whole: interrupted and started again, the rest is done.
    """
    remove_leftovers(root)
    with shared_arrays():
        if text is not None:
            return workers.run(waiting, _job, (text, options, str(root), data_dir, tuple(modules)), count, report)
        progress = workers.Progress()
        for name in waiting:
            progress.working = {name: 0.0}
            report(progress)
            run_task(name, candidate, options, root, data_dir)
            progress.working = {}
            progress.finished.append(name)
            report(progress)
        return progress
