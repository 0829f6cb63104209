"""Many optimizers on one task after the other, in as few compiled programs as there are rules; curves in files, resumable.

Compiling costs more than training a tiny task, so what differs between runs of a rule is an argument of its program: learning
rates and schedules, the weights of a learned optimizer (`table`), and the planned number of steps (`AtHorizon`). Each run stops
at its own horizon. Used by `tools.one_run.stage0` and `tools.one_run`.

    DIRECTORY/plan.json           the names of the optimizers, digests of weights, seeds, batches, interval, source, version
    DIRECTORY/TASK.parquet        task, optimizer, horizon, seed, step, losses of the four splits, diverged
    DIRECTORY/TASK.json           CPU seconds by purpose
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from taskset.catalogue import get_task
from taskset.datasets.base import SPLITS
from taskset.errors import ConfigError
from taskset.execution.divergence import has_diverged
from taskset.files import settle, whole_file, write_text
from taskset.version import __version__

if TYPE_CHECKING:
    from learned.optimizers.base import LearnedOptimizer
    from learned.types import Arrays
    from taskset.optimizers.base import Optimizer
    from taskset.scoring.suites.suite import Suite

EVALUATIONS = 50  # intervals between them, as in the package's baselines
SEPARATOR = "@"
PLACES = 4  # for weights in a table, whose size is a multiple of it


class AtHorizon:
    """`optimizer` for runs of `horizon` steps, whatever the length of the loop that it runs in."""

    def __init__(self, optimizer: Optimizer, horizon: int) -> None:
        self.optimizer, self.horizon = optimizer, horizon
        self.name = f"{optimizer.name}{SEPARATOR}{horizon}"

    def hparams(self, horizon: int) -> dict[str, float]:
        """Those of the optimizer's own horizon."""
        del horizon
        return self.optimizer.hparams(self.horizon)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.optimizer, name)


@dataclass(frozen=True, eq=False)
class OfTable:
    """One of several sets of weights of a learned optimizer: which of them is a hyperparameter. Made by `table`."""

    learned: LearnedOptimizer
    weights: Arrays
    which: int
    name: str
    rule: str
    uses_loss = True

    def own(self) -> Arrays:
        """Its set of weights alone."""
        return {path: w[self.which] for path, w in self.weights.items()}

    def hparams(self, horizon: int) -> dict[str, float]:
        """The number of the set of weights, and the number of steps of the run."""
        return {"which": float(self.which), "horizon": float(horizon)}

    def init(self, params):
        """The state before the first step. It has the weights, so that the program is the same for all of them."""
        import tensorflow as tf

        dtype = next(iter(params.values())).dtype
        weights = {path: tf.constant(w, dtype) for path, w in self.weights.items()}
        return {"learned": self.learned.init(None, params), "weights": weights}

    def update(self, grads, state, params, step, hparams, loss):
        """(params, state) after one more step; loss: the train loss."""
        import tensorflow as tf

        dtype = next(iter(params.values())).dtype
        place = tf.cast(tf.round(hparams["which"]), tf.int32)
        theta = {path: tf.gather(w, place) for path, w in state["weights"].items()}
        planned = self.learned.planned(hparams["horizon"], dtype)
        losses = self.learned.shown(loss, None)  # a rule that reads a validation loss fails: there is none
        params, after = self.learned.update(theta, grads, state["learned"], params, step, *losses, **planned)
        return params, {"learned": after, "weights": state["weights"]}


def table(learned: LearnedOptimizer, weights: dict[str, Arrays]) -> list[OfTable]:
    """Optimizers of one rule, one for each of the named weights. The initial state must not depend on them."""
    sets = list(weights.values())
    sets += sets[:1] * (-len(sets) % PLACES)  # tables of one size have one program, in the cache on disk as well
    stacked = {path: np.stack([np.asarray(one[path]) for one in sets]) for path in learned.shapes}
    rule = f"{learned.name}/{len(sets)}"
    return [OfTable(learned, stacked, i, name, rule) for i, name in enumerate(weights)]


