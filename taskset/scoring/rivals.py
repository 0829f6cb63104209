"""Which optimizers are compared, and with how many trials per task.

Tuning takes, for each task, the candidate with the lowest score, mean over seeds, on the split named in its title. What is chosen
on the test tasks themselves, as a global learning rate or a tuned one, is chosen with knowledge that the learned optimizer does
not have: that favours the hand-designed side.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taskset.samplers.optimizers import ADAM, family_of, opt_list_names
from taskset.scoring import run_scores

if TYPE_CHECKING:
    import pandas as pd

LIST = "nadamw_grid"
LIST_TRIALS = (1, 10, 100)
# Names of families in tables; the others keep their own.
TITLES = {ADAM: "Adam", "adagrad_lr": "Adagrad"}
TUNED_ON = ("train", "valid_outer")  # splits of data


@dataclass(frozen=True)
class Rule:
    """How a row of a table chooses among optimizers, its members. trials: runs that a new task costs.

    by: "" (there is one member), "all" (the member with the lowest mean train score over the tasks compared), or the split by
    whose score a member is chosen for each task.
    """

    title: str
    trials: int
    members: tuple[str, ...]
    by: str


def rules(family: str, names: Sequence[str]) -> list[Rule]:
    """The rows of the optimizers called `names`, all of one family."""
    if family == LIST:
        firsts = [tuple(opt_list_names(trials)) for trials in LIST_TRIALS]
        return [Rule(f"NAdamW's learned list, first {len(f)}", len(f), f, "train") for f in firsts if set(f) <= set(names)]
    members = tuple(names)
    if len(members) == 1:
        return [Rule(members[0], 1, members, "")]
    title = TITLES.get(family, family)
    one = [Rule(f"{title}, one learning rate for all", 1, members, "all")] if family == ADAM else []
    tuned = [(f"{title}, tuned per task by {run_scores.LOSSES[split]}", split) for split in TUNED_ON]
    return one + [Rule(called, len(members), members, split) for called, split in tuned]


@dataclass(frozen=True)
class Rival:
    """A row with what it chose. trials: runs that a new task costs; chosen: {task: optimizer}."""

    title: str
    trials: int
    chosen: dict[str, str]


def families(optimizers: pd.Series) -> pd.Series:
    """`family_of` each name of a column, of which there are few in many rows."""
    return optimizers.map({name: family_of(name) for name in optimizers.unique()})


def of_adam(curves: pd.DataFrame) -> pd.DataFrame:
    """The rows of Adam's learning rates."""
    return curves[families(curves["optimizer"]) == ADAM]


def rivals_of(means: pd.DataFrame, learned: Collection[str]) -> tuple[list[Rival], list[str]]:
    """All `Rival`s that the scores allow, and notes on those they don't.

    means: DataFrame of scores, index (split, task), one column per optimizer, NaN where there is no run; learned: names of the
    learned ones.
    """
    tasks = means.index.get_level_values("task").unique()
    found, notes = [Rival(name, 1, dict.fromkeys(tasks, name)) for name in learned], []
    families: dict[str, list[str]] = {}
    for name in means.columns:
        if name in learned:
            continue
        if (family := family_of(name)) is not None:
            families.setdefault(family, []).append(name)
        elif means[name].notna().all():  # an optimizer of a user's own is a row by itself
            found.append(Rival(name, 1, _all(means, name)))
        else:
            notes.append(f"{name} lacks curves of some task and is left out")
    for family in sorted(families, key=lambda family: (family != ADAM, family == LIST, family)):
        names = families[family]
        # Only what every task has: else one rival would be judged on other tasks than the next.
        whole = [name for name in names if means[name].notna().all()]
        if len(whole) < len(names):
            notes.append(
                f"{family}: {len(names) - len(whole)} of {len(names)} optimizers lack curves of some task and are left out"
            )
        if whole:
            found += [_choose(rule, means) for rule in rules(family, whole)]
    return found, notes


def _choose(rule: Rule, means: pd.DataFrame) -> Rival:
    if not rule.by:
        return Rival(rule.title, rule.trials, _all(means, rule.members[0]))
    split = "train" if rule.by == "all" else rule.by
    scores = means[means.index.get_level_values("split") == split].droplevel("split")[list(rule.members)]
    if rule.by == "all":
        best = str(scores.mean().idxmin())
        return Rival(f"{rule.title}: {best}", rule.trials, _all(means, best))
    return Rival(rule.title, rule.trials, {str(task): str(name) for task, name in scores.idxmin(axis=1).items()})


def _all(means: pd.DataFrame, name: str) -> dict[str, str]:
    return dict.fromkeys(means.index.get_level_values("task").unique(), name)
