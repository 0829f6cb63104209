"""What a parameter is drawn from, as data: `python -m taskset show NAME` prints it, tests hold the draws against it."""

from dataclasses import dataclass

import numpy as np

# Of a normal distribution cut off at two standard deviations .8796 of the standard deviation is left.
TRUNCATION = 0.87962566103423978
MASKED = "masked entries 0"  # the note of a tensor that is multiplied by a mask


@dataclass(frozen=True)
class Distribution:
    """The law of the entries of one parameter at the start of training.

    name: "normal", "truncated normal", "uniform", "orthogonal", "identity", "constant" or "given" (numbers no seed changes).
    mean, stddev: of an entry that is not masked (of the identity: None); a tuple where each entry has its own.
    bounds: (lowest, highest) value, a tuple of numbers each where the entries have their own; None where there are none.
    note: what else there is to say.
    """

    name: str
    mean: float | tuple | None
    stddev: float | tuple | None
    bounds: tuple | None = None
    note: str = ""

    def __str__(self):
        """For people: "truncated normal, stddev 0.0635"."""
        if self.name == "uniform":
            terms = [f"from {_shown(self.bounds[0])} to {_shown(self.bounds[1])}"]
        elif self.name == "constant":
            return " ".join(filter(None, [f"constant {_shown(self.mean)}", self.note]))
        else:
            terms = [f"mean {_shown(self.mean)}"] if self.mean else []
            terms += [f"stddev {_shown(self.stddev)}"] if self.stddev is not None else []
        return ", ".join(filter(None, [self.name, *terms, self.note]))

    def shifted(self, offset):
        """The law of an entry plus a number."""
        plus = lambda value: None if value is None else _number(np.add(value, offset))  # noqa: E731
        bounds = None if self.bounds is None else tuple(plus(bound) for bound in self.bounds)
        return Distribution(self.name, plus(self.mean), self.stddev, bounds, self.note)

    def scaled(self, factor):
        """The law of `factor` > 0 times an entry."""
        times = lambda value: None if value is None else _number(np.multiply(value, factor))  # noqa: E731
        bounds = None if self.bounds is None else tuple(times(bound) for bound in self.bounds)
        return Distribution(self.name, times(self.mean), times(self.stddev), bounds, self.note)


def normal(mean, stddev):
    """N(mean, stddev^2)."""
    return Distribution("normal", mean, stddev)


def truncated_normal(stddev):
    """N(0, stddev^2) cut off at two standard deviations: what is left has .8796 of `stddev`."""
    return Distribution("truncated normal", 0.0, TRUNCATION * stddev, (-2.0 * stddev, 2.0 * stddev))


def uniform(low, high):
    """U[low, high); `low` and `high` are numbers or one number an entry."""
    low, high = np.broadcast_arrays(np.asarray(low, float), np.asarray(high, float))
    return Distribution("uniform", _number((low + high) / 2), _number((high - low) / 12**0.5), (_number(low), _number(high)))


def orthogonal(gain, longest):
    """Orthonormal rows or columns times gain; `longest`: the greater of their number and their length."""
    return Distribution("orthogonal", 0.0, gain / longest**0.5, note=f"gain {_shown(gain)}")


def identity():
    """The identity matrix."""
    return Distribution("identity", None, None)


def constant(value):
    """`value` everywhere."""
    return Distribution("constant", float(value), 0.0, (float(value), float(value)))


def given(values):
    """An array of numbers that no seed changes."""
    low, high = float(np.min(values)), float(np.max(values))
    return constant(low) if low == high else Distribution("given", float(np.mean(values)), float(np.std(values)), (low, high))


def _number(value):
    """A float, or a tuple of floats where `value` is an array of several."""
    value = np.asarray(value, float)
    return float(value) if value.ndim == 0 else tuple(value.tolist())


def _shown(value):
    """Three significant digits."""
    return f"({', '.join(map(_shown, value))})" if isinstance(value, tuple) else f"{value:.3g}"
