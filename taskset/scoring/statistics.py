"""Estimates for all tasks from a sample of them: mean, median, interquartile mean, with bootstrap intervals over tasks.

Agarwal et al. 2021 (arXiv 2108.13264) ask for the interquartile mean and for intervals. Theirs resample the runs of each task:
they show what other runs of the same tasks could have given. Here the seeds of a task are averaged first, and tasks are
resampled: what other tasks could have given. The same resamples serve all rivals: their differences are paired.
"""

import functools
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from taskset.errors import counted
from taskset.random import seeds

RESAMPLES = 5000
LEVEL = 0.95
FEW = 20  # tasks: below, intervals cover clearly less than LEVEL


def interquartile_mean(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """The mean of what is left when a quarter of the values (rounded down) is cut off at either end."""
    x = np.sort(np.asarray(x, np.float64), axis=axis)
    cut = x.shape[axis] // 4
    return np.take(x, np.arange(cut, x.shape[axis] - cut), axis=axis).mean(axis=axis)


def mean(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """The mean."""
    return np.mean(x, axis=axis)


def median(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """The median."""
    return np.median(x, axis=axis)


def worst_quarter(x: np.ndarray) -> float:
    """The mean of the quarter of the values x [tasks], rounded up, that are highest: of losses, the worst."""
    x = np.sort(np.asarray(x, np.float64))
    return float(x[-max(1, -(-len(x) // 4)) :].mean())


def won(mine: ArrayLike, theirs: ArrayLike) -> float:
    """The share of tasks on which the losses `mine` [tasks] are below `theirs` [tasks]; equal ones count half."""
    return float(np.mean(0.5 + 0.5 * np.sign(np.subtract(theirs, mine))))


Statistic = Callable[..., np.ndarray]  # (x, axis)
STATISTICS: dict[str, Statistic] = {"mean": mean, "median": median, "IQM": interquartile_mean}


@functools.lru_cache(maxsize=4)  # a table asks for the same ones in every cell
def resamples(tasks: int, seed: int = 0) -> np.ndarray:
    """[RESAMPLES, tasks] indices, drawn with replacement; read-only."""
    drawn = seeds.generator(seed, "bootstrap", tasks).integers(tasks, size=(RESAMPLES, tasks))
    drawn.flags.writeable = False
    return drawn


def interval(x: np.ndarray, statistic: Statistic, seed: int = 0) -> tuple[float, float]:
    """(low, high): the percentile interval of `statistic(x)` for x [tasks]; its width shows what other tasks could have given."""
    values = statistic(np.asarray(x, np.float64)[resamples(len(x), seed)], axis=-1)
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return low, high


def share_interval(x: np.ndarray) -> tuple[float, float]:
    """(low, high): an interval of the mean of shares x [tasks], each from 0 to 1.

    It is that of `interval`, except where all shares are 0, or all are 1: resampling would leave it no width. There it is the
    exact one for a proportion (Clopper and Pearson 1934): after n shares of 0, from 0 to b = 1 - .025^(1/n). Were the mean of all
    tasks larger than b, then so were the proportion of tasks that have more than 0, and n tasks without any were a case of
    probability below (1 - b)^n = .025.
    """
    x = np.asarray(x, np.float64)
    beyond = 1 - ((1 - LEVEL) / 2) ** (1 / len(x))
    if (x == 0).all():
        return 0.0, beyond
    if (x == 1).all():
        return 1 - beyond, 1.0
    return interval(x, mean)


class Estimate(NamedTuple):
    """A value with the ends of its interval."""

    value: float
    low: float
    high: float

    def text(self, form: str = ".3f") -> str:
        """ "value [low, high]", as tables show it. form: of each number."""
        return f"{self.value:{form}} [{self.low:{form}}, {self.high:{form}}]"


def estimate(x: np.ndarray, statistic: Statistic = mean) -> Estimate:
    """A statistic of x [tasks], with its `interval`."""
    return Estimate(float(statistic(x)), *map(float, interval(x, statistic)))


def narrow(counts: Iterable[int]) -> list[str]:
    """A note where intervals over so few tasks are too narrow, as those of the percentile bootstrap are.

    counts: numbers of tasks, of each row and split. The shares are those of intervals that hold what they estimate, over normal
    and exponential samples.
    """
    few = sorted({count for count in counts if 0 < count < FEW})
    if not few:
        return []
    count = f"{few[0]} to {few[-1]} tasks" if len(few) > 1 else counted(few[0], "task")
    return [f"over {count} the intervals are too narrow: nominally {LEVEL:.0%}, but some 50% for 2 tasks, 85% for 7, 90% for 13"]
