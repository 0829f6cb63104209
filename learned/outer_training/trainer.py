"""Outer training: the weights of a learned optimizer by gradient descent over many tasks.

    g = mean of the estimates of a few tasks, clipped;  theta <- AdamW(theta, g)

AdamW and clipping are in `learned.outer_training.outer_optimizer`. Clipping comes after averaging; without it nothing is learned
(arXiv 2009.11243). The arithmetic here is NumPy in float64; the estimates are made by `learned.outer_training.task_pool`, in this
process or in several (`learned.outer_training.workers`).
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from learned import registry
from learned.estimators import base
from learned.optimizers.base import LearnedOptimizer
from learned.outer_training import checkpoint, log, outer_optimizer, start_weights, time_plan
from learned.outer_training.difference_scales import DifferenceScales
from learned.outer_training.events import Events
from learned.outer_training.options import DEFAULTS, Options
from learned.outer_training.time_plan import TimePlan
from learned.types import Arrays, Line, PathLike, Slots
from learned.unrolling.vectors import Layout
from taskset import changes
from taskset.errors import ConfigError, StoreError, TasksetError, cut, shown, whole_number
from taskset.files import make_directory, remove_temporaries, write_text
from taskset.normalization.sweep.provenance import changed_code
from taskset.random import seeds
from taskset.scoring import suites
from taskset.scoring.suites.suite import Suite
from taskset.version import __version__

if TYPE_CHECKING:
    from learned.outer_training.task_pool import Pool

LATEST = "checkpoint.npz"
LOG = "steps.jsonl"
TENSORBOARD = "tensorboard"


def kept_slots(directory: PathLike) -> Slots:
    """The slots of the checkpoint in a directory of outer training; {} where there is none yet."""
    path = Path(directory) / LATEST
    return _slots(checkpoint.load(path)) if path.exists() else {}


def _slots(found: checkpoint.Checkpoint) -> Slots:
    slots: Slots = {}
    for number in found.value("slots", dict):
        task, draws = found.value("slots", str, number, "task"), found.value("slots", int, number, "life")
        if not re.fullmatch(r"-?\d{1,9}", number, re.ASCII):
            raise StoreError(f"{found.path} is damaged: slot {shown(number)}; allowed are whole numbers: use another --out")
        slots[int(number)] = (task, draws, found.under(f"slot/{int(number)}"))
    return slots


class Trainer:
    """One outer training in a directory.

    DIRECTORY/checkpoint.npz is the last state; DIRECTORY/weights-STEP.npz are weights kept on the way; DIRECTORY/steps.jsonl has
    one line per outer step (`learned.outer_training.log`), and DIRECTORY/tensorboard its scalars
    (`learned.outer_training.events`). A directory that has a checkpoint is resumed, if suite and options are the same.

    pool: what makes the estimates: `learned.outer_training.task_pool.TaskPool` or `learned.outer_training.workers.Workers`;
    device: on what, for the record; clock: seconds, for `train_for`; start: the weights that it starts from, {path: array}
    (`learned.outer_training.start_weights`); None: those of its seed.
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
    ) -> None:
        options.check(suite)
        suites.require_measured(suite)
        self.directory, self.suite, self.options, self.pool = Path(directory), suite, options, pool
        self.device, self.optimizer = device, optimizer
        if options.start != (checkpoint.digest(start) if start else ""):
            raise ConfigError(
                f"start {options.start!r} of the options is not that of the weights given: give both or none of them"
            )
        start = start or start_weights.initial(optimizer, options.seed)
        self.frozen = start_weights.frozen(start, options.trained)
        self.layout = Layout({path: shape for path, shape in optimizer.shapes.items() if path not in self.frozen})
        self.scales = DifferenceScales()
        self.plan, self._by_time = TimePlan(clock), options.schedule == "cosine" and not options.schedule_steps
        make_directory(self.directory)
        remove_temporaries(self.directory)
        if (self.directory / LATEST).exists():
            self._resume()
        else:
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
        if self._by_time:
            raise ConfigError("the schedule is planned by time, with schedule_steps 0: train for hours, or give schedule_steps")
        return self._run(over, lambda: None, save_every, keep_every, report)

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
    ) -> Arrays:
        """Continue until `hours` of training are over in all, the times before an interruption included.

        A cosine schedule with `schedule_steps` 0 ends with them, and has further checkpoints before the first one. The other
        arguments are those of `train_until`. `learned.outer_training.time_plan` tells how it is resumed bit for bit.
        """
        time_plan.check_hours(hours)
        self.plan.start()
        early = (lambda: self.plan.plan_early(self.step, hours)) if self._by_time else None
        over, plan = lambda: self.plan.over(hours), lambda: self.plan.plan(self.step, hours)
        return self._run(over, plan, save_every, keep_every, report, early)

    def _run(self, over, before_saving, save_every, keep_every, report, before_early=None):
        whole_number("save_every", save_every)
        if keep_every is not None:
            whole_number("keep_every", keep_every)
        with self._open_log() as file, Events(self.directory / TENSORBOARD, self.step) as events:
            ended = over()
            while not ended:
                line = self._advance()
                file.write(log.as_line(line))
                events.write(line)
                report(line)
                ended = over()
                if keep_every and (self.step % keep_every == 0 or ended):  # before the checkpoint: no resumption passes over it
                    self.keep(self.directory / f"weights-{self.step:07d}.npz")
                regular = self.step % save_every == 0 or ended
                if regular or (before_early and self.step < save_every and time_plan.is_early(self.step)):
                    file.flush()
                    os.fsync(file.fileno())
                    (before_saving if regular else before_early)()
                    self.save()
        return self.weights

    @property
    def weights(self) -> Arrays:
        """All weights as {path: float32 array}, those that are frozen included."""
        trained = self.layout.arrays(self.x.astype(np.float32))
        return {path: trained[path] if path in trained else self.frozen[path] for path in self.optimizer.shapes}

    def _advance(self):
        options, step = self.options, self.step
        chosen = seeds.generator(options.seed, "slots", step).choice(options.slots, options.tasks_per_step, replace=False)
        groups = options.groups
        places = [slot * groups + group for slot in sorted(chosen.tolist()) for group in range(groups)]
        found = self.pool.estimates(places, step, self.x)
        results = [_of_groups(found[first : first + groups]) for first in range(0, len(found), groups)]
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
            "loss": _mean([result.estimate.loss for result in results]),
            "gradient_norm": float(np.linalg.norm(raw)),
            "clipped_share": clipped_share(raw, options.clip),
            "learning_rate": rate,
            "non_finite_share": sum(result.estimate.non_finite for result in results) / (len(results) * options.pairs),
            "inner_steps": sum(result.estimate.steps for result in results),
            "tasks": [
                {**one.estimate.details, "task": one.task, "family": one.family, "loss": _mean([one.estimate.loss]), **_rms(r)}
                for one, r in zip(results, scales)
            ],
        }

    def learning_rate(self, step: int) -> float:
        """That of outer step `step` = 0, 1, ..: warmed up, then constant or falling by a cosine."""
        options = self.options
        rate = options.learning_rate * outer_optimizer.warm_up(step, options.warm_up)
        if self._by_time:
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
        """Write the weights alone, with all metadata: enough to use them, not to resume."""
        checkpoint.save(path, self._meta(), self._theta())

    def save(self) -> None:
        """Write the checkpoint: everything that resuming as if nothing had happened takes."""
        meta, arrays = self._meta(), {**self._theta(), "adam/x": self.x, "adam/m": self.m, "adam/v": self.v}
        dumped = self.pool.dump()
        meta["slots"] = {str(number): {"task": task, "life": draws} for number, (task, draws, _) in sorted(dumped.items())}
        for number, (_, _, leaves) in dumped.items():
            arrays.update({f"slot/{number}/{name}": array for name, array in leaves.items()})
        if self.options.differences == "rms":
            meta["differences"] = self.scales.dump()
        if self.plan.seconds:
            meta["time_plan"] = self.plan.dump()
        checkpoint.save(self.directory / LATEST, meta, arrays)

    def _theta(self) -> Arrays:
        return {f"theta/{path}": array for path, array in self.weights.items()}

    def _meta(self):
        own = self._own_code()
        return {
            "optimizer": self.optimizer.name,
            "shapes": {path: list(shape) for path, shape in self.optimizer.shapes.items()},
            "options": self.options.as_json(),
            "suite": self.suite.as_json(),
            "step": self.step,
            "device": self.device,
            "versions": _versions(),
            **({"own_code": own} if own else {}),
        }

    def _own_code(self):
        options = self.options
        return registry.own_code(optimizer=options.optimizer, estimator=options.estimator, objective=options.objective)

    def _resume(self):
        path = self.directory / LATEST
        found = checkpoint.load(path)
        for name, other, here in (
            ("options", "other options", self.options.as_json()),
            ("suite", "another suite", self.suite.as_json()),
        ):
            there = found.value(name, dict)
            if name == "options":  # a checkpoint of an earlier version lacks those that it had no choice of
                there = {**DEFAULTS, **there}
            # which version made a suite is no part of what it is: `_require_current` looks at that
            keys = {*there, *here} - {"taskset_version"}
            different = sorted(key for key in keys if there.get(key) != here.get(key))
            if different:
                listed = cut(", ".join(different), 200)
                raise StoreError(f"{path} was made with {other} ({listed}): use the same, or another --out")
        there, here = found.value("own_code", dict) if "own_code" in found.meta else {}, self._own_code()
        changed = changed_code(there, here)
        if changed:
            raise StoreError(f"{path} was made with other code of {changed[0]} than it has now: restore it, or use another --out")
        versions = found.value("versions", dict) if "versions" in found.meta else {}
        self._require_current(path, versions.get("taskset", changes.FIRST))
        try:
            self.step = found.step
            self.x, self.m, self.v = (self._vector(found, name) for name in "xmv")
            expected, theta = self.weights, found.theta
            if theta.keys() != expected.keys() or any(not np.array_equal(theta[name], w) for name, w in expected.items()):
                raise ValueError("theta is not what adam/x says")
            if self.options.differences == "rms":
                self.scales.restore(found.value("differences", dict), {entry.task for entry in self.suite.of_split("train")})
            if self._by_time or "time_plan" in found.meta:
                self.plan.restore(found.value("time_plan", dict))
            self.pool.restore(self._slots_of(found))
        except (KeyError, ValueError, OverflowError) as error:
            problem = cut(str(error), 200)
            raise StoreError(f"{path} is damaged, or of another version of the package ({problem}): use another --out") from error

    def _vector(self, found: checkpoint.Checkpoint, name: str) -> np.ndarray:
        """adam/NAME: finite float64 [P]; v is of squares."""
        vector = found.arrays[f"adam/{name}"]
        if vector.shape != (self.layout.size,) or vector.dtype != np.float64:
            raise ValueError(f"adam/{name} is {vector.dtype} {vector.shape}; expected is float64 ({self.layout.size},)")
        if not np.isfinite(vector).all() or (name == "v" and (vector < 0).any()):
            raise ValueError(f"adam/{name} has entries that are not finite, or squares below 0")
        return vector

    def _slots_of(self, found: checkpoint.Checkpoint) -> Slots:
        """The slots of a checkpoint, as the options and the suite allow them."""
        tasks, slots = {entry.task for entry in self.suite.of_split("train")}, _slots(found)
        for number, (task, draws, _) in slots.items():
            if number not in range(self.options.slots * self.options.groups) or task not in tasks or not 1 <= draws < 2**31:
                places = self.options.slots * self.options.groups
                raise ValueError(f"place {number} of {places} has task {shown(task)}, its task number {draws}")
        return slots

    def _require_current(self, path, version):
        suite = self.suite
        old = [entry.task for entry in suite.tasks if changes.outdated(entry.task, suite.source, version)]
        if old:
            raise StoreError(
                f"{path} is of version {version}, and task {old[0]!r} ({len(old)} in all) changed in "
                f"{changes.changed_in(old[0], suite.source)}: start again with another --out"
            )

    def _open_log(self):
        """The log, cut back to the checkpoint's step: lines behind it are computed again."""
        path, lines = self.directory / LOG, []
        if path.exists() and self.step:
            lines = [line for _, line in log.lines(path, self.step)]
        write_text("".join(lines), path)
        return open(path, "a")


def _of_groups(found):
    """The `Result` of all pairs of a task, from those of its groups."""
    if len(found) == 1:
        return found[0]
    estimates = [result.estimate for result in found]
    merged = replace(
        estimates[0],
        gradient=sum(one.gradient for one in estimates) / len(estimates),
        loss=base.mean_loss([one.loss for one in estimates]),
        non_finite=sum(one.non_finite for one in estimates),
        steps=sum(one.steps for one in estimates),
        square=base.mean_loss([one.square for one in estimates]),
    )
    return replace(found[0], estimate=merged)


def _mean(values):
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else None


def _rms(r):
    return {} if r is None else {"difference_rms": r}


def _versions():
    return {"taskset": __version__, "tensorflow": tf.__version__, "numpy": np.__version__}
