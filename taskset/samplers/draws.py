"""The draws that published configs are made of.

A config is one sequence of draws from one `numpy.random.RandomState`, whose stream NumPy has frozen (NEP 19). Everything that is
drawn is a plain Python value, so that configs are JSON as they stand.
"""

import math

import numpy as np


class Draws:
    """Draws from `RandomState(seed)`, in the order of the calls.

    Scalars are transformed by `math.exp` and `math.log`: `numpy.exp` has its own implementation, which differs from the published
    values in the last bit now and then.
    """

    def __init__(self, seed):
        self._rng = np.random.RandomState(seed)

    def choice(self, *values):
        """One of `values`, all equally likely."""
        return values[int(self._rng.choice(len(values)))]

    def wchoice(self, weights):
        """One key of `weights` ({name: weight}), with probability weight / sum; the names are put in order first."""
        names = sorted(weights)
        w = np.array([weights[name] for name in names], dtype=float)
        return names[int(self._rng.choice(len(names), p=w / w.sum()))]

    def uniform(self, low, high):
        """A float, uniform in [low, high)."""
        return float(self._rng.uniform(low, high))

    def normal(self, mean, std):
        """A float from N(mean, std^2)."""
        return float(self._rng.normal(mean, std))

    def randint(self, low, high):
        """An integer, uniform in low .. high - 1."""
        return int(self._rng.randint(low, high))

    def bernoulli(self, p):
        """True with probability `p`."""
        return self.uniform(0, 1) < p

    def log_float(self, low, high):
        """exp(u), u uniform between log(low) and log(high); low > high is allowed."""
        return math.exp(self.uniform(math.log(low), math.log(high)))

    def log_int(self, low, high):
        """`log_float`, rounded (half to even)."""
        return round(self.log_float(low, high))

    def linear_int(self, low, high):
        """`uniform`, rounded (half to even): both ends are half as likely as the others."""
        return round(self.uniform(low, high))

    def log_ints(self, n, low, high):
        """A list of `n` values of `log_int`."""
        return [self.log_int(low, high) for _ in range(n)]
