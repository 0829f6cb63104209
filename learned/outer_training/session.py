"""An outer training from a suite and options to weights: opens the trainer, with its tasks in this process or in several."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learned import optimizers, registry
from learned.outer_training import checkpoint, objectives, start_weights
from learned.outer_training.estimator_cache import MEMORY_MIB
from learned.outer_training.options import Options
from learned.outer_training.resuming import LATEST, kept_places
from learned.outer_training.trainer import Trainer
from learned.types import Arrays, Line, PathLike
from taskset.catalogue import get_task
from taskset.datasets.sharing import shared_arrays
from taskset.errors import ConfigError, StoreError, cut, shown, whole_number
from taskset.files import make_directory
from taskset.jobs import claims
from taskset.jobs.engines import LOCAL, Engine
from taskset.scoring.suites import by_name
from taskset.scoring.suites.suite import Suite

if TYPE_CHECKING:
    import tensorflow as tf

    from learned.outer_training.task_pool import Pool


@contextlib.contextmanager
def open_trainer(
    suite: Suite | str | Path,
    options: Options,
    directory: PathLike,
    *,
    workers: int | None = None,
    data_dir: str | None = None,
    modules: Sequence[str] = (),
    memory: int = MEMORY_MIB,
    strategy: tf.distribute.Strategy | None = None,
    start: Arrays | PathLike | None = None,
    engine: Engine = LOCAL,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Trainer]:
    """Context manager: the `Trainer` of a directory, which resumes where there is a checkpoint. It ends its processes at the end.

    suite: or its name or file.
    workers: processes on the CPU; with 1 everything is computed in this one. The weights are the same for any number. None: 1,
    or on a cluster one per core, at most one per place. engine: what starts them (`taskset.jobs.engines`).
    modules: those that register tasks, optimizers, estimators or objectives outside the package (module names or .py files);
    worker processes import them. memory: MiB that a process may have for itself, see `learned.outer_training.estimator_cache`.
    strategy: of `learned.unrolling.distributed.strategy`, in this process alone. start: weights to start from, {path: array}, or
    the file of a checkpoint (`learned.pretrained.find("muon_whole")` is one), which knows the tasks that they were trained on;
    None: the optimizer's initial ones. The options get their digest. clock: seconds, by which `Trainer.train_for` counts its
    hours.

    Raises `StoreError` where another process trains in the directory.
    """
    chosen = _checked(suite, options, workers, memory)
    options, weights, before = _starting_from(start, options)
    device, count = "cpu", min(engine.workers(workers, 1), workers or options.slots * options.groups)
    if strategy is not None:
        from learned.unrolling import distributed

        if not engine.alone(count):
            raise ConfigError(f"workers is {count}: allowed with a strategy is 1; workers are processes on the CPU")
        distributed.check_pairs(options.pairs, strategy, options.groups)
        device = distributed.describe(strategy)
    if not Path(directory, LATEST).exists():  # one that resumes was checked when it began
        _check_objective(options.objective, chosen, data_dir)
    make_directory(directory)
    with shared_arrays(), contextlib.ExitStack() as stack:
        stack.callback(claims.tidy, directory)
        if not stack.enter_context(claims.claim(directory, "training")):
            raise StoreError(f"{directory} has a training under way in another process: let it end, or give another --out")
        if engine.alone(count):
            from learned.outer_training.task_pool import TaskPool

            pool: Pool = TaskPool(chosen, options, data_dir, strategy, memory, weights)
        else:
            from learned.outer_training.workers import Workers

            named = [*modules, registry.PACKAGE]
            pool = stack.enter_context(
                Workers(count, chosen, options, data_dir, named, memory, lambda: kept_places(directory), weights, engine)
            )
        yield Trainer(directory, chosen, options, pool, optimizers.get(options.optimizer), device, clock, weights, before)


def _checked(suite: Suite | str | Path, options: Options, workers: int | None, memory: int) -> Suite:
    """The suite that `suite` is, or that it names; raises `ConfigError` where an argument of `open_trainer` is not allowed."""
    chosen = by_name.get_suite(suite) if isinstance(suite, (str, Path)) else suite
    for given, kind in ((chosen, Suite), (options, Options)):
        if not isinstance(given, kind):
            raise ConfigError(f"{shown(given)}: a training takes a suite (its name, its file, a Suite) and learned.Options")
    for name, value in (("workers", 1 if workers is None else workers), ("memory", memory)):
        whole_number(name, value)
    return chosen


def _starting_from(start: Arrays | PathLike | None, options: Options) -> tuple[Options, Arrays | None, tuple[str, ...]]:
    """(the options with the digest of the weights that a training starts from, these weights, the tasks they were trained on)."""
    if start is None:
        return options, None, ()
    optimizer = optimizers.get(options.optimizer)
    before: tuple[str, ...] = ()
    if isinstance(start, dict):
        weights = start_weights.of_arrays(start, optimizer)
    else:
        found = checkpoint.load(start)
        weights, before = start_weights.of_checkpoint(found, optimizer), found.trained_on
    return dataclasses.replace(options, start=options.start or checkpoint.digest(weights)), weights, before


def _check_objective(name: str, suite: Suite, data_dir: str | None) -> None:
    """Raise `ConfigError` where a task can't be trained for an objective: now, not when it is drawn after hours."""
    if name in objectives.OF_EVERY_TASK:
        return
    objective, refused = objectives.get(name), []
    for entry in suite.of_split("train"):
        try:
            objective.check(get_task(entry.task, suite.source, data_dir))
        except ConfigError as error:
            refused.append((entry.task, error))
    if refused:
        tasks = cut(", ".join(task for task, _ in refused), 200)
        raise ConfigError(f"{refused[0][1]}; of suite {suite.name!r} these can't be trained for {name}: {tasks}")


def train(
    suite: Suite | str | Path,
    options: Options,
    directory: PathLike,
    outer_steps: int,
    *,
    save_every: int = 50,
    keep_every: int | None = None,
    report: Callable[[Line], object] = lambda line: None,
    **opening: Any,
) -> Arrays:
    """Train until `outer_steps` outer steps have been taken in all; returns theta, {path: float32 array}.

    DIRECTORY/checkpoint.npz is the state after the last steps; the same call resumes. save_every, keep_every, report: as of
    `Trainer.train_until`; opening: keyword arguments of `open_trainer`.
    """
    with open_trainer(suite, options, directory, **opening) as trainer:
        return trainer.train(outer_steps, save_every, keep_every, report)
