"""A candidate's runs on the tasks of a suite: a sweep's directory, with a file for each finished task."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from taskset.datasets.sharing import shared_arrays
from taskset.errors import StoreError
from taskset.normalization import store
from taskset.normalization.sweep import engines, marked, planning, workers
from taskset.normalization.sweep.resume import remove_leftovers, settling
from taskset.scoring import candidates
from taskset.scoring.candidates import Candidate

if TYPE_CHECKING:
    from taskset.normalization.sweep.runner import Curves, SweepOptions
    from taskset.optimizers.base import Optimizer


@dataclass(frozen=True)
class Text:
    """A candidate as a worker process can be given it: `candidates.candidate`'s arguments, texts and JSON values."""

    optimizer: str
    trials: tuple[candidates.Hyperparameters, ...]
    name: str

    def candidate(self) -> Candidate:
        """The `Candidate`."""
        if self.optimizer.startswith("opt_list:"):  # it has its own sets, of which the first may have been asked for
            return candidates.candidate(self.optimizer, None, len(self.trials), self.name)
        return candidates.candidate(self.optimizer, list(self.trials), name=self.name)

    def files(self) -> tuple[str, ...]:
        """The file that the text names, if it names one: other machines need a copy."""
        place = self.optimizer.rpartition(":")[0] or self.optimizer
        return (place,) if Path(place).suffix in (".py", ".npz") else ()


def plan(candidate: Candidate, tasks: Iterable[str], options: SweepOptions, root: str | Path) -> list[str]:
    """The tasks that have no curves under `root` yet, cheapest first; claims `root` for this candidate and these options.

    Raises StoreError where `root` holds other results.
    """
    with settling(root):
        _claim(root, candidate, options)
    return list(planning.cheapest_first(marked.waiting(tasks, options, root, _mark(candidate)), options))


def _claim(root: str | Path, candidate: Candidate, options: SweepOptions) -> None:
    unknown, begun = candidate.code.startswith(candidates.UNKNOWN), any(Path(root, "curves").rglob("[!.]*.parquet"))
    if unknown and begun and store.read_options(root).get("code") != candidate.code:
        raise StoreError(
            f"{root} holds results, and {candidate.name!r} is an object whose code can't be compared with that of theirs: use "
            "another --out, or give the optimizer as FILE.py:NAME"
        )
    store.check_options(root, {**options.as_json(), **candidate.as_json()})


def _mark(candidate: Candidate) -> marked.Mark:
    own = json.dumps(candidate.as_json(), sort_keys=True)
    return marked.Mark("candidate", own, "another optimizer or other hyperparameters")


def task_curves(
    name: str,
    candidate: Candidate,
    options: SweepOptions,
    data_dir: str | Path | None = None,
    report: Callable[[float], object] = lambda share: None,
) -> Curves:
    """The runs of all trials on one task."""

    def trials() -> list[Optimizer]:
        return cast("list[Optimizer]", [candidate.make(trial, options.steps) for trial in range(len(candidate.trials))])

    return marked.curves(name, trials, options, _mark(candidate), data_dir, report)


def keep(curves: Curves, candidate: Candidate, options: SweepOptions, root: str | Path) -> None:
    """Write the curves of a task as one file, whole or not at all."""
    with settling(root):
        _claim(root, candidate, options)  # once more: another process may have been first to have curves here
        curves.write(root)


@dataclass(frozen=True)
class TrialWork:
    """A `taskset.normalization.sweep.engines.Work`: the candidate's runs on each task, into `root`."""

    text: Text
    options: SweepOptions
    root: str
    data_dir: str | Path | None = None

    @contextlib.contextmanager
    def begin(self, job: str) -> Iterator[None]:
        """A run needs nothing of what the directory has."""
        del job
        yield

    def compute(self, job: str, given: None, report: Callable[[float], object]) -> Curves:
        """The curves of all trials on the task."""
        del given
        return task_curves(job, self.text.candidate(), self.options, self.data_dir, report)

    def keep(self, job: str, result: Curves) -> None:
        """Write the task's file."""
        del job
        keep(result, self.text.candidate(), self.options, self.root)


def run(
    candidate: Candidate,
    waiting: Sequence[str],
    options: SweepOptions,
    root: str | Path,
    data_dir: str | Path | None = None,
    text: Text | None = None,
    count: int | None = None,
    modules: Iterable[str] = (),
    report: Callable[[workers.Progress], object] = lambda progress: None,
    engine: engines.Engine = engines.LOCAL,
) -> workers.Progress:
    """Run the `waiting` tasks; returns a `taskset.normalization.sweep.workers.Progress`.

    text: the candidate as a `Text`, for `count` workers of `engine` (None: as `Engine.run`); None: an object. Its tasks, and
    those of a single local worker, are run one by one here, so that a script needs no guard around its main part.
    A finished task is a file that appears whole: interrupted and started again, the rest is done.
    """
    remove_leftovers(root)

    def counted(progress: workers.Progress) -> None:
        progress.total = len(waiting)
        report(progress)

    with shared_arrays():
        if text is not None and not engine.alone(engine.workers(count, 1)):
            work = TrialWork(text, options, str(root), data_dir)
            return engine.run(waiting, work, count, counted, modules=tuple(modules), files=text.files())
        progress = workers.Progress()
        for name in waiting:
            progress.working = {name: 0.0}
            counted(progress)
            keep(task_curves(name, candidate, options, data_dir), candidate, options, root)
            progress.working = {}
            progress.finished.append(name)
            counted(progress)
        return progress
