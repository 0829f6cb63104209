"""A candidate's runs on the tasks of a suite: a sweep's directory, with a file for each finished task."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from taskset import catalogue, plugins
from taskset.datasets.sharing import shared_arrays
from taskset.errors import StoreError
from taskset.normalization import store
from taskset.normalization.sweep import planning, workers
from taskset.normalization.sweep.resume import check_finished, remove_leftovers
from taskset.registry import Facts
from taskset.scoring import candidates
from taskset.scoring.candidates import Candidate

if TYPE_CHECKING:
    from taskset.normalization.sweep.runner import SweepOptions
    from taskset.optimizers.base import Optimizer


@dataclass(frozen=True)
class Text:
    """A candidate as a worker process can be given it: `candidates.candidate`'s arguments, texts and JSON values."""

    optimizer: str
    trials: tuple[candidates.Hyperparameters, ...]
    name: str

    def candidate(self) -> Candidate:
        """The `Candidate`."""
        sets = None if self.optimizer.startswith("opt_list:") else list(self.trials)
        return candidates.candidate(self.optimizer, sets, name=self.name)


def plan(candidate: Candidate, tasks: Iterable[str], options: SweepOptions, root: str | Path) -> list[str]:
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


def _source(facts: Facts, options: SweepOptions) -> str:
    return options.source if facts.data is not None and facts.data.needs_source else "none"


def _claim(root: str | Path, candidate: Candidate, options: SweepOptions) -> None:
    store.check_options(root, {**options.as_json(), **candidate.as_json()})


def _as_metadata(candidate: Candidate) -> str:
    return json.dumps(candidate.as_json(), sort_keys=True)


def run_task(
    name: str,
    candidate: Candidate,
    options: SweepOptions,
    root: str | Path,
    data_dir: str | Path | None = None,
    report: Callable[[float], object] = lambda share: None,
) -> str:
    """The runs of all trials on one task, written as one file of curves; returns its path."""
    from taskset.catalogue import get_task
    from taskset.execution.loop import execution_mode
    from taskset.normalization.sweep.runner import Account, metadata, sweep

    account, total = Account(), Account()
    with total("total"):
        with account("build"):
            task = get_task(name, options.source, data_dir)
        optimizers = [candidate.make(trial, options.steps) for trial in range(len(candidate.trials))]
        table = sweep(task, cast("list[Optimizer]", optimizers), options, report, account)
    labels = metadata(task, options, execution_mode(task), {**account.seconds, **total.seconds})
    path = store.curve_path(root, task.source, task.family, task.name)
    _claim(root, candidate, options)  # once more: another process may have been first to have curves here
    store.write_curves(table.replace_schema_metadata(None), path, {**labels, "candidate": _as_metadata(candidate)})
    return str(path)


def _job(
    name: str,
    text: Text,
    options: SweepOptions,
    root: str,
    data_dir: str | Path | None,
    modules: Sequence[str],
    report: Callable[[float], object],
) -> str:
    plugins.load(modules)
    return run_task(name, text.candidate(), options, root, data_dir, report)


def run(
    candidate: Candidate,
    waiting: Sequence[str],
    options: SweepOptions,
    root: str | Path,
    data_dir: str | Path | None = None,
    text: Text | None = None,
    count: int = 1,
    modules: Iterable[str] = (),
    report: Callable[[workers.Progress], object] = lambda progress: None,
) -> workers.Progress:
    """Run the `waiting` tasks; returns a `taskset.normalization.sweep.workers.Progress`.

    text: the candidate as a `Text`, for `count` worker processes; None: an object. Where count is 1, tasks are run here, so that
    a script needs no guard around its main part. A finished task is a file that appears whole: interrupted and started again,
    the rest is done.
    """
    remove_leftovers(root)
    with shared_arrays():
        if text is not None and count > 1:
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
