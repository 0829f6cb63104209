"""Normalizers of the tasks of a suite that have none yet: measured by the sweep that baselines are made with. No TensorFlow."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from taskset.errors import ConfigError
from taskset.normalization.store import normalizers_of
from taskset.normalization.sweep.options import BATCHES, EVALUATIONS, SEEDS, SweepOptions
from taskset.random.seeds import first_seeds
from taskset.samplers.optimizers import adam_rates
from taskset.scoring import suites
from taskset.scoring.suites.suite import Suite


def equal_intervals(horizon: int) -> list[int]:
    """The numbers of equal intervals between evaluations of a run of `horizon` steps, at most EVALUATIONS, the most first."""
    return [n for n in range(min(EVALUATIONS, horizon), 0, -1) if horizon % n == 0]


def options(suite: Suite) -> SweepOptions:
    """The options of the sweep: Adam's 17 learning rates over the suite's horizon, 2 seeds, 5 batches per evaluation."""
    evaluations = equal_intervals(suite.horizon)[0]
    return SweepOptions(tuple(adam_rates()), suite.source, suite.horizon, first_seeds(SEEDS), BATCHES, evaluations)


def completed(
    suite: Suite, root: str | Path, sweep: Callable[[Sequence[str], SweepOptions, str | Path], Collection[str]]
) -> Suite:
    """The suite with the scales of all its tasks; those that have none are measured first.

    root: directory of the curves and normalizers; what it has is not recomputed. sweep: `(names, options, root)` that
    makes them, and gives the tasks that failed. Raises `ConfigError` where a measured task has no normalizer.
    """
    waiting = suite.unmeasured
    if not waiting:
        return suite
    if sweep(waiting, options(suite), root):
        raise ConfigError(f"suite {suite.name!r} couldn't be measured: take the tasks that failed out of it, or try again")
    found = suites.scales(normalizers_of(root)[0], suite.source, suite.horizon)
    without = [task for task in waiting if task not in found]
    if without:
        raise ConfigError(
            f"suite {suite.name!r}: {', '.join(without)} can't be normalized: allowed are tasks that can run, with a finite "
            f"initial loss that some Adam gets below in {suite.horizon} steps; take these out of the suite"
        )
    return replace(suite, tasks=tuple(e if e.scales else replace(e, scales=found[e.task]) for e in suite.tasks))
