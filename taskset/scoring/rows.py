"""The rows of a score's table: an optimizer with a number of trials, and what it reached on each task."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from taskset.scoring import run_scores, statistics
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
    (`taskset.scoring.speedup.relative_speed`)}, empty where there is no Adam; relative: a step's cost, that of Adam's being 1;
    key: of a row of the baselines, that of its `taskset.scoring.rivals.Rule`.
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
    key: str = ""

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


def rows_of_list(
    frame: pd.DataFrame, title: str, names: Sequence[str], own: bool = False, speeds: pd.DataFrame | None = None
) -> list[Row]:
    """`Row`s at BUDGETS and with all of `names`, trials in the order in which they are made: the first k are tried.

    frame: of `run_scores.scores`; speeds: index task, one column per optimizer.
    """
    return _rows(frame, title, names, best_of_first, lambda trials: names[:trials], own, speeds)


def rows_of_drawn(
    frame: pd.DataFrame, title: str, names: Sequence[str], own: bool = False, speeds: pd.DataFrame | None = None
) -> list[Row]:
    """As `rows_of_list` for trials that were drawn at random: k of them are any k, and all runs are counted in each row."""
    return _rows(frame, title, names, expected_of_best, lambda trials: names, own, speeds)


Pick: TypeAlias = Callable[[np.ndarray, np.ndarray, int], float]  # as `best_of_first`


def _rows(
    frame: pd.DataFrame,
    title: str,
    names: Sequence[str],
    pick: Pick,
    counted: Callable[[int], Sequence[str]],
    own: bool,
    speeds: pd.DataFrame | None,
) -> list[Row]:
    """counted: of a row with so many trials, those whose runs it counts."""
    means = run_scores.means(frame)[list(names)]
    order = run_scores.places(frame)[list(names)]
    splits = set(means.index.get_level_values("split"))
    counts = frame[frame["split"] == "train"].groupby("optimizer")["diverged"].agg(["sum", "size"])
    rows = []
    for trials in sorted({k for k in BUDGETS if k < len(names)} | {len(names)}):
        values = {
            split: _picked(pick, order.loc[by], means.loc[split], trials) for split, by in CHOSEN_BY.items() if split in splits
        }
        fast = {} if speeds is None else _picked(pick, order.loc["train"], speeds[list(names)], trials)
        diverged, runs = counts.loc[list(counted(trials))].sum()
        rows.append(Row(title, trials, values, int(diverged), int(runs), own=own, speeds=fast))
    return rows


def _picked(pick: Pick, looked_at: pd.DataFrame, scored: pd.DataFrame, trials: int) -> dict[str, float]:
    """{task: number of `scored`} of the tasks that both frames have; frames: index task, one column per trial."""
    tasks = [task for task in scored.index if task in looked_at.index]
    return {task: pick(looked_at.loc[task].to_numpy(), scored.loc[task].to_numpy(), trials) for task in tasks}


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
