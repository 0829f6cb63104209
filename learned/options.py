"""What an outer training is told. No TensorFlow."""

import json
from dataclasses import asdict, dataclass, field

from learned import curriculum
from taskset.errors import ConfigError, unknown

OBJECTIVES = ("train", "valid", "noise")


def _allowed(name, value, holds, allowed):
    if not holds:
        raise ConfigError(f"{name} is {value!r}: allowed is {allowed}")


@dataclass(frozen=True)
class Options:
    """Everything that the weights which come out depend on, the suite aside.

    optimizer, estimator, objective: names; seed: of every draw.
    pairs, steps, sigma, differences, first_lengths: of the estimator (`learned.estimators.base.Settings`; "value" or "sign",
    "together" or "spread"); lengths: of episodes (`learned.curriculum.parse`).
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
        from learned import estimators, optimizers

        for kind, value, names in (
            ("learned optimizer", self.optimizer, optimizers.names()),
            ("estimator", self.estimator, estimators.names()),
            ("objective", self.objective, OBJECTIVES),
            ("differences", self.differences, ("value", "sign")),
            ("first lengths", self.first_lengths, ("together", "spread")),
        ):
            if value not in names:
                raise unknown(kind, value, list(names), f"Allowed: {', '.join(names)}.")
        for name in ("pairs", "steps", "slots", "tasks_per_step"):
            _allowed(name, getattr(self, name), getattr(self, name) >= 1, "an integer of at least 1")
        for name in ("sigma", "learning_rate", "clip"):
            _allowed(name, getattr(self, name), getattr(self, name) > 0, "a number above 0")
        _allowed("warm_up", self.warm_up, self.warm_up >= 0, "an integer of at least 0")
        _allowed("seed", self.seed, 0 <= self.seed < 2**31, "an integer 0 <= seed < 2**31")
        _allowed(
            "tasks_per_step", self.tasks_per_step, self.tasks_per_step <= self.slots, f"at most the number of slots, {self.slots}"
        )
        _allowed(
            "family_weights", self.family_weights, all(w >= 0 for w in self.family_weights.values()), "weights of at least 0"
        )
        longest = curriculum.parse(self.lengths).longest
        _allowed("steps", self.steps, self.steps <= longest, f"at most the longest episode, {longest} steps")

    def check(self, suite):
        """Raise `ConfigError` where the options don't go with a suite."""
        longest = curriculum.parse(self.lengths).longest
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
