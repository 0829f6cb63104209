"""What the curves of a sweep depend on besides the task."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from taskset.errors import ConfigError, whole_number
from taskset.random import seeds as random_seeds

if TYPE_CHECKING:
    from taskset.registry import Facts

# Of the package's baselines, and so of what stands beside them: seeds, batches of an evaluation, intervals between evaluations.
SEEDS, BATCHES, EVALUATIONS = 2, 5, 50
# Batches of an evaluation where a command is not told: the same in `baseline` and `learned evaluate`, whose results can then be
# compared.
COMMANDS_BATCHES = 50


@dataclass(frozen=True)
class SweepOptions:
    """What a sweep's curves depend on besides the task. They are stored with the curves; one directory has one set of them.

    optimizers: names; source: of the data; steps: the horizon; seeds: one run each; batches: per evaluation and split;
    evaluations: intervals between evaluations, `evaluations` + 1 of them at 0, steps / evaluations, .., steps.
    """

    optimizers: tuple[str, ...]
    source: str
    steps: int
    seeds: tuple[int, ...]
    batches: int = BATCHES
    evaluations: int = EVALUATIONS

    def __post_init__(self) -> None:
        for field in ("steps", "batches", "evaluations"):
            object.__setattr__(self, field, whole_number(field, getattr(self, field)))  # as files have it: Python's int
        if self.steps % self.evaluations:
            raise ConfigError(
                f"steps {self.steps} can't be cut into {self.evaluations} equal intervals between evaluations: use a multiple of "
                f"{self.evaluations}, or other evaluations (--evaluations, {self.evaluations} here)"
            )
        object.__setattr__(self, "seeds", tuple(map(random_seeds.check, self.seeds)))
        if not self.optimizers or not self.seeds:
            raise ConfigError("a sweep needs at least one optimizer and one seed")
        if len(set(self.optimizers)) < len(self.optimizers) or len(set(self.seeds)) < len(self.seeds):
            raise ConfigError("an optimizer or a seed is named twice")

    def as_json(self) -> dict[str, Any]:
        """The options as JSON values."""
        return json.loads(json.dumps(asdict(self)))

    @property
    def runs(self) -> int:
        """The number of runs on a task: one of each optimizer from each seed."""
        return len(self.optimizers) * len(self.seeds)

    def source_of(self, facts: Facts) -> str:
        """The source of a task's data: `source`, and "none" for tasks without data."""
        return self.source if facts.data is not None and facts.data.needs_source else "none"
