"""Outer training: the weights of a learned optimizer by gradient descent over many tasks.

    g = mean of the estimates of a few tasks, clipped;  theta <- AdamW(theta, g)

AdamW and clipping are in `learned.outer_training.outer_optimizer`. Clipping comes after averaging; without it nothing is learned
(arXiv 2009.11243). The arithmetic here is NumPy in float64; the estimates are made by `learned.outer_training.task_pool`, in this
process or in several (`learned.outer_training.workers`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from learned.estimators import base
from learned.optimizers.base import LearnedOptimizer
from learned.outer_training import checkpoint, log, outer_optimizer, resuming, start_weights, time_plan
from learned.outer_training.difference_scales import DifferenceScales
from learned.outer_training.events import Events
from learned.outer_training.identity import require_same_data
from learned.outer_training.options import Options
from learned.outer_training.resuming import LATEST
from learned.outer_training.time_plan import TimePlan
from learned.types import Arrays, Line, PathLike
from learned.unrolling.vectors import Layout
from taskset.errors import ConfigError, StoreError, TasksetError, whole_number
from taskset.files import make_directory, remove_temporaries
from taskset.random import seeds
from taskset.scoring import suites
from taskset.scoring.suites.suite import Suite

if TYPE_CHECKING:
    from learned.outer_training.task_pool import Pool

LOG = "steps.jsonl"
TENSORBOARD = "tensorboard"


class Trainer:
    """One outer training in a directory.

    DIRECTORY/checkpoint.npz is the last state; DIRECTORY/weights-STEP.npz are weights kept on the way; DIRECTORY/steps.jsonl has
    one line per outer step (`learned.outer_training.log`), and DIRECTORY/tensorboard its scalars
    (`learned.outer_training.events`). A directory that has a checkpoint is resumed, if suite and options are the same.

    pool: what makes the estimates: `learned.outer_training.task_pool.TaskPool` or `learned.outer_training.workers.Workers`;
    device: on what, for the record; clock: seconds, for `train_for`; start: the weights that it starts from, {path: array}
    (`learned.outer_training.start_weights`); None: those of its seed; trained_before: the tasks that these were trained on.
    """

    def __init__(
        self,
        directory: PathLike,
        suite: Suite,
        options: Options,
        pool: Pool,
        optimizer: LearnedOptimizer,
        device: str = "cpu",
        clock: Callable[[], float] = time.monotonic,
        start: Arrays | None = None,
        trained_before: Sequence[str] = (),
    ) -> None:
        options.check(suite)
        suites.require_measured(suite)
        self.directory, self.suite, self.options, self.pool = Path(directory), suite, options, pool
        self.device, self.optimizer, self.trained_before = device, optimizer, tuple(trained_before)
        if options.start != (checkpoint.digest(start) if start else ""):
            raise ConfigError(
                f"start {options.start!r} of the options is not that of the weights given: give both or none of them"
            )
        start = start or start_weights.initial(optimizer, options.seed)
        self.frozen = start_weights.frozen(start, options.trained)
        self.layout = Layout({path: shape for path, shape in optimizer.shapes.items() if path not in self.frozen})
        self.scales = DifferenceScales()
        self.data_origins: dict[str, Any] = {}  # of all data read so far (`identity.data_origins`)
        self._under_way = ""  # a step: places that were estimated are ahead of the others and of the weights; or a save
        self.plan = TimePlan(clock)
        make_directory(self.directory)
        remove_temporaries(self.directory)
        if (self.directory / LATEST).exists():
            resuming.restore(self, self.directory / LATEST)
        else:
            resuming.require_own_weights(self)
            self.step = 0
            self.x = self.layout.vector({path: start[path] for path in self.layout.shapes}).astype(np.float64)
            self.m, self.v = np.zeros_like(self.x), np.zeros_like(self.x)

    def train(
        self,
        outer_steps: int,
        save_every: int = 50,
        keep_every: int | None = None,
        report: Callable[[Line], object] = lambda line: None,
    ) -> Arrays:
        """Continue until `outer_steps` steps have been taken in all.

        The other arguments are those of `train_until`. Raises `ConfigError` where more steps have been taken already.
        """
        outer_steps = whole_number("outer steps", outer_steps, least=0)
        return self.train_until(lambda: self.reached(outer_steps), save_every, keep_every, report)

    def train_until(
        self,
        over: Callable[[], bool],
        save_every: int = 50,
        keep_every: int | None = None,
        report: Callable[[Line], object] = lambda line: None,
    ) -> Arrays:
        """Continue until `over()`, which is asked at the start and after each step, and save.

        save_every: steps between two checkpoints; keep_every: between weights that are kept; report: called with each step's
        line of the log, a dict. Raises `ConfigError` where the schedule ends with hours that are not given.
        """
        if self.options.by_time:
            raise ConfigError("the schedule is planned by time, with schedule_steps 0: train for hours, or give schedule_steps")
        return self._run(over, save_every, keep_every, report)

    def reached(self, outer_steps: int) -> bool:
        """Whether `outer_steps` steps have been taken. Raises `ConfigError` where more have."""
        if self.step > outer_steps:
            raise ConfigError(
                f"outer steps {outer_steps}: {self.directory} has {self.step} already; give at least as many, or another --out"
            )
        return self.step == outer_steps

    def train_for(
        self,
        hours: float,
        save_every: int = 50,
        keep_every: int | None = None,
        report: Callable[[Line], object] = lambda line: None,
        keep_at: Mapping[Path, float] | None = None,
    ) -> Arrays:
        """Continue until `hours` of training are over in all, the times before an interruption included.

        keep_at: {file: hours after which weights are kept in it}, 0 for those at the start; files for more than `hours` are left
        out. Two files never have weights of the same outer step: where steps are that long, the training goes past its hours.
        The other arguments are those of `train_until`.

        A cosine schedule with `schedule_steps` 0 ends with the hours, and has further checkpoints before the first one.
        `learned.outer_training.time_plan` tells how it is resumed bit for bit.
        """
        time_plan.check_hours(hours)
        wanted = sorted((at, path) for path, at in (keep_at or {}).items() if at <= hours)
        found = {path: checkpoint.load(path).step for _, path in wanted if path.exists()}
        # Weights of a step that comes again after an interruption are kept again.
        kept = {path: step for path, step in found.items() if step <= self.step}
        due, last = [(at, path) for at, path in wanted if path not in kept], max(kept.values(), default=-1)

        def over():
            nonlocal last
            ended = self.plan.over(hours)
            if due and self.step > last and self.plan.seconds >= 3600 * due[0][0]:  # before the checkpoint, as in `_run`
                self.keep(due.pop(0)[1])
                last = self.step
            return ended and not due

        return self._run(over, save_every, keep_every, report, hours)

    def _run(self, over, save_every, keep_every, report, hours=None):
        """Steps until `over()`; hours: of the time plan, None for a training of steps, which has none."""
        for name, every in (("save_every", save_every), ("keep_every", 1 if keep_every is None else keep_every)):
            whole_number(name, every)
        with self._open_log() as file, Events(self.directory / TENSORBOARD, self.step) as events:
            if hours is not None:
                self.plan.start(hours if self.options.by_time else math.inf)
            ended = over()
            resuming.remove_later_weights(self)
            while not ended:
                line = self._advance()
                file.write(line)
                events.write(line)
                report(line)
                ended = over()
                if keep_every and (self.step % keep_every == 0 or ended):  # before the checkpoint: no resumption passes over it
                    self.keep(self.directory / f"weights-{self.step:07d}.npz")
                regular = self.step % save_every == 0 or ended
                if regular or (self.options.by_time and self.step < save_every and time_plan.is_early(self.step)):
                    file.flush()
                    if hours is not None:
                        (self.plan.plan if regular else self.plan.plan_early)(self.step, hours)
                    self.save()
        return self.weights

    @property
    def weights(self) -> Arrays:
        """All weights as {path: float32 array}, those that are frozen included."""
        trained = self.layout.arrays(self.x.astype(np.float32))
        return {path: trained[path] if path in trained else self.frozen[path] for path in self.optimizer.shapes}

    def _advance(self):
        self._require_whole()
        self._under_way = f"outer step {self.step + 1}"
        line = self._stepped()
        self._under_way = ""
        return line

    def _require_whole(self):
        """Raise `TasksetError` after a step that was interrupted, or failed: no later one would be what it is otherwise.

        Or after a save that was interrupted: nobody knows which state is on disk, nor whether a worker's answer was read.
        """
        if self._under_way:
            raise TasksetError(
                f"{self._under_way} was interrupted: open the trainer again, which resumes from what {self.directory} has saved"
            )

    def _stepped(self):
        options, step = self.options, self.step
        chosen = seeds.generator(options.seed, "slots", step).choice(options.slots, options.tasks_per_step, replace=False)
        groups = options.groups
        places = [slot * groups + group for slot in sorted(chosen.tolist()) for group in range(groups)]
        found = self.pool.estimates(places, step, self.x)
        self.note_origins(*(result.data_origins for result in found))
        results = [of_groups(found[first : first + groups], options.pairs) for first in range(0, len(found), groups)]
        scales = self._scales(results)
        # Slots are summed in the order of their numbers, whoever computed them: the sum does not depend on it.
        raw = sum(self._scaled(result, r) for result, r in zip(results, scales)) / len(results)
        if not np.isfinite(raw).all():  # no estimator of the package lets one through
            raise TasksetError(
                f"the gradient of outer step {step + 1} is not finite, from estimator {options.estimator!r}: {self.directory} "
                "stays as it was last saved"
            )
        clip, clipped_share = outer_optimizer.CLIPPING[options.clipping]
        gradient, rate = clip(raw, options.clip), self.learning_rate(step)
        self.x, self.m, self.v = outer_optimizer.adamw(self.x, self.m, self.v, gradient, step, rate, options.weight_decay)
        self.step += 1
        return {
            "step": self.step,
            "loss": _logged(base.finite_mean([result.estimate.loss for result in results])),
            "gradient_norm": float(np.linalg.norm(raw)),
            "clipped_share": clipped_share(raw, options.clip),
            "learning_rate": rate,
            "non_finite_share": sum(result.estimate.non_finite for result in results) / (len(results) * options.pairs),
            "inner_steps": sum(result.estimate.steps for result in results),
            "tasks": [
                {
                    **one.estimate.details,
                    "task": one.task,
                    "family": one.family,
                    "loss": _logged(one.estimate.loss),
                    **_rms(r),
                }
                for one, r in zip(results, scales)
            ],
        }

    def note_origins(self, *read: Mapping[str, Any]) -> None:
        """Note {data: origin} of what several tasks read.

        Raises `StoreError` where one has read other data than another, on another machine, or than the training before.
        """
        together: dict[str, Any] = {}
        for origins in read:
            require_same_data("a task of this step", together, origins, "give all machines the same data")
            together |= origins
        require_same_data(self.directory, self.data_origins, together, "restore them, or use another --out")
        self.data_origins |= together

    def learning_rate(self, step: int) -> float:
        """That of outer step `step` = 0, 1, ..: warmed up, then constant or falling by a cosine."""
        options = self.options
        rate = options.learning_rate * outer_optimizer.warm_up(step, options.warm_up)
        if self.options.by_time:
            rate *= outer_optimizer.cosine(self.plan.fraction(step))
        elif options.schedule == "cosine":
            rate *= outer_optimizer.cosine(outer_optimizer.fraction(step, options.warm_up, options.schedule_steps))
        return rate

    def _scales(self, results):
        """The r of `learned.outer_training.difference_scales` of each result; None where estimates are taken as they are."""
        if self.options.differences != "rms":
            return [None] * len(results)
        for result in results:
            if math.isnan(result.estimate.square) and result.estimate.non_finite < self.options.pairs:
                raise ConfigError(
                    f"differences rms: the estimator {self.options.estimator!r} gives no Estimate.square, the mean of its D^2: "
                    "give it (learned.estimators.base.mean_square), or train with differences value or sign"
                )
        return [self.scales.update(result.task, result.estimate.square) for result in results]

    def _scaled(self, result, r):
        """The gradient of a result, divided by r / sigma; 0 where r is 0, as all differences are then."""
        gradient = result.estimate.gradient
        return gradient if r is None else gradient * (self.options.sigma / r if r else 0.0)

    def keep(self, path: PathLike) -> None:
        """Write the weights alone, with all metadata: enough to use them, not to resume. Raises `StoreError`."""
        checkpoint.save(path, *resuming.of_weights(self))

    def save(self) -> None:
        """Write the checkpoint: everything that resuming as if nothing had happened takes.

        Raises `StoreError`, after which what was saved before is there, and the training can go on; `TasksetError` after a step
        or a save that was interrupted.
        """
        self._require_whole()
        self._under_way = f"the save after outer step {self.step}"
        meta, arrays = resuming.of_training(self)
        try:
            checkpoint.save(self.directory / LATEST, meta, arrays)
        except StoreError:
            self._under_way = ""
            raise
        self.pool.saved()
        self._under_way = ""

    def _open_log(self):
        """The log, cut back to the checkpoint's step: lines behind it are computed again."""
        path, lines = self.directory / LOG, []
        if path.exists() and self.step:
            lines = [line for _, line in log.lines(path, self.step)]
        return log.Writer(path, lines)


def of_groups(found, pairs):
    """The `Result` of all `pairs` of a task, from those of its groups of equal size.

    The mean square is over pairs whose difference is finite, of which groups may have unequal numbers. The loss, which is logged
    alone, is the mean of the groups': how many of their losses are finite an estimate doesn't say.
    """
    if len(found) == 1:
        return found[0]
    estimates = [result.estimate for result in found]
    finite = [pairs // len(found) - one.non_finite for one in estimates]
    squares = [(one.square, count) for one, count in zip(estimates, finite) if count > 0 and math.isfinite(one.square)]
    merged = replace(
        estimates[0],
        gradient=sum(one.gradient for one in estimates) / len(estimates),
        loss=base.finite_mean([one.loss for one in estimates]),
        non_finite=sum(one.non_finite for one in estimates),
        steps=sum(one.steps for one in estimates),
        square=sum(square * count for square, count in squares) / sum(count for _, count in squares) if squares else math.nan,
    )
    return replace(found[0], estimate=merged)


def _logged(loss):
    """A loss as JSON has it."""
    return float(loss) if math.isfinite(loss) else None


def _rms(r):
    return {} if r is None else {"difference_rms": r}
