"""The options of an outer training. No TensorFlow."""

from __future__ import annotations

import json
import math
from dataclasses import KW_ONLY, asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from learned import choices, registry
from learned.outer_training import length_schedules
from taskset.errors import ConfigError, is_number, shown, unknown, whole_number
from taskset.random import seeds

if TYPE_CHECKING:
    from taskset.scoring.suites.suite import Suite


def _plain(number: float) -> float:
    """A number that JSON has, for one of NumPy's as well."""
    return number if type(number) in (int, float) else float(number)


def _allowed(name, value, holds, allowed):
    if not holds:
        raise ConfigError(f"{name} is {shown(value)}: allowed is {allowed}")


@dataclass(frozen=True)
class Options:
    """Everything that the weights which come out depend on, the suite aside.

    optimizer, estimator, objective: names; seed: of every draw.
    pairs, steps, sigma, first_lengths: of the estimator (`learned.estimators.base.Settings`; "together" or "spread").
    differences: "value", "sign" (`learned.estimators.base.sign`) or "rms" (`learned.outer_training.difference_scales`).
    lengths: of episodes (`learned.outer_training.length_schedules.parse`); late_restarts: the probability that one is resumed at
    its end with a longer length (`learned.outer_training.length_schedules.Resumed`).
    slots: of the task pool, tasks in training at a time; tasks_per_step: of them, those whose estimates an outer step averages;
    episodes: that every pair ends, the first one included, before a slot draws another task.
    groups: in how many programs a task's pairs are computed: with as many workers, each has a group of every task, and all have
    the same work.
    family_weights, cost_power: of drawing tasks (`learned.outer_training.task_drawing`): {family: weight}, 1 where not named, and
    the power of a task's cost by which it comes less often, 0 for none.
    learning_rate, warm_up, weight_decay: of AdamW; the rate grows linearly over the first `warm_up` outer steps.
    schedule: then it is "constant", or falls by "cosine" to a tenth until outer step `schedule_steps`; 0: until the end of the
    hours that the trainer is given. clip: the bound of the gradient's entries, or of its norm, as `clipping` says.
    trained: globs of the weights that are trained; start: a digest of the weights that it starts from, which `open_trainer`
    fills in, "" for those that follow from the seed (`learned.outer_training.start_weights`).
    augment: rescaling of the tasks' parameters (`learned.unrolling.rescaling`): none, global, tensor, parameter or mixed.
    """

    optimizer: str
    _: KW_ONLY
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
    family_weights: dict[str, float] = field(default_factory=dict)
    learning_rate: float = 1e-3
    warm_up: int = 50
    clip: float = 0.1
    augment: str = "none"
    clipping: str = "entries"
    weight_decay: float = 0.0
    schedule: str = "constant"
    schedule_steps: int = 0
    late_restarts: float = 0.0
    trained: list[str] = field(default_factory=lambda: ["*"])
    start: str = ""
    cost_power: float = 0.0
    episodes: int = 1
    groups: int = 1

    def __post_init__(self) -> None:
        self._check_names()
        self._check_numbers()
        self._check_schedule()
        self._check_estimator()
        self._check_drawing()
        texts = isinstance(self.trained, list) and self.trained and all(isinstance(glob, str) for glob in self.trained)
        _allowed("trained", self.trained, texts, "a list of globs, at least one")
        _allowed("start", self.start, isinstance(self.start, str), "a digest of weights")

    def _check_names(self):
        registry.optimizers.check(self.optimizer)
        registry.estimators.check(self.estimator)
        registry.objectives.check(self.objective)
        for kind, value, names in (
            ("differences", self.differences, choices.DIFFERENCES),
            ("first lengths", self.first_lengths, choices.FIRST_LENGTHS),
            ("augmentation", self.augment, choices.AUGMENTATIONS),
            ("clipping", self.clipping, choices.CLIPPING),
            ("schedule", self.schedule, choices.SCHEDULES),
        ):
            if not isinstance(value, str) or value not in names:
                raise unknown(kind, value, list(names), f"Allowed: {', '.join(names)}.")

    def _check_numbers(self):
        """All numbers by themselves; they become Python's, which JSON has."""
        above_0 = ("pairs", "steps", "slots", "tasks_per_step", "episodes", "groups")
        for name, least in (*((name, 1) for name in above_0), ("warm_up", 0), ("schedule_steps", 0)):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), least, 2**31 - 1))
        for name in ("sigma", "learning_rate", "clip"):
            value = getattr(self, name)
            fits = is_number(value) and 1e-12 <= value <= 1e12  # so that float32 holds their squares, too
            _allowed(name, value, fits, "a number from 1e-12 to 1e12")
        object.__setattr__(self, "seed", seeds.check(self.seed))
        decay, power, share = self.weight_decay, self.cost_power, self.late_restarts
        _allowed("weight_decay", decay, is_number(decay) and 0 <= decay < math.inf, "a number of at least 0")
        _allowed("cost_power", power, is_number(power) and 0 <= power <= 10, "a number from 0 to 10")
        _allowed("late_restarts", share, is_number(share) and 0 <= share < 1, "a number of at least 0 and below 1")
        for name in ("sigma", "learning_rate", "clip", "weight_decay", "cost_power", "late_restarts"):
            object.__setattr__(self, name, _plain(getattr(self, name)))

    def _check_estimator(self):
        """What not every estimator can do, and sizes that go together."""
        if self.differences != "value" and not self._can("takes_differences"):
            raise ConfigError(
                f"differences {self.differences!r} with estimator {self.estimator!r}: allowed are estimators linear in them, "
                f"{', '.join(choices.TRAITS['takes_differences'])}, and own ones with takes_differences = True"
            )
        _allowed("groups", self.groups, self.pairs % self.groups == 0, f"a number that divides the number of pairs, {self.pairs}")
        if self.groups > 1 and not self._can("takes_groups"):
            raise ConfigError(
                f"groups {self.groups} with estimator {self.estimator!r}: allowed is 1, or an estimator of "
                f"{', '.join(choices.TRAITS['takes_groups'])}, and own ones with takes_groups = True"
            )
        longest = length_schedules.parse(self.lengths).longest
        _allowed("steps", self.steps, self.steps <= longest, f"at most the longest episode, {longest} steps")
        if self.late_restarts and (not self.lengths.startswith("log_uniform:") or self.estimator == "es_full"):
            raise ConfigError(
                f"late_restarts is {self.late_restarts} with lengths {self.lengths!r} and estimator {self.estimator!r}: allowed "
                "are lengths log_uniform:LOW:HIGH and estimators of unfinished episodes, not es_full"
            )
        if self.first_lengths != "together" and self.estimator == "es_full":
            raise ConfigError(
                f"first_lengths {self.first_lengths!r} with estimator 'es_full': allowed is 'together', as its episodes are whole"
            )
        if self.sigma != Options.sigma and self.estimator == "bptt":
            raise ConfigError(
                f"sigma {self.sigma:g} with estimator 'bptt': allowed is the default, {Options.sigma:g}, as it perturbs nothing"
            )

    def _can(self, trait):
        """Whether the estimator has a trait; a user's own has it as an attribute."""
        own = registry.estimators.own(self.estimator)
        return self.estimator in choices.TRAITS[trait] if own is None else getattr(own, trait, False) is True

    def _check_drawing(self):
        most, weights = self.slots, self.family_weights
        _allowed("tasks_per_step", self.tasks_per_step, self.tasks_per_step <= most, f"at most the number of slots, {most}")
        fits = isinstance(weights, dict) and all(is_number(w) and 0 <= w < math.inf for w in weights.values())
        _allowed("family_weights", weights, fits, "{family: a weight of at least 0}")
        object.__setattr__(self, "family_weights", {family: _plain(weight) for family, weight in weights.items()})

    def _check_schedule(self):
        steps, rising = self.schedule_steps, self.warm_up
        if self.schedule == "constant":
            _allowed("schedule_steps", steps, steps == 0, "0 with a constant schedule")
        else:
            _allowed(
                "schedule_steps",
                steps,
                steps == 0 or steps > rising,
                f"above warm_up, {rising}; it is --schedule-steps or --outer-steps",
            )

    def check(self, suite: Suite) -> None:
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

    @property
    def by_time(self) -> bool:
        """Whether the schedule ends with the hours that the trainer is given."""
        return self.schedule == "cosine" and not self.schedule_steps

    def as_json(self) -> dict[str, Any]:
        """The options as JSON values."""
        return json.loads(json.dumps(asdict(self)))


# Of the options that came after version 0.1: what trainings did before there was a choice.
DEFAULTS = {
    "augment": "none",
    "clipping": "entries",
    "weight_decay": 0.0,
    "schedule": "constant",
    "schedule_steps": 0,
    "late_restarts": 0.0,
    "trained": ["*"],
    "start": "",
    "cost_power": 0.0,
    "episodes": 1,
    "groups": 1,
}
