"""Which optimizers are compared, and with how many trials per task.

Tuning takes, for each task, the candidate with the lowest score, mean over seeds, on the split named in its title. What is chosen
on the test tasks themselves, as a global learning rate or a tuned one, is chosen with knowledge that the learned optimizer does
not have: that favours the hand-designed side.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from taskset.samplers.optimizers import ADAM, family_of, opt_list_names

if TYPE_CHECKING:
    import pandas as pd

LIST = "nadamw_grid"
LIST_TRIALS = (1, 10, 100)
# Names of families in tables; the others keep their own.
TITLES = {ADAM: "Adam", "adagrad_lr": "Adagrad"}
TUNED_ON = {"train": "train loss", "valid_outer": "validation loss"}


@dataclass(frozen=True)
class Rival:
    """A row of the table. trials: runs that a new task costs; chosen: {task: optimizer}."""

    title: str
    trials: int
    chosen: dict[str, str]


def families(optimizers: pd.Series) -> pd.Series:
    """`family_of` each name of a column, of which there are few in many rows."""
    return optimizers.map({name: family_of(name) for name in optimizers.unique()})


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
        if family == LIST:
            found += _of_list(means, whole)
        elif whole:
            found += _of_family(means, family, whole)
    return found, notes


def _of_family(means: pd.DataFrame, family: str, names: list[str]) -> list[Rival]:
    rows, title = [], TITLES.get(family, family)
    if family == ADAM:
        best = str(_scores(means, "train", names).mean().idxmin())
        rows.append(Rival(f"{title}, one learning rate for all: {best}", 1, _all(means, best)))
    for split, loss in TUNED_ON.items():
        rows.append(Rival(f"{title}, tuned per task by {loss}", len(names), _best_per_task(means, split, names)))
    return rows


def _of_list(means: pd.DataFrame, names: list[str]) -> list[Rival]:
    rows = []
    for trials in LIST_TRIALS:
        listed = opt_list_names(trials)
        if set(listed) <= set(names):
            rows.append(Rival(f"NAdamW's learned list, first {trials}", trials, _best_per_task(means, "train", listed)))
    return rows


def _scores(means: pd.DataFrame, split: str, names: list[str]) -> pd.DataFrame:
    """The scores of some optimizers on one split: index task, one column per optimizer."""
    return means[means.index.get_level_values("split") == split].droplevel("split")[names]


def _best_per_task(means: pd.DataFrame, split: str, names: list[str]) -> dict[str, str]:
    return {str(task): str(name) for task, name in _scores(means, split, names).idxmin(axis=1).items()}


def _all(means: pd.DataFrame, name: str) -> dict[str, str]:
    return dict.fromkeys(means.index.get_level_values("task").unique(), name)
