"""A candidate's runs on the tasks of a suite: a sweep's directory, with a file for each finished task."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from taskset.datasets.sharing import shared_arrays
from taskset.errors import StoreError
from taskset.jobs import engines, pool
from taskset.normalization import store
from taskset.normalization.sweep import marked, planning
from taskset.normalization.sweep.resume import remove_leftovers
from taskset.samplers import opt_list
from taskset.scoring import candidates
from taskset.scoring.candidates import Candidate
from taskset.scoring.optimizer_code import UNKNOWN
from taskset.scoring.trial_sets import Hyperparameters

if TYPE_CHECKING:
    from taskset.normalization.sweep.options import SweepOptions
    from taskset.optimizers.base import Optimizer


@dataclass(frozen=True)
class Trials:
    """A `taskset.normalization.sweep.marked.Judged`: all trials of a candidate."""

    candidate: Candidate

    def opened(self) -> Trials:
        """Itself."""
        return self

    def mark(self) -> marked.Mark:
        """Hyperparameters and code, and of known code digests of both, by which merges tell candidates of one name apart."""
        own = json.dumps(self.candidate.as_json(), sort_keys=True)
        digest = f"candidate {hashlib.sha256(own.encode()).hexdigest()[:16]}"
        told = any(self.candidate.trials) or bool(self.candidate.code)
        known = told and not self.candidate.code.startswith(UNKNOWN)
        code = {f"candidate {name}": digest for name in self.candidate.names} if known else {}
        return marked.Mark("candidate", own, "another optimizer or other hyperparameters", code)

    def claim(self, root: str | Path, options: SweepOptions) -> None:
        """As `Judged.claim`; code that can't be known is never that of results that are there."""
        candidate, begun = self.candidate, store.has_curves(root)
        unknown = candidate.code.startswith(UNKNOWN)
        if unknown and begun and store.read_options(root).get("code") != candidate.code:
            raise StoreError(
                f"{root} holds results, and {candidate.name!r} is an object whose code can't be compared with that of theirs: "
                "use another --out, or give the optimizer as FILE.py:NAME"
            )
        store.check_options(root, {**options.as_json(), **candidate.as_json()})

    def optimizers(self, options: SweepOptions) -> list[Optimizer]:
        """One for each trial."""
        made = [self.candidate.make(trial, options.steps) for trial in range(len(self.candidate.trials))]
        return cast("list[Optimizer]", made)


@dataclass(frozen=True)
class Text:
    """`Trials` as a worker process can be given them: `candidates.candidate`'s arguments, texts and JSON values."""

    optimizer: str
    trials: tuple[Hyperparameters, ...]
    name: str

    def candidate(self) -> Candidate:
        """The `Candidate`."""
        if opt_list.length_of(self.optimizer) is not None:  # it has its own sets, of which the first may have been asked for
            return candidates.candidate(self.optimizer, None, len(self.trials), self.name)
        return candidates.candidate(self.optimizer, list(self.trials), name=self.name)

    def files(self) -> tuple[str, ...]:
        """The file that the text names, if it names one: other machines need a copy."""
        place = self.optimizer.rpartition(":")[0] or self.optimizer
        return (place,) if Path(place).suffix in (".py", ".npz") else ()

    def opened(self) -> Trials:
        """The `Trials` of the candidate."""
        return Trials(self.candidate())


def plan(candidate: Candidate, tasks: Iterable[str], options: SweepOptions, root: str | Path) -> dict[str, float | None]:
    """{task: core-seconds} of the tasks that have no curves under `root` yet, cheapest first; None: of unknown cost.

    Claims `root` for this candidate and these options.

    Raises StoreError where `root` holds other results.
    """
    return planning.cheapest_first(marked.plan(Trials(candidate), tasks, options, root), options)


def run(
    candidate: Candidate,
    waiting: Collection[str],
    options: SweepOptions,
    root: str | Path,
    *,
    data_dir: str | Path | None = None,
    text: Text | None = None,
    workers: int | None = None,
    modules: Iterable[str] = (),
    report: Callable[[pool.Progress], object] = lambda progress: None,
    engine: engines.Engine = engines.LOCAL,
) -> pool.Progress:
    """Run the `waiting` tasks; returns a `taskset.jobs.pool.Progress`.

    text: the candidate as a `Text`, for so many `workers` of `engine` (None: as `Engine.run`); None: an object. Its tasks, and
    those of a single local worker, are run one by one here, so that a script needs no guard around its main part.
    A finished task is a file that appears whole: interrupted and started again, the rest is done.
    """
    remove_leftovers(root)

    def tell(progress: pool.Progress) -> None:
        progress.total = len(waiting)
        report(progress)

    with shared_arrays():
        if text is not None and not engine.alone(engine.workers(workers, 1)):
            work = marked.MarkedWork(text, options, str(root), data_dir)
            return engine.run(waiting, work, workers, tell, modules=tuple(modules), files=text.files())
        here, progress = marked.MarkedWork(Trials(candidate), options, str(root), data_dir), pool.Progress()
        for name in waiting:
            progress.working = {name: 0.0}
            tell(progress)
            here.keep(name, here.compute(name, None))
            progress.working = {}
            progress.finished.append(name)
            tell(progress)
        return progress
