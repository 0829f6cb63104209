"""What a step of an optimizer costs beside a step of Adam: both are run on a few tasks of the suite, in turns."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from taskset import catalogue
from taskset.execution import costs
from taskset.execution.modes import copies_pay
from taskset.files import read_json, readable, write_text
from taskset.scoring.candidates import Candidate
from taskset.scoring.suites.suite import Suite

if TYPE_CHECKING:
    from taskset.normalization.sweep.options import SweepOptions
    from taskset.optimizers.base import Optimizer

FILE = "step_cost.json"
REFERENCE = "adam_lr_-3.00"
MOST_TASKS, EACH = 3, 10  # one task for each ten of the suite
ROUNDS, STEPS = 4, 25


@dataclass(frozen=True)
class StepCost:
    """tasks: names; each, adam: milliseconds of core time of a step on each of them, gradients included, the candidate's and
    Adam's: in the fastest of ROUNDS rounds of STEPS steps, fewer where a run has fewer."""

    tasks: tuple[str, ...]
    each: tuple[float, ...]
    adam: tuple[float, ...]

    @property
    def milliseconds(self) -> float:
        """The median over tasks."""
        return statistics.median(self.each)

    @property
    def relative(self) -> float:
        """Median over tasks of the cost of a step, that of Adam's being 1."""
        return statistics.median(mine / adam for mine, adam in zip(self.each, self.adam))


def chosen(tasks: Sequence[str]) -> list[str]:
    """Up to MOST_TASKS of `tasks`, spread evenly over those with a data set in the order of their costs."""
    large = [task for task in tasks if not copies_pay(catalogue.facts(*catalogue.resolve(task)).data)] or list(tasks)
    cost = {task: (costs.milliseconds(task) or (0.0, ""))[0] for task in large}
    order = sorted(large, key=lambda task: (cost[task], task))
    count = max(1, min(MOST_TASKS, len(tasks) // EACH, len(order)))
    return [order[(2 * i + 1) * len(order) // (2 * count)] for i in range(count)]


def of_candidate(
    candidate: Candidate, suite: Suite, tasks: Sequence[str], options: SweepOptions, root: str | Path, data_dir: str | Path | None
) -> StepCost:
    """The `StepCost` of a candidate's first trial; kept in `root`: it is measured once on these tasks. Raises `StoreError`."""
    names = chosen(tasks)
    if (known := kept(root, candidate)) is not None and known.tasks == tuple(names):
        return known
    pairs = [_measured(task, candidate, suite.source, options, data_dir) for task in names]
    cost = StepCost(tuple(names), tuple(mine for mine, _ in pairs), tuple(adam for _, adam in pairs))
    write_text(json.dumps({**asdict(cost), "candidate": candidate.as_json()}) + "\n", Path(root) / FILE)
    return cost


def kept(root: str | Path, candidate: Candidate) -> StepCost | None:
    """The `StepCost` of the candidate that was measured in `root`; None where there is none, or only another optimizer's.

    Raises `StoreError`.
    """
    path = Path(root) / FILE
    if not path.exists():
        return None
    with readable(path, "delete it, and it will be measured again"):
        found = read_json(path)
        cost = StepCost(*(tuple(found[part]) for part in ("tasks", "each", "adam")))
    return cost if found.get("candidate") == candidate.as_json() else None


def _measured(
    task_name: str, candidate: Candidate, source: str, options: SweepOptions, data_dir: str | Path | None
) -> tuple[float, float]:
    """Milliseconds of a step of the candidate's first trial and of Adam's."""
    from taskset.normalization.sweep.run_groups import of_group
    from taskset.normalization.sweep.runner import Account
    from taskset.optimizers import get_optimizer

    task, account = catalogue.get_task(task_name, source, data_dir), Account()
    both = [cast("Optimizer", candidate.make(0, options.steps)), get_optimizer(REFERENCE)]
    rounds = min(ROUNDS, options.steps)
    steps = min(STEPS, options.steps // rounds)  # a rule may have no step beyond the end of a run
    groups = [of_group(task, [optimizer], steps, options, account) for optimizer in both]
    for group in groups:
        group.start(options.seeds[0], account)
    fastest = [float("inf")] * 2
    for _ in range(rounds):
        for i, (optimizer, group) in enumerate(zip(both, groups)):
            before = group.seconds(optimizer.name)
            group.advance([optimizer.name], steps, account)
            fastest[i] = min(fastest[i], 1000 * (group.seconds(optimizer.name) - before) / steps)
    return fastest[0], fastest[1]
