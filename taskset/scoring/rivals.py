"""Which optimizers are compared, and with how many trials per task.

Tuning takes, for each task, the candidate with the lowest score, mean over seeds, on the split named in its title. What is chosen
on the test tasks themselves, as a global learning rate or a tuned one, is chosen with knowledge that the learned optimizer does
not have: that favours the hand-designed side.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from taskset.samplers.optimizers import ADAM, family_of, opt_list_names
from taskset.scoring import run_scores

if TYPE_CHECKING:
    import pandas as pd

LIST = "nadamw_grid"
LIST_TRIALS = (1, 10, 100)
# Names of families in tables; the others keep their own.
TITLES = {ADAM: "Adam", "adagrad_lr": "Adagrad"}
WITHOUT_SCHEDULE = (ADAM, "adagrad_lr")  # families whose first steps are the same whatever the horizon
# Keys of rows that are looked for.
ADAM_ONE, ADAM_TUNED = f"{ADAM}:one", f"{ADAM}:train"


def only(means: pd.DataFrame, members: Sequence[str]) -> dict[str, str]:
    """{task: the first of `members`}."""
    return dict.fromkeys(means.index.get_level_values("task").unique(), members[0])


def best_for_all(means: pd.DataFrame, members: Sequence[str]) -> dict[str, str]:
    """{task: the member with the lowest mean train score over the tasks}."""
    return only(means, [str(_scores(means, members, "train").mean().idxmin())])


def best_by_train(means: pd.DataFrame, members: Sequence[str]) -> dict[str, str]:
    """{task: the member with the lowest train score on it}."""
    return _best_for_each(means, members, "train")


def best_by_validation(means: pd.DataFrame, members: Sequence[str]) -> dict[str, str]:
    """{task: the member with the lowest validation score on it}."""
    return _best_for_each(means, members, "valid_outer")


def _best_for_each(means: pd.DataFrame, members: Sequence[str], split: str) -> dict[str, str]:
    best = _scores(means, members, split).idxmin(axis=1)
    return {str(task): str(name) for task, name in best.items()}


def _scores(means: pd.DataFrame, members: Sequence[str], split: str) -> pd.DataFrame:
    """Index task, one column per member."""
    return means[means.index.get_level_values("split") == split].droplevel("split")[list(members)]


Choice: TypeAlias = Callable[["pd.DataFrame", Sequence[str]], dict[str, str]]  # one of the four above; `means`: as of `rivals_of`
TUNED_BY: dict[str, Choice] = {"train": best_by_train, "valid_outer": best_by_validation}  # {split of data: ..}


@dataclass(frozen=True)
class Rule:
    """How a row of a table chooses among optimizers, its members.

    key: FAMILY:KIND, which stays when titles change, or the name of a single member; trials: runs that a new task costs.
    """

    key: str
    title: str
    trials: int
    members: tuple[str, ...]
    choose: Choice


def rules(family: str, names: Sequence[str]) -> list[Rule]:
    """The rows of the optimizers called `names`, all of one family."""
    if family == LIST:
        return rules_of_list(names)
    members = tuple(names)
    if len(members) == 1:
        return [_alone(members[0])]
    title = TITLES.get(family, family)
    one = [Rule(ADAM_ONE, f"{title}, one learning rate for all", 1, members, best_for_all)] if family == ADAM else []
    return one + [
        Rule(f"{family}:{split}", f"{title}, tuned per task by {run_scores.LOSSES[split]}", len(members), members, choose)
        for split, choose in TUNED_BY.items()
    ]


def rules_of_list(names: Sequence[str]) -> list[Rule]:
    """The rows of the learned list: those of LIST_TRIALS whose first names are all among `names`."""
    firsts = [tuple(opt_list_names(trials)) for trials in LIST_TRIALS]
    return [
        Rule(f"{LIST}:{len(first)}", f"NAdamW's learned list, first {len(first)}", len(first), first, best_by_train)
        for first in firsts
        if set(first) <= set(names)
    ]


def _alone(name: str) -> Rule:
    return Rule(name, name, 1, (name,), only)


@dataclass(frozen=True)
class Rival:
    """A row with what its rule chose: {task: optimizer}."""

    rule: Rule
    chosen: dict[str, str]

    @property
    def key(self) -> str:
        """That of the rule."""
        return self.rule.key

    @property
    def title(self) -> str:
        """That of the rule, with the optimizer where the rule chose one for all tasks."""
        one = f": {next(iter(self.chosen.values()))}" if self.rule.choose is best_for_all else ""
        return self.rule.title + one

    @property
    def trials(self) -> int:
        """Runs that a new task costs."""
        return self.rule.trials


def families(optimizers: pd.Series) -> pd.Series:
    """`family_of` each name of a column, of which there are few in many rows."""
    return optimizers.map({name: family_of(name) for name in optimizers.unique()})


def of_adam(curves: pd.DataFrame) -> pd.DataFrame:
    """The rows of Adam's learning rates."""
    return curves[families(curves["optimizer"]) == ADAM]


def without_schedule(curves: pd.DataFrame) -> pd.DataFrame:
    """The rows of the optimizers whose runs may be cut short: a schedule depends on the horizon."""
    return curves[families(curves["optimizer"]).isin(WITHOUT_SCHEDULE)]


def rivals_of(means: pd.DataFrame, learned: Collection[str], order: pd.DataFrame | None = None) -> tuple[list[Rival], list[str]]:
    """All `Rival`s that the scores allow, and notes on those they don't.

    means: DataFrame of scores, index (split, task), one column per optimizer, NaN where there is no run; learned: names of the
    learned ones; order: of the same form, what is looked at to choose for each task (`run_scores.places`); None: the scores, of
    which equal ones are the first by name.
    """
    chosen, notes = [_alone(name) for name in learned], []
    families: dict[str, list[str]] = {}
    for name in means.columns:
        if name in learned:
            continue
        if (family := family_of(name)) is not None:
            families.setdefault(family, []).append(name)
        elif means[name].notna().all():  # an optimizer of a user's own is a row by itself
            chosen.append(_alone(name))
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
        made = rules(family, whole) if whole else []
        chosen += made
        if family == LIST and (left := len(whole) - max((len(rule.members) for rule in made), default=0)):
            firsts = " or ".join([", ".join(map(str, LIST_TRIALS[:-1])), str(LIST_TRIALS[-1])])
            notes.append(f"{family}: {left} of {len(whole)} optimizers are left out: they are no first {firsts} of the list")
    of_each = means if order is None else order  # places can't be averaged over tasks
    return [Rival(r, r.choose(means if r.choose is best_for_all else of_each, r.members)) for r in chosen], notes
