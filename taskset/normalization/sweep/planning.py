"""What a sweep will cost, and which part of it each machine does."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from taskset.datasets.base import SPLITS
from taskset.errors import ConfigError, counted, shown
from taskset.execution import costs as measured

if TYPE_CHECKING:
    from taskset.normalization.sweep.options import SweepOptions

FORWARD = 1 / 3  # of a training step's time, for the loss of one batch
TASK_SECONDS = 6.0  # of building and compiling a task
UNITS = (3600, "hours", "h"), (60, "minutes", "min"), (1, "seconds", "s")


def core_seconds(task: str, *sweeps: SweepOptions) -> float | None:
    """The core-seconds of a task's sweep, by the cost model (`taskset list --max-ms`); None where it has no estimate.

    sweeps: the one, or those that make the runs which a task lacks (`resume.missing`), in one process.
    """
    cost = measured.milliseconds(task)
    return None if cost is None else TASK_SECONDS + cost[0] / 1000 * sum(map(_steps, sweeps))


def _steps(options: SweepOptions) -> float:
    """Training steps that take as long as all runs of a sweep with their evaluations."""
    evaluated = (options.evaluations + 1) * options.batches * len(SPLITS)
    return options.runs * (options.steps + FORWARD * evaluated)


def cheapest_first(tasks: Iterable[str], options: SweepOptions) -> dict[str, float | None]:
    """`by_cost` of whole sweeps."""
    return by_cost({task: core_seconds(task, options) for task in tasks})


def by_cost(costs: Mapping[str, float | None]) -> dict[str, float | None]:
    """{task: core-seconds or None}, the cheapest first; tasks of unknown cost come last, in the order given."""
    return dict(sorted(costs.items(), key=lambda item: (item[1] is None, item[1] or 0.0)))


def announcement(costs: Mapping[str, float | None], workers: int) -> str:
    """One line: core-hours (of little work minutes or seconds), hours with `workers` workers, how many tasks have no estimate."""
    known = [cost for cost in costs.values() if cost is not None]
    left = len(costs) - len(known)
    unknown = f"{counted(left, 'task')} of unknown cost" if left else ""
    if not known:
        return unknown
    size, unit, short = next(each for each in UNITS if sum(known) >= each[0] or each is UNITS[-1])
    cost = sum(known) / size
    estimate = f"estimated: {cost:.3g} core-{unit}, {cost / workers:.3g} {short} with {counted(workers, 'worker')}"
    return f"{estimate}; and {unknown}" if unknown else estimate


def parse_shard(text: str) -> tuple[int, int]:
    """(i, n) of "i/n"; `ConfigError` unless 1 <= i <= n."""
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise ConfigError(f"shard {shown(text)}: allowed is i/n with 1 <= i <= n, such as 3/16")
    return int(match[1]), int(match[2])


def shard_of(task: str, count: int) -> int:
    """The number 1 .. `count` of the shard that a task falls to, by a hash of its name: the same task always to the same one."""
    return int(hashlib.sha256(task.encode()).hexdigest(), 16) % count + 1


def in_shard(tasks: Iterable[str], shard: tuple[int, int]) -> list[str]:
    """The tasks of shard (i, n), by `shard_of`."""
    number, count = shard
    return [task for task in tasks if shard_of(task, count) == number]
