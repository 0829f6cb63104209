"""Suites by name and version: rules over the baselines that come with the package, and files that come with it. No TensorFlow.

A version of a rule never changes; what should be different gets a new version. What it selects follows the baselines: as they
grow, it has more tasks, and other scales where tasks were measured again. Results on it are comparable where the scales are the
same, which `score --compare` checks task by task. A suite that was made is a file of its own, with all its tasks and scales in
it, and never changes; those of `taskset.scoring.suites.tiers` and, once they are written, of `taskset.scoring.suites.written`
come with the package.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from taskset.errors import unknown
from taskset.scoring import suites
from taskset.scoring.suites import tiers, written
from taskset.scoring.suites.shipped import Named, Shipped, newest, refuse_baselines
from taskset.scoring.suites.suite import Suite
from taskset.scoring.suites.written import Written


@dataclass(frozen=True)
class SuiteRule(Named):
    """The tasks that match `patterns`, can run, are normalizable at `horizon`, and are no larger and no slower than allowed.

    about: one line for people; source: of the data; max_milliseconds: a training step, as the baselines measured it;
    max_parameters: of a task.
    """

    about: str
    patterns: tuple[str, ...]
    horizon: int
    source: str = "synthetic"
    max_milliseconds: float = math.inf
    max_parameters: float = math.inf

    def suite(self, baselines: str | Path | None = None, baselines_version: str | None = None) -> Suite:
        """The `Suite` from a directory of baselines; None: those of the package. Raises `StoreError`, `ConfigError`.

        baselines_version: as in `suites.make`.
        """
        return suites.make(
            self.name,
            self.patterns,
            baselines,
            self.source,
            self.horizon,
            self.max_milliseconds,
            self.max_parameters,
            self.version,
            baselines_version=baselines_version,
        )


PROBLEMS = tuple(f"{family}_seed*" for family in written.PROBLEMS)
NETWORKS = tuple(f"{family}_seed*" for family in written.NETWORKS if family != "made_family")  # later than these rules

RULES = (
    SuiteRule("problems", 1, "synthetic problems without data, 1 ms a step at most", PROBLEMS, 10000, max_milliseconds=1),
    SuiteRule("small", 1, "networks of 100,000 weights and 3 ms a step at most", NETWORKS, 2000, "synthetic", 3, 1e5),
    SuiteRule("mixed", 1, "networks of ten published families, 30 ms a step at most", NETWORKS, 2000, max_milliseconds=30),
)


def rules() -> list[SuiteRule | Written]:
    """All rules, and the suites whose files come with the package; oldest version first."""
    return [*RULES, *written.available()]


def rule(text: str | Path) -> SuiteRule | Written:
    """The rule called "NAME:VERSION", or the newest version of "NAME". Raises `UnknownName`."""
    return _called(text, rules())


def list_suites() -> list[str]:
    """The names of all suites that `get_suite` knows: "problems:1", .., "1h:1"; "tiny:1" after `import learned`."""
    return list(map(str, _all()))


def is_name(text: str) -> bool:
    """Whether `text` names a suite, with its version or without."""
    return newest(text, _all()) is not None


def get_suite(text: str | Path, baselines: str | Path | None = None, baselines_version: str | None = None) -> Suite:
    """The suite in a file, where `text` ends in .json; else the one called `text`: "small:1", or "small" for the newest version.

        taskset.get_suite("heldout:1").names_of("test")        to hold these tasks out of a training of your own

    baselines: a directory, for suites that a rule makes from baselines; None: those of the package. baselines_version: as in
    `suites.make`. Raises `UnknownName`; `StoreError` for files that can't be read; `ConfigError` for baselines of a suite that
    ships as a file, whose scales stay.
    """
    if str(text).endswith(".json"):
        refuse_baselines(text, baselines, baselines_version)
        return suites.load_any(str(text))
    return _called(text, _all()).suite(baselines, baselines_version)


def follows_baselines(text: object) -> bool:
    """Whether `text` names a suite that a rule makes from baselines, whichever they are; a file's tasks and scales stay."""
    return isinstance(newest(text, _all()), SuiteRule)


def get_suite_beside(text: str | Path, baselines: str | Path | None) -> Suite:
    """As `get_suite`, of a suite whose curves stand beside `baselines`: it is made from them where a rule makes it."""
    return get_suite(text, baselines if follows_baselines(text) else None)


find, names = get_suite, list_suites  # what they were called; until 0.3


def _all() -> list[SuiteRule | Shipped]:
    return [*rules(), *tiers.SHIPPED]


AnySuite = TypeVar("AnySuite", bound=SuiteRule | Shipped)


def _called(text: object, known: Sequence[AnySuite]) -> AnySuite:
    if (found := newest(text, known)) is not None:
        return found
    labels = list(map(str, known))
    short = dict.fromkeys(one.name for one in known)
    raise unknown("suite", text, [*labels, *short], f"Allowed are {', '.join(labels)}, and files (.json).")
