"""The draws that published configs are made of.

A config is one sequence of draws from one `numpy.random.RandomState`, whose stream NumPy has frozen (NEP 19). All draws are plain
Python values, so that configs are JSON.
"""

import math
from collections.abc import Mapping
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Draws:
    """Draws from `RandomState(seed)`, in the order of the calls.

    Scalars are transformed by `math.exp` and `math.log`: the last bit of `numpy.exp` sometimes differs from the published values.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.RandomState(seed)

    def choice(self, *values: T) -> T:
        """One of `values`, all equally likely."""
        return values[int(self._rng.choice(len(values)))]

    def wchoice(self, weights: Mapping[str, float]) -> str:
        """One key of `weights` ({name: weight}), with probability weight / sum; the names are sorted first."""
        names = sorted(weights)
        w = np.array([weights[name] for name in names], dtype=float)
        return names[int(self._rng.choice(len(names), p=w / w.sum()))]

    def uniform(self, low: float, high: float) -> float:
        """A float, uniform in [low, high)."""
        return float(self._rng.uniform(low, high))

    def normal(self, mean: float, std: float) -> float:
        """A float from N(mean, std^2)."""
        return float(self._rng.normal(mean, std))

    def randint(self, low: int, high: int) -> int:
        """An integer, uniform in low .. high - 1."""
        return int(self._rng.randint(low, high))

    def bernoulli(self, p: float) -> bool:
        """True with probability `p`."""
        return self.uniform(0, 1) < p

    def log_float(self, low: float, high: float) -> float:
        """exp(u), u uniform between log(low) and log(high); low > high is allowed."""
        return math.exp(self.uniform(math.log(low), math.log(high)))

    def log_int(self, low: float, high: float) -> int:
        """`log_float`, rounded (half to even)."""
        return round(self.log_float(low, high))

    def linear_int(self, low: float, high: float) -> int:
        """`uniform`, rounded (half to even): the two ends are half as likely as the other values."""
        return round(self.uniform(low, high))

    def log_ints(self, n: int, low: float, high: float) -> list[int]:
        """A list of `n` values of `log_int`."""
        return [self.log_int(low, high) for _ in range(n)]
