"""The running size of each task's differences, by which estimates are divided. No TensorFlow.

    v <- d v + (1 - d) mean_n D_n^2,    r = sqrt(v / (1 - d^t)),    g <- g sigma / r          d = .95, t = 1, 2, ..

D_n: difference L(+) - L(-) of pair n (`learned.estimators.base`); t counts a task's estimates, this one included, so that
an estimate of large differences weighs at most as much as 1 / sqrt(1 - d) ordinary ones, a single difference of N pairs at most
sqrt(N) times that. With the factor sigma an estimate is of the
size that it has with the sign of differences, whatever sigma and the task are; how much a pair's difference stands out is kept.

The trainer does this, in the order of slots: results don't depend on where estimates are made.
"""

import math
from typing import Any

DECAY = 0.95


class DifferenceScales:
    """v and t of each task."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[int, float]] = {}

    def update(self, task: str, square: float) -> float:
        """r of a task after one more estimate; square: mean of its D^2, NaN where no pair's difference was finite.

        NaN leaves v and t as they are. r is 0 as long as all differences were 0.
        """
        count, mean = self._kept.get(task, (0, 0.0))
        if math.isfinite(square):
            count, mean = count + 1, DECAY * mean + (1 - DECAY) * square
            self._kept[task] = count, mean
        return math.sqrt(mean / (1 - DECAY**count)) if count else 0.0

    def dump(self) -> dict[str, list[Any]]:
        """{task: [t, v]} as JSON values."""
        return {task: list(kept) for task, kept in sorted(self._kept.items())}

    def restore(self, dumped: dict[str, list[Any]], tasks: set[str]) -> None:
        """Take up what `dump` described; ValueError where it can't be that of `tasks`."""
        for task, kept in dumped.items():
            good = task in tasks and isinstance(kept, list) and len(kept) == 2 and type(kept[0]) is int
            if not good or not 1 <= kept[0] < 2**31 or type(kept[1]) is not float or not 0 <= kept[1] < math.inf:
                raise ValueError(f"differences of {task!r} are {kept!r}")
        self._kept = {task: (kept[0], kept[1]) for task, kept in dumped.items()}
