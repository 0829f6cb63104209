"""What a sample of tasks says of all tasks: mean, median, interquartile mean, with bootstrap intervals over the tasks.

As Agarwal et al. 2021 (arXiv 2108.13264) ask for. The same resamples serve all rivals: their differences are paired.
"""

import numpy as np

from taskset.random import seeds

RESAMPLES = 5000
LEVEL = 0.95


def interquartile_mean(x, axis=-1):
    """The mean of what is left when a quarter of the values (rounded down) is cut off at either end."""
    x = np.sort(np.asarray(x, np.float64), axis=axis)
    cut = x.shape[axis] // 4
    return np.take(x, np.arange(cut, x.shape[axis] - cut), axis=axis).mean(axis=axis)


def mean(x, axis=-1):
    """The mean."""
    return np.mean(x, axis=axis)


def median(x, axis=-1):
    """The median."""
    return np.median(x, axis=axis)


STATISTICS = {"mean": mean, "median": median, "IQM": interquartile_mean}


def resamples(tasks, seed=0):
    """[RESAMPLES, tasks] indices, drawn with replacement."""
    return seeds.generator(seed, "bootstrap", tasks).integers(tasks, size=(RESAMPLES, tasks))


def interval(x, statistic, seed=0):
    """(low, high): the percentile interval of `statistic(x)` for x [tasks]; its width says what other tasks could have given."""
    values = statistic(np.asarray(x, np.float64)[resamples(len(x), seed)], axis=-1)
    return tuple(np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
