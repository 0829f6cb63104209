"""What an outer training is told. No TensorFlow."""

import json
import math
import numbers
from dataclasses import asdict, dataclass, field

from learned import registry
from learned.outer_training import length_schedules
from taskset.errors import ConfigError, shown, unknown
from taskset.random import seeds


def _is_integer(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _allowed(name, value, holds, allowed):
    if not holds:
        raise ConfigError(f"{name} is {shown(value)}: allowed is {allowed}")


@dataclass(frozen=True)
class Options:
    """Everything that the weights which come out depend on, the suite aside.

    optimizer, estimator, objective: names; seed: of every draw.
    pairs, steps, sigma, differences, first_lengths: of the estimator (`learned.estimators.base.Settings`; "value" or "sign",
    "together" or "spread"); lengths: of episodes (`learned.outer_training.length_schedules.parse`).
    slots: tasks that are in training at a time; tasks_per_step: of them, those whose estimates an outer step averages.
    family_weights: {family: weight} of drawing tasks, 1 where not named.
    learning_rate, warm_up: of Adam; the rate grows linearly over the first `warm_up` outer steps. clip: the bound of the
    gradient's entries.
    """

    optimizer: str
    estimator: str = "pes"
    objective: str = "train"
    seed: int = 0
    pairs: int = 16
    steps: int = 20
    sigma: float = 0.01
    differences: str = "value"
    first_lengths: str = "together"
    lengths: str = "100"
    slots: int = 8
    tasks_per_step: int = 4
    family_weights: dict = field(default_factory=dict)
    learning_rate: float = 1e-3
    warm_up: int = 50
    clip: float = 0.1

    def __post_init__(self):
        registry.optimizers.check(self.optimizer)
        registry.estimators.check(self.estimator)
        registry.objectives.check(self.objective)
        for kind, value, names in (
            ("differences", self.differences, ("value", "sign")),
            ("first lengths", self.first_lengths, ("together", "spread")),
        ):
            if not isinstance(value, str) or value not in names:
                raise unknown(kind, value, list(names), f"Allowed: {', '.join(names)}.")
        for name, least in (("pairs", 1), ("steps", 1), ("slots", 1), ("tasks_per_step", 1), ("warm_up", 0)):
            value = getattr(self, name)
            _allowed(name, value, _is_integer(value) and least <= value < 2**31, f"an integer of at least {least}")
            object.__setattr__(self, name, int(value))
        for name in ("sigma", "learning_rate", "clip"):
            value = getattr(self, name)
            _allowed(name, value, _is_number(value) and 0 < value < math.inf, "a number above 0")
        object.__setattr__(self, "seed", seeds.check(self.seed))
        _allowed(
            "tasks_per_step", self.tasks_per_step, self.tasks_per_step <= self.slots, f"at most the number of slots, {self.slots}"
        )
        _allowed(
            "family_weights",
            self.family_weights,
            isinstance(self.family_weights, dict)
            and all(_is_number(w) and 0 <= w < math.inf for w in self.family_weights.values()),
            "{family: a weight of at least 0}",
        )
        longest = length_schedules.parse(self.lengths).longest
        _allowed("steps", self.steps, self.steps <= longest, f"at most the longest episode, {longest} steps")

    def check(self, suite):
        """Raise `ConfigError` where the options don't go with a suite."""
        longest = length_schedules.parse(self.lengths).longest
        if longest > suite.horizon:
            raise ConfigError(
                f"lengths {self.lengths!r} reach {longest} steps: allowed is the suite's horizon, {suite.horizon}, "
                "beyond which its normalizers say nothing; take shorter ones or a suite from longer baselines"
            )
        families = {entry.family for entry in suite.of_split("train")}
        if not families:
            raise ConfigError(f"suite {suite.name!r} has no task in its split train: add tasks (the split is a hash of the name)")
        strange = sorted(set(self.family_weights) - families)
        if strange:
            raise unknown("family in family_weights", strange[0], sorted(families), f"Allowed: {', '.join(sorted(families))}.")
        if sum(self.family_weights.get(family, 1.0) for family in families) <= 0:
            raise ConfigError("family_weights leave no family to draw from: allowed is at least one weight above 0")

    def as_json(self):
        """The options as JSON values."""
        return json.loads(json.dumps(asdict(self)))
