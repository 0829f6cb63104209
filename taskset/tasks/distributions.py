"""What a parameter is drawn from, as data: `python -m taskset show NAME --starts` prints it, tests hold the draws against it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

# A normal distribution that is cut off at two standard deviations keeps .8796 of its standard deviation.
TRUNCATION = 0.87962566103423978
MASKED = "masked entries 0"  # the note of a tensor that is multiplied by a mask


Number: TypeAlias = float | tuple[float, ...]  # of all entries, or of each


@dataclass(frozen=True)
class Distribution:
    """The law of the entries of one parameter at the start of training.

    name: "normal", "truncated normal", "uniform", "orthogonal", "identity", "constant" or "given" (numbers no seed changes).
    mean, stddev: of an entry that is not masked (None for the identity); a tuple where each entry has its own.
    bounds: (lowest, highest) value, tuples where each entry has its own; None for an unbounded law.
    note: anything else worth knowing.
    """

    name: str
    mean: Number | None
    stddev: Number | None
    bounds: tuple[Number, Number] | None = None
    note: str = ""

    def __str__(self) -> str:
        """For people: "truncated normal, stddev 0.0635"."""
        if self.name == "uniform" and self.bounds:
            terms = [f"from {_shown(self.bounds[0])} to {_shown(self.bounds[1])}"]
        elif self.name == "constant":
            return " ".join(filter(None, [f"constant {_shown(self.mean)}", self.note]))
        else:
            terms = [f"mean {_shown(self.mean)}"] if self.mean else []
            terms += [f"stddev {_shown(self.stddev)}"] if self.stddev is not None else []
        return ", ".join(filter(None, [self.name, *terms, self.note]))

    def shifted(self, offset: float) -> Distribution:
        """The law of an entry plus a number."""
        return self._mapped(lambda value: np.add(value, offset), lambda stddev: stddev)

    def scaled(self, factor: float) -> Distribution:
        """The law of `factor` > 0 times an entry."""
        times = lambda value: np.multiply(value, factor)  # noqa: E731
        return self._mapped(times, times)

    def _mapped(self, value: Callable[[Number], ArrayLike], stddev: Callable[[Number], ArrayLike]) -> Distribution:
        """The law after `value` is applied to its mean and bounds, and `stddev` to its standard deviation."""
        bounds = None if self.bounds is None else (_number(value(self.bounds[0])), _number(value(self.bounds[1])))
        mean = None if self.mean is None else _number(value(self.mean))
        deviation = None if self.stddev is None else _number(stddev(self.stddev))
        return Distribution(self.name, mean, deviation, bounds, self.note)


def normal(mean: float, stddev: float) -> Distribution:
    """N(mean, stddev^2)."""
    return Distribution("normal", mean, stddev)


def truncated_normal(stddev: float) -> Distribution:
    """N(0, stddev^2) cut off at two standard deviations, which leaves .8796 of `stddev`."""
    return Distribution("truncated normal", 0.0, TRUNCATION * stddev, (-2.0 * stddev, 2.0 * stddev))


def uniform(low: ArrayLike, high: ArrayLike) -> Distribution:
    """U[low, high); `low` and `high` are numbers, or one number per entry."""
    low, high = np.broadcast_arrays(np.asarray(low, float), np.asarray(high, float))
    return Distribution("uniform", _number((low + high) / 2), _number((high - low) / 12**0.5), (_number(low), _number(high)))


def orthogonal(gain: float, longest: int) -> Distribution:
    """Orthonormal rows or columns times gain; `longest`: the greater of their number and their length."""
    return Distribution("orthogonal", 0.0, gain / longest**0.5, note=f"gain {_shown(gain)}")


def identity() -> Distribution:
    """The identity matrix."""
    return Distribution("identity", None, None)


def constant(value: float) -> Distribution:
    """`value` everywhere."""
    return Distribution("constant", float(value), 0.0, (float(value), float(value)))


def given(values: np.ndarray) -> Distribution:
    """An array of numbers that no seed changes."""
    low, high = (float(np.min(values)), float(np.max(values))) if np.size(values) else (0.0, 0.0)
    return constant(low) if low == high else Distribution("given", float(np.mean(values)), float(np.std(values)), (low, high))


def _number(value: ArrayLike) -> Number:
    """A float, or a tuple of floats where `value` is an array of several."""
    value = np.asarray(value, float)
    return float(value) if value.ndim == 0 else tuple(value.tolist())


def _shown(value: Number | None) -> str:
    """Three significant digits."""
    return f"({', '.join(map(_shown, value))})" if isinstance(value, tuple) else f"{value:.3g}"
