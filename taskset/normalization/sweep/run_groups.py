"""The runs of one seed under optimizers that share a rule: the same start, the same batches, other hyperparameters.

`OneByOne` and `Together` give the same numbers up to rounding; `of_group` chooses.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import tensorflow as tf

from taskset.execution.copies import CopiesLoop, NotBatched
from taskset.execution.divergence import has_diverged
from taskset.execution.loop import Loop
from taskset.execution.modes import copies_pay
from taskset.optimizers.base import hparams_of

if TYPE_CHECKING:
    from taskset.normalization.sweep.options import SweepOptions
    from taskset.normalization.sweep.runner import Account
    from taskset.optimizers.base import Optimizer
    from taskset.tasks.base import Task

Losses: TypeAlias = dict[str, dict[str, float]]  # {optimizer: {split: loss}}


class RunGroup(Protocol):
    """The runs of one seed as a sweep advances them: `OneByOne`, `Together`, and what optimizers of other frameworks bring."""

    @property
    def group(self) -> Sequence[Any]: ...  # optimizers with `name` and `rule`

    @property
    def copies(self) -> int: ...  # runs in one program

    def start(self, seed: int, account: Account) -> None:
        """All runs at step 0; account: the `Account` of the time."""

    def losses(self, live: Sequence[str], account: Account) -> Losses:
        """{optimizer: {split: loss}} of those named in `live`, where they are now."""

    def advance(self, live: Sequence[str], steps: int, account: Account) -> None:
        """Take `steps` steps of the runs named in `live`."""

    def seconds(self, name: str) -> float:
        """CPU seconds of a run's training so far, its share of drawing the batches included."""


def of_group(
    task: Task, group: Sequence[Optimizer], interval: int, options: SweepOptions, account: Account, mode: str | None = None
) -> RunGroup:
    """`Together` where that is faster and every operation of the task can be batched, else `OneByOne`.

    mode: of `taskset.execution.modes.MODES`, for runs one by one in that mode; None: the fastest way. The choice depends on the
    kinds of operations in the task's graph alone: any other error is raised.
    """
    own = getattr(group[0], "runs", None)  # of an optimizer that steps in another framework (`taskset.scoring.adapters`)
    if own is not None:
        return own(task, group, interval, options, mode)
    alone = getattr(group[0], "uses_validation_loss", False)  # a loss of one run's parameters at a time
    if mode is None and len(group) > 1 and not alone and copies_pay(task.data):
        together = Together(task, group, interval, options)
        try:
            together.start(options.seeds[0], account)
            return together
        except NotBatched:
            pass
    return OneByOne(task, group, interval, options, mode)


def evaluations(
    group: RunGroup, horizons: Mapping[str, int], interval: int, seed: int, account: Account
) -> Iterator[tuple[int, Losses]]:
    """(step, {optimizer: {split: loss}}) every `interval` steps of the runs of a seed, to the longest of the horizons.

    horizons: {optimizer: steps of its run}. A run is there up to its horizon or its first evaluation that diverged.
    """
    group.start(seed, account)
    live = list(horizons)
    for step in range(0, max(horizons.values()) + 1, interval):
        live = [name for name in live if step <= horizons[name]]
        if step and live:
            group.advance(live, interval, account)
        losses = group.losses(live, account) if live else {}
        yield step, losses
        live = [name for name in live if not has_diverged(list(losses[name].values()))]


class OneByOne:
    """Each run in a program of its own. A chunk of batches is drawn once for all of them."""

    copies = 1

    def __init__(
        self, task: Task, group: Sequence[Optimizer], interval: int, options: SweepOptions, mode: str | None = None
    ) -> None:
        self.group, self.options, self.loop = group, options, Loop(task, group[0], interval, mode)
        self._hparams = {o.name: hparams_of(o, options.steps) for o in group}

    def start(self, seed: int, account: Account) -> None:
        """All runs at step 0; account: the `Account` of the time."""
        with account("start"):
            first = self.loop.start(seed)
        with account("compile"):
            self.loop.compile(first, self._hparams[self.group[0].name])
        with account("draw"):
            self._evaluate = self.loop.evaluation(seed, self.options.batches)
        with account("compile"):
            self._initial = self._evaluate(first.params)
        self._runs = {o.name: dataclasses.replace(first) for o in self.group}

    def losses(self, live: Sequence[str], account: Account) -> Losses:
        """{optimizer: {split: loss}} of those named in `live`, where they are now."""
        with account("evaluate"):
            return {n: self._judged(n) if self._runs[n].step else self._initial for n in live}

    def _judged(self, name: str) -> dict[str, float]:
        return self._evaluate(self.loop.evaluated(self._runs[name], self._hparams[name]))

    def advance(self, live: Sequence[str], steps: int, account: Account) -> None:
        """Take `steps` steps of the runs named in `live`."""
        first = self._runs[live[0]].step
        for begin in range(first, first + steps, self.loop.chunk):
            count = min(self.loop.chunk, first + steps - begin)
            began = time.process_time()
            with account("draw"):
                raw = self.loop.draw(self._runs[live[0]].seed, begin)
            share = (time.process_time() - began) / len(live)
            with account("train"):
                for name in live:
                    self._runs[name].seconds += share
                    self.loop.train(self._runs[name], self._hparams[name], count, raw)

    def seconds(self, name: str) -> float:
        """CPU seconds of a run's training so far, its share of drawing the batches included."""
        return self._runs[name].seconds


class Together:
    """All runs in one program (`CopiesLoop`). A run that has diverged continues, unused, and without effect on the others."""

    def __init__(self, task: Task, group: Sequence[Optimizer], interval: int, options: SweepOptions) -> None:
        self.group, self.options, self.copies = group, options, len(group)
        self.loop = CopiesLoop(task, group[0], self.copies, interval)
        each = [hparams_of(o, options.steps) for o in group]
        self._hparams = {name: [hparams[name] for hparams in each] for name in each[0]}
        self._tensors = {name: tf.constant(values, tf.float32) for name, values in self._hparams.items()}
        self._place = {o.name: i for i, o in enumerate(group)}

    def start(self, seed: int, account: Account) -> None:
        """As `OneByOne.start`."""
        with account("start"):
            self._run = self.loop.start(seed)
        with account("compile"):
            self.loop.compile(self._run, self._hparams)
        with account("draw"):
            self._evaluate = self.loop.evaluation(seed, self.options.batches)
        with account("compile"):
            self._evaluate(self.loop.evaluated(self._run, self._tensors))

    def losses(self, live: Sequence[str], account: Account) -> Losses:
        """As `OneByOne.losses`."""
        with account("evaluate"):
            judged = self.loop.evaluated(self._run, self._tensors) if self._run.step else self._run.params
            found = self._evaluate(judged)
        return {name: {split: values[self._place[name]] for split, values in found.items()} for name in live}

    def advance(self, live: Sequence[str], steps: int, account: Account) -> None:
        """As `OneByOne.advance`; runs that are not live take their steps too."""
        del live
        goal = self._run.step + steps
        while self._run.step < goal:
            began = time.process_time()
            with account("draw"):
                raw = self.loop.draw(self._run.seed, self._run.step)
            self._run.seconds += time.process_time() - began
            with account("train"):
                self.loop.train(self._run, self._hparams, min(self.loop.chunk, goal - self._run.step), raw)

    def seconds(self, name: str) -> float:
        """CPU seconds of a run's training so far: its share of that of all runs."""
        del name
        return self._run.seconds / self.copies
