"""One run with its losses at a few steps, and what its steps and its compilation took."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from taskset.execution.divergence import has_diverged
from taskset.execution.loop import Loop, calls, default_interval
from taskset.optimizers.base import Optimizer, hparams_of
from taskset.tasks.base import Task

EVALUATIONS = 4  # equal parts of a run, as far as it has steps


@dataclass(frozen=True)
class MeasuredRun:
    """What a run gave and took.

    losses: {step: {split: mean loss}} at step 0 and after each of EVALUATIONS parts of the run; seconds: CPU time of its steps,
    of all threads; compiled: seconds before the first step, of compilation and the first evaluation.
    """

    losses: dict[int, dict[str, float]]
    seconds: float
    compiled: float

    @property
    def diverged(self) -> bool:
        """Whether a loss at the end is not finite."""
        return bool(has_diverged(list(self.losses[max(self.losses)].values())))


def measured_run(
    task: Task,
    optimizer: Optimizer,
    steps: int,
    seed: int = 0,
    mode: str | None = None,
    batches: int = 10,
    report: Callable[[int, float], object] = lambda step, loss: None,
) -> MeasuredRun:
    """Train a task from its start for `steps` steps.

    mode: one of `taskset.execution.modes.MODES`; None: by `execution_mode`. batches: of each split in an evaluation.
    report: called after each call of the compiled loop as report(step, mean train loss of its steps).
    Raises: ConfigError for a mode or a seed that is none.
    """
    interval = default_interval(steps)
    loop = Loop(task, optimizer, interval, mode)
    run, hparams = loop.start(seed), hparams_of(optimizer, steps)
    start = time.perf_counter()
    evaluate = loop.evaluation(seed, batches)
    found = {0: evaluate(run.params)}
    loop.compile(run, hparams)
    compiled = time.perf_counter() - start
    for count, raw in calls(loop, seed, steps, interval):
        losses = loop.train(run, hparams, count, raw)
        report(run.step, float(losses.mean()))
        if run.step >= steps * len(found) / EVALUATIONS:
            found[run.step] = evaluate(loop.evaluated(run, hparams))
    return MeasuredRun(found, run.seconds, compiled)