def run(
    suite: Suite,
    tasks: Sequence[str],
    optimizers: Iterable[Optimizer],
    horizons: Sequence[int],
    out: Path,
    *,
    seeds: Sequence[int] = (0, 1),
    batches: int = 5,
    say: Callable[[str], None] = print,
) -> pd.DataFrame:
    """The curves of all tasks; those that are in `out` are not made again. Raises `StoreError` where `out` is of other runs."""
    from taskset.datasets.sharing import release_pages
    from taskset.execution.memory import return_memory

    runs = [AtHorizon(optimizer, horizon) for optimizer in optimizers for horizon in horizons]
    interval = interval_of(suite)
    if uneven := [horizon for horizon in horizons if horizon % interval]:
        raise ConfigError(f"horizon {uneven[0]}: allowed are multiples of {interval}, the steps between evaluations")
    plan = {"optimizers": [one.name for one in runs], "seeds": list(seeds), "batches": batches, "interval": interval}
    plan |= {"weights": _digests(runs), "source": suite.source, "version": __version__}
    settle(out / "plan.json", plan, "plan")
    frames = []
    for number, task in enumerate(tasks):
        path = out / f"{task}.parquet"
        if not path.exists():
            frame, seconds = _of_task(task, suite.source, runs, seeds, batches, interval)
            write_json(seconds, path.with_suffix(".json"))
            with whole_file(path) as temporary:
                frame.to_parquet(temporary)
            release_pages()
            return_memory()
            say(f"{number + 1} of {len(tasks)}: {task}, " + ", ".join(f"{k} {v:.0f} s" for k, v in seconds.items()))
        frames.append(pd.read_parquet(path))
    return pd.concat(frames, ignore_index=True)


def _digests(runs: Sequence[AtHorizon]) -> dict[str, str]:
    """{optimizer: digest of its weights} of those that have some: files of other weights of that name are no part of a table."""
    from learned.outer_training.checkpoint import digest

    tables = {run.optimizer.name: run.optimizer for run in runs if isinstance(run.optimizer, OfTable)}
    return {name: digest(one.own()) for name, one in tables.items()}


def interval_of(suite: Suite) -> int:
    """The number of steps between evaluations, for all horizons: a fiftieth of the suite's, as in the package's baselines."""
    return max(1, suite.horizon // EVALUATIONS)


def write_json(values: Any, path: Path) -> None:
    """Write JSON values, whole or not at all."""
    write_text(json.dumps(values, indent=1) + "\n", path)


def _of_task(name, source, runs, seeds, batches, interval):
    """(frame of curves, {purpose: CPU seconds}) of one task."""
    from taskset.normalization.sweep import run_groups
    from taskset.normalization.sweep.options import SweepOptions
    from taskset.normalization.sweep.runner import Account, by_rule

    account, longest = Account(), max(one.horizon for one in runs)
    with account("build"):
        task = get_task(name, source)
    options = SweepOptions(tuple(one.name for one in runs), source, longest, tuple(seeds), batches, longest // interval)
    rows = []
    for members in by_rule(runs):
        group = run_groups.of_group(task, members, interval, options, account)
        horizons = {one.name: one.horizon for one in members}
        for seed in seeds:
            for step, losses in run_groups.evaluations(group, horizons, interval, seed, account):
                for one in members:
                    if one.name in losses:
                        found = [losses[one.name][split] for split in SPLITS]
                        rows.append((name, one.optimizer.name, one.horizon, seed, step, *found))
    frame = pd.DataFrame(rows, columns=["task", "optimizer", "horizon", "seed", "step", *SPLITS])
    return filled(frame, interval), {purpose: round(spent, 1) for purpose, spent in account.seconds.items()}


def filled(frame: pd.DataFrame, interval: int) -> pd.DataFrame:
    """Whole curves with a column `diverged`: a run that ended at a loss that isn't finite has NaN from there on."""
    parts = []
    for (task, optimizer, horizon, seed), run in frame.groupby(["task", "optimizer", "horizon", "seed"], sort=False):
        whole = run.set_index("step")[list(SPLITS)].reindex(range(0, horizon + 1, interval))
        whole["diverged"] = has_diverged(whole.to_numpy())
        whole.loc[whole["diverged"], list(SPLITS)] = np.nan
        parts.append(whole.reset_index().assign(task=task, optimizer=optimizer, horizon=horizon, seed=seed))
    return pd.concat(parts, ignore_index=True)
