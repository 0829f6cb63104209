"""Tasks trained with a learned optimizer from a checkpoint; curves as `python -m taskset baseline` writes them.

    DIRECTORY/curves/source=SOURCE/family=FAMILY/TASK.parquet     `taskset.load_curves(root=DIRECTORY)` reads them
    DIRECTORY/sweep.json                                          what they were made with
    DIRECTORY/requested.json                                      which tasks were asked for (`taskset.scoring.requested`)

The column `optimizer` holds the name given to the checkpoint. Start, batches and evaluations of a seed are those that the same
seed has in a baseline: comparisons are paired.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from learned import registry
from learned.deploy import pretrained
from learned.outer_training import checkpoint
from learned.types import PathLike
from taskset.datasets.sharing import shared_arrays
from taskset.errors import ConfigError, StoreError
from taskset.execution import carried
from taskset.jobs import engines
from taskset.jobs.pool import Progress
from taskset.normalization import store
from taskset.normalization.sweep import marked
from taskset.normalization.sweep.options import COMMANDS_BATCHES, EVALUATIONS, SweepOptions
from taskset.normalization.sweep.resume import remove_leftovers
from taskset.random.seeds import first_seeds
from taskset.samplers.optimizers import is_optimizer_name
from taskset.scoring import candidates, requested
from taskset.scoring.suites import by_name
from taskset.scoring.suites.suite import Suite

if TYPE_CHECKING:
    from learned.optimizers.as_optimizer import WithWeights
    from taskset.optimizers.base import Optimizer


@dataclass(frozen=True)
class NamedCheckpoint:
    """A checkpoint under the name that its results have: a `taskset.normalization.sweep.marked.Judged`.

    optimizer: the learned optimizer's name; digest: of its weights.
    """

    name: str
    path: str
    optimizer: str
    digest: str

    def mark(self) -> marked.Mark:
        """The learned optimizer and its weights; and the code of a rule that a user registered."""
        mark = json.dumps({"optimizer": self.optimizer, "digest": self.digest})
        code = {f"learned {what}": text for what, text in registry.own_code(optimizer=self.optimizer).items()}
        # By this, `taskset.normalization.release.conflicts` tells two checkpoints of one name apart.
        code[f"checkpoint {self.name}"] = f"weights {self.digest}"
        return marked.Mark("checkpoint", mark, "another checkpoint", code)

    def opened(self) -> NamedCheckpoint:
        """Itself: its file is read where it is needed."""
        return self

    def claim(self, root: PathLike, options: SweepOptions) -> None:
        """As `Judged.claim`."""
        store.check_options(root, {**options.as_json(), "checkpoint": self.digest})

    def optimizers(self, options: SweepOptions) -> list[Optimizer]:
        """Itself as an optimizer, `optimizer_of`."""
        del options
        return [cast("Optimizer", optimizer_of(self))]


def named_checkpoint(path: PathLike, name: str | None = None) -> NamedCheckpoint:
    """The `NamedCheckpoint` of a checkpoint file, or of a name of `learned.pretrained`.

    name: default OPTIMIZER_ESTIMATOR_STEP. Raises `ConfigError` for a name that can't be one, or is a hand-designed optimizer's,
    `UnknownName` where nobody has registered the checkpoint's optimizer.
    """
    path = pretrained.find(path)
    found = checkpoint.load(path)
    registry.optimizers.check(found.optimizer)  # now, and not in each of its tasks
    name = name or f"{found.optimizer}_{found.value('options', str, 'estimator')}_{found.step}"
    candidates.check_name(name)
    if is_optimizer_name(name):
        raise ConfigError(f"name {name!r} is that of a hand-designed optimizer: give another --name")
    return NamedCheckpoint(name, str(path), found.optimizer, checkpoint.digest(found.theta))


def optimizer_of(judged: NamedCheckpoint) -> WithWeights:
    """The checkpoint as an optimizer of `taskset.execution.loop`.

    Raises `StoreError` where the file has other weights by now, as that of a training that goes on.
    """
    from learned import optimizers
    from learned.optimizers.as_optimizer import with_weights

    found = checkpoint.load(carried.place(judged.path))
    if checkpoint.digest(found.theta) != judged.digest:
        raise StoreError(
            f"{judged.path} has other weights than when the evaluation began: give a copy of it, or one of the weights-*.npz "
            "that --keep-every keeps"
        )
    return with_weights(optimizers.get(found.optimizer), found.theta, judged.name, found.trained_on)


def tasks_of(
    given: Suite | Sequence[str], split: str = "test", source: str | None = None, horizon: int | None = None
) -> tuple[list[str], str, int]:
    """(task names, source, horizon) of an evaluation: of a split of a suite, or of the tasks of a list of names.

    split: of a suite: "train", "valid", "test" or "all". source, horizon: those of a suite, and "synthetic" for names, where
    None. Raises `ConfigError` or `UnknownName` where they contradict the suite, or a split is asked for of a list of names.
    """
    if not isinstance(given, Suite):
        if horizon is None:
            raise ConfigError("how many steps? give --horizon; only suites have one of their own")
        if split not in ("test", "all"):
            raise ConfigError(f"split {split!r}: only suites have splits, and all named tasks are run; leave --split out")
        return list(dict.fromkeys(given)), source or "synthetic", horizon
    if source not in (None, given.source):
        raise ConfigError(f"source {source!r}: that of the suite is {given.source!r}; leave --source out")
    if horizon is not None and horizon > given.horizon:
        raise ConfigError(
            f"horizon {horizon} is longer than that of the suite's normalizers, {given.horizon}: give a shorter one, or name the "
            "tasks themselves and compare with baselines that are as long"
        )
    return given.names_of(split), given.source, given.horizon if horizon is None else horizon


def evaluate(
    path: PathLike,
    tasks: Suite | str | Path | Sequence[str],
    root: PathLike,
    *,
    split: str = "test",
    source: str | None = None,
    horizon: int | None = None,
    seeds: int = 3,
    batches: int = COMMANDS_BATCHES,
    evaluations: int = EVALUATIONS,
    name: str | None = None,
    data_dir: str | None = None,
    workers: int | None = None,
    modules: Sequence[str] = (),
    report: Callable[[Progress], None] = lambda progress: None,
    engine: engines.Engine = engines.LOCAL,
) -> Progress:
    """Train tasks with the optimizer in a checkpoint, and write their curves below `root`; the same call resumes.

    path: a checkpoint, an export, or a name of `learned.pretrained`. tasks: a suite, its name or file, or a list of task names;
    split, source, horizon: as of `tasks_of`.
    seeds: runs of each task, from the seeds 0, 1, .. of the baselines. batches: of each split in an evaluation; evaluations:
    intervals between evaluations. name: that of the results; default OPTIMIZER_ESTIMATOR_STEP. workers: of `engine`
    (`taskset.jobs.engines`); None: 1 on this machine, all cores of a cluster. modules: those that register what is
    not the package's own. data_dir: where TFDS data was prepared. report: called with the `Progress` as it changes. Returns the
    `Progress`: which tasks are finished, and why others failed.

    Raises: ConfigError and UnknownName for what is not allowed, StoreError where `root` holds other results.
    """
    asked = prepared(
        path, tasks, root, split=split, source=source, horizon=horizon, seeds=seeds, batches=batches, evaluations=evaluations,
        name=name,
    )  # fmt: skip
    return run(
        asked.judged, asked.waiting, asked.options, root, data_dir=data_dir, workers=workers, modules=modules, report=report,
        engine=engine,
    )  # fmt: skip


@dataclass(frozen=True)
class Prepared:
    """An evaluation before it begins. tasks: all that are asked for; waiting: those that have no curves yet."""

    judged: NamedCheckpoint
    options: SweepOptions
    tasks: list[str]
    waiting: list[str]


def prepared(
    path: PathLike,
    tasks: Suite | str | Path | Sequence[str],
    root: PathLike,
    *,
    split: str,
    source: str | None,
    horizon: int | None,
    seeds: int,
    batches: int,
    evaluations: int,
    name: str | None,
) -> Prepared:
    """What `evaluate` is about to do, which is recorded in `root`. Arguments and errors as of `evaluate`."""
    if isinstance(tasks, (str, Path)):
        tasks = by_name.get_suite(tasks)
    names, source, horizon = tasks_of(tasks, split, source, horizon)
    judged = named_checkpoint(path, name)
    options = SweepOptions((judged.name,), source, horizon, first_seeds(seeds), batches, evaluations)
    waiting = marked.plan(judged, names, options, root)
    requested.record(root, tasks, split, names)
    return Prepared(judged, options, names, waiting)


def run(
    judged: NamedCheckpoint,
    waiting: Sequence[str],
    options: SweepOptions,
    root: PathLike,
    *,
    data_dir: str | None = None,
    workers: int | None = None,
    modules: Sequence[str] = (),
    report: Callable[[Progress], None] = lambda progress: None,
    engine: engines.Engine = engines.LOCAL,
) -> Progress:
    """Train and evaluate the `waiting` tasks with so many `workers` of `engine` (None: as `Engine.run`).

    A finished task is a file that appears whole: after an interruption the remaining ones are computed.
    """
    remove_leftovers(root)
    work = marked.MarkedWork(judged, options, str(root), data_dir)
    with shared_arrays():
        named = (*modules, registry.PACKAGE)
        return engine.run(waiting, work, workers, report, modules=named, files=(judged.path,))
