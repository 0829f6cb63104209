"""A training that ends after some hours: how far its schedule is at each outer step. No TensorFlow.

How many steps the hours hold is only known as they pass, so the fraction of the schedule is planned again at each checkpoint:

    fraction(k) = min(1, f + (k - k0) (1 - f) / n)      since the last checkpoint: k0 its step, f the fraction there,
                                                        n the steps that the hours left hold at the pace of the steps before it

It is continuous, never falls, and reaches 1 as the hours end. The first checkpoints come early (`is_early`): where the hours hold
few steps, the schedule would else not begin. They plan by the fastest step so far: the first steps compile, and at their pace the
schedule would be over at once. Between checkpoints it depends on (k0, f, n) alone, which
checkpoints have: a training that is killed and resumed repeats its steps bit for bit up to the next checkpoint. All (k0, f, n)
together record what the learning rate was. Two trainings of the same hours are not the same, though: for that, plan steps.
"""

import math
import time
from collections.abc import Callable
from typing import Any

from taskset.errors import ConfigError, shown

MOST_HOURS = 1_000_000  # a century; seconds and steps that are planned by far more may be no numbers


class TimePlan:
    """Seconds of training so far, over all starts of it, and the plan made of them.

    clock: returns seconds. What is lost when a training is killed doesn't count.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._last = clock, clock()
        self.seconds, self.hours = 0.0, math.inf  # hours: for which it was planned
        self.knots: list[tuple[int, float, float]] = [(0, 0.0, math.inf)]  # (k0, f, n); nothing is known at the start
        self._planned = (0, 0.0)  # (step, seconds) of the last plan
        self._fastest, self._measures = math.inf, False  # seconds of a step; whether the next look at the clock ends one

    def start(self, hours: float) -> None:
        """Count from now on; hours: with which the schedule ends, infinity for one that doesn't.

        Raises `ConfigError` where the hours that it was planned for are over, and these are more: its schedule has ended.
        """
        if hours > self.hours and self.seconds >= 3600 * self.hours:
            raise ConfigError(
                f"hours {hours:.3g}: the schedule has ended with the {self.hours:.3g} hours that it was given, and all further "
                "steps would be at its last rate; start from these weights (--from) with another --out"
            )
        self.hours, self._last, self._measures = hours, self._clock(), False

    def over(self, hours: float) -> bool:
        """Count the time since the last call; whether `hours` are full."""
        now = self._clock()
        if self._measures:
            self._fastest = min(self._fastest, now - self._last)
        self.seconds, self._last, self._measures = self.seconds + (now - self._last), now, True
        return self.seconds >= 3600 * hours

    def fraction(self, step: int) -> float:
        """Of the schedule, at an outer step since the last plan."""
        first, reached, steps = self.knots[-1]
        return min(1.0, reached + (step - first) * (1 - reached) / steps)

    def plan(self, step: int, hours: float) -> None:
        """Plan from `step` on, at the pace since the last plan."""
        since, seconds = self._planned
        if step > since:
            self._plan(step, hours, (self.seconds - seconds) / (step - since))

    def plan_early(self, step: int, hours: float) -> None:
        """Plan from `step` on, at the pace of the fastest step so far."""
        self._plan(step, hours, self._fastest)

    def _plan(self, step: int, hours: float, pace: float) -> None:
        pace = max(pace, 1e-9)
        steps = max((3600 * hours - self.seconds) / pace, 1.0)
        self.knots.append((step, self.fraction(step), steps))
        self._planned = step, self.seconds

    def dump(self) -> dict[str, Any]:
        """JSON values."""
        hours = {} if self.hours == math.inf else {"hours": float(self.hours)}
        return {"seconds": self.seconds, **hours, "knots": [list(knot) for knot in self.knots[1:]]}

    def restore(self, dumped: dict[str, Any]) -> None:
        """Take up what `dump` described; ValueError where it can't be a plan."""
        seconds, knots, hours = dumped.get("seconds"), dumped.get("knots"), dumped.get("hours", math.inf)
        if not isinstance(seconds, float) or not _is_number(seconds) or not isinstance(knots, list):
            raise ValueError("the time plan lacks seconds or knots")
        for knot in knots:
            good = isinstance(knot, list) and len(knot) == 3 and type(knot[0]) is int and all(map(_is_number, knot[1:]))
            if not good or knot[0] < 0 or knot[1] > 1 or knot[2] < 1:
                raise ValueError(f"the time plan has {knot!r}")
        if not isinstance(hours, float) or not hours > 0:
            raise ValueError(f"the time plan has hours {hours!r}")
        self.seconds, self.hours, self.knots = seconds, hours, [self.knots[0], *(tuple(knot) for knot in knots)]
        self._planned = self.knots[-1][0], seconds


def check_hours(hours: object) -> None:
    """Raise `ConfigError` unless hours are a number that a training can come to the end of."""
    if not isinstance(hours, int | float) or isinstance(hours, bool) or not 0 < hours <= MOST_HOURS:
        raise ConfigError(f"hours is {shown(hours)}: allowed is a number above 0, at most {MOST_HOURS:,}")


def is_early(step: int) -> bool:
    """Whether a training by hours plans and saves at an outer step before its first regular checkpoint: at 2, 4, 8, .."""
    return step > 1 and step & (step - 1) == 0


def _is_number(value: object) -> bool:
    return type(value) is float and 0 <= value < math.inf
