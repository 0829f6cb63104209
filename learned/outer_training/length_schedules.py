"""How long episodes are in the course of outer training.

A length schedule is an object `(outer_step, rng) -> integer >= 1`. Episodes that start at an outer step get lengths from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from taskset.errors import ConfigError, shown, unknown, whole_number


def _at_least_one(**values):
    for name, value in values.items():
        whole_number(name, value, most=2**31 - 1)


@dataclass(frozen=True)
class Constant:
    """Always `length` steps."""

    length: int

    def __post_init__(self) -> None:
        _at_least_one(length=self.length)

    def __call__(self, outer_step: int, rng: np.random.Generator) -> int:
        return self.length

    @property
    def longest(self) -> int:
        """The greatest length that can come."""
        return self.length


@dataclass(frozen=True)
class Linear:
    """From `first` to `last` steps, linearly over `over` outer steps, then `last`; rounded."""

    first: int
    last: int
    over: int

    def __post_init__(self) -> None:
        _at_least_one(first=self.first, last=self.last, over=self.over)

    def __call__(self, outer_step: int, rng: np.random.Generator) -> int:
        return round(self.first + (self.last - self.first) * min(outer_step / self.over, 1.0))

    @property
    def longest(self) -> int:
        """The greatest length that can come."""
        return max(self.first, self.last)


@dataclass(frozen=True)
class LogUniform:
    """exp(U[log low, log high]), rounded: as many episodes from 100 to 1000 steps as from 1000 to 10000 (arXiv 2211.09760)."""

    low: int
    high: int

    def __post_init__(self) -> None:
        _at_least_one(low=self.low, high=self.high)
        if self.low > self.high:
            raise ConfigError(f"lengths from {self.low} to {self.high}: allowed is a first number not above the second")

    def __call__(self, outer_step: int, rng: np.random.Generator) -> int:
        return round(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))

    @property
    def longest(self) -> int:
        """The greatest length that can come."""
        return self.high


@dataclass(frozen=True)
class Resumed:
    """An episode that comes to its end is resumed with a probability, up to a longer length L' = exp(U[log L, log longest]).

    Most steps are then late ones, at the price of few: what happens at step 2000 can't be learned from the first 200. The state
    that is resumed is the pair's own, with the perturbations that it has seen; at `longest` steps a training starts from its
    beginning. ELO (arXiv 2607.06772) takes a stored late state with probability .8.
    """

    probability: float
    longest: int

    def __call__(self, rng: np.random.Generator, lengths: np.ndarray) -> np.ndarray:
        """The lengths [N], longer for those that are resumed."""
        chosen = rng.random(len(lengths)) < self.probability
        high = math.log(self.longest)
        low = np.minimum(np.log(np.clip(lengths, 1, self.longest)), high)  # NumPy's logarithm may be larger in its last bit
        drawn = np.rint(np.exp(rng.uniform(low, high))).astype(np.int32)
        return np.where(chosen, np.maximum(lengths, drawn), lengths)


LengthSchedule: TypeAlias = Constant | Linear | LogUniform
_KINDS: dict[str, type[LengthSchedule]] = {"constant": Constant, "linear": Linear, "log_uniform": LogUniform}


def parse(text: str) -> LengthSchedule:
    """The schedule written as `"100"`, `"linear:20:200:1000"` (first, last, over) or `"log_uniform:50:500"` (low, high)."""
    if not isinstance(text, str):
        raise ConfigError(f"lengths {shown(text)}: allowed are texts, 100, linear:FIRST:LAST:OVER and log_uniform:LOW:HIGH")
    kind, *numbers = text.split(":") if ":" in text else ("constant", text)
    if kind not in _KINDS:
        raise unknown("length schedule", kind, list(_KINDS), "Allowed are 100, linear:20:200:1000 and log_uniform:50:500.")
    try:
        return _KINDS[kind](*map(int, numbers))
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"lengths {shown(text)}: allowed are 100, linear:FIRST:LAST:OVER and log_uniform:LOW:HIGH, with integers"
        ) from error
