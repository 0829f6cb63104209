"""The rows of a score's table: an optimizer with a number of trials, and what it reached on each task."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from taskset.scoring import statistics
from taskset.scoring.statistics import Estimate

if TYPE_CHECKING:
    import pandas as pd

BUDGETS = (1, 10, 100)
CHOSEN_BY = {"train": "train", "test": "valid_outer"}  # split of the score: split by which trials are chosen


@dataclass(frozen=True)
class Row:
    """An optimizer with a number of trials.

    values: {split: {task: normalized loss, mean over seeds}}; diverged, runs: counts of all that was run; milliseconds: of a
    step, None where it isn't known; own: whether it is the candidate's; speeds: {task: speed-up against tuned Adam
    (`taskset.scoring.speedup.relative_speed`)}, empty where there is no Adam; relative: a step's cost, that of Adam's being 1.
    """

    title: str
    trials: int
    values: dict[str, dict[str, float]]
    diverged: int
    runs: int
    milliseconds: float | None = None
    own: bool = False
    speeds: Mapping[str, float] | None = None
    relative: float | None = None

    def summary(self, split: str) -> dict[str, Estimate]:
        """{statistic: `Estimate` over tasks}."""
        values = np.array(list(self.values[split].values()))
        return {name: statistics.estimate(values, statistic) for name, statistic in statistics.STATISTICS.items()}

    def won(self, split: str, other: Row) -> float:
        """The share of tasks whose loss is below the other row's; equal ones count half."""
        mine, theirs = self.values[split], other.values[split]
        return statistics.won(list(mine.values()), [theirs[task] for task in mine])

    def speed_up(self) -> Estimate | None:
        """The median over tasks of `speeds`; None where there are none."""
        return statistics.estimate(np.array(list(self.speeds.values())), statistics.median) if self.speeds else None


def rows_of(
    frame: pd.DataFrame,
    title: str,
    names: Sequence[str],
    drawn: bool,
    own: bool = False,
    speeds: pd.DataFrame | None = None,
) -> list[Row]:
    """`Row`s at BUDGETS and with all of `names`, trials in order.

    frame: of `run_scores.scores`; drawn: whether the trials were drawn at random; speeds: index task, one column per optimizer.
    """
    means = frame.groupby(["split", "task", "optimizer"])["score"].mean().unstack()[list(names)]
    over = frame[frame["split"] == "train"]
    counts = over.groupby("optimizer")["diverged"].agg(["sum", "size"])
    pick: Callable[[np.ndarray, np.ndarray, int], float] = expected_of_best if drawn else best_of_first
    rows = []
    for trials in sorted({k for k in BUDGETS if k < len(names)} | {len(names)}):
        values = {}
        for split, by in CHOSEN_BY.items():
            if split not in means.index.get_level_values("split"):
                continue
            looked_at, scored = means.loc[by], means.loc[split]
            tasks = [task for task in scored.index if task in looked_at.index]
            values[split] = {task: pick(looked_at.loc[task].to_numpy(), scored.loc[task].to_numpy(), trials) for task in tasks}
        part = counts if drawn else counts.loc[list(names[:trials])]
        fast = {}
        if speeds is not None:
            train, each = means.loc["train"], speeds[list(names)]
            tasks = [task for task in train.index if task in each.index]
            fast = {task: pick(train.loc[task].to_numpy(), each.loc[task].to_numpy(), trials) for task in tasks}
        rows.append(Row(title, trials, values, int(part["sum"].sum()), int(part["size"].sum()), own=own, speeds=fast))
    return rows


def best_of_first(looked_at: np.ndarray, scored: np.ndarray, trials: int) -> float:
    """The score of the trial with the lowest value of `looked_at`, of the first `trials`; arrays [trials in all]."""
    return float(scored[np.argmin(looked_at[:trials])])


def expected_of_best(looked_at: np.ndarray, scored: np.ndarray, trials: int) -> float:
    """The mean of `best_of_first` over all choices of `trials` out of n: the i-th lowest is chosen with probability
    C(n - 1 - i, trials - 1) / C(n, trials), i = 0, 1, .."""
    order = np.argsort(looked_at, kind="stable")
    return float(np.dot(_chances(len(looked_at), trials), scored[order]))


@functools.lru_cache
def _chances(n: int, trials: int) -> np.ndarray:
    return np.array([math.comb(n - 1 - i, trials - 1) / math.comb(n, trials) for i in range(n)])
