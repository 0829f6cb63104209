"""Who is compared, and with how many trials a task.

Tuning takes, for each task, the candidate with the lowest score, mean over seeds, on the split that is looked at. What is chosen
on test tasks themselves, as a global learning rate or a tuned one, is chosen with knowledge that the learned optimizer does not
have: that favours the hand-designed side.
"""

from dataclasses import dataclass

from taskset.errors import UnknownName
from taskset.samplers.optimizers import get_optimizer_config, opt_list_names

ADAM = "adam_lr"
LIST = "nadamw_grid"
LIST_TRIALS = (1, 10, 100)
# How families are called in tables; the others by their own name.
TITLES = {ADAM: "Adam", "adagrad_lr": "Adagrad"}
LOOKED_AT = {"train": "train loss", "valid_outer": "validation loss"}


@dataclass(frozen=True)
class Rival:
    """A row of the table. trials: runs that a new task costs; chosen: {task: optimizer}."""

    title: str
    trials: int
    chosen: dict


def family_of(optimizer):
    """The optimizer family of a name; None for a learned one, and for one of a user's own."""
    try:
        return get_optimizer_config(optimizer)[1]
    except UnknownName:
        return None


def rivals_of(means, learned):
    """All `Rival`s that the scores allow, and notes on those they don't.

    means: DataFrame of scores, index (split, task), a column an optimizer, NaN where there is no run; learned: names of the
    learned ones.
    """
    tasks = means.index.get_level_values("task").unique()
    found, notes = [Rival(name, 1, dict.fromkeys(tasks, name)) for name in learned], []
    families = {}
    for name in means.columns:
        if name not in learned:
            families.setdefault(family_of(name), []).append(name)
    for name in families.pop(None, []):  # an optimizer of a user's own has no family: it is a row by itself
        if means[name].notna().all():
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


def _of_family(means, family, names):
    rows, title = [], TITLES.get(family, family)
    if family == ADAM:
        train = means.loc["train"][names].mean()
        rows.append(Rival(f"{title}, one learning rate for all: {train.idxmin()}", 1, _all(means, train.idxmin())))
    for split, told in LOOKED_AT.items():
        rows.append(Rival(f"{title}, tuned per task by {told}", len(names), means.loc[split][names].idxmin(axis=1).to_dict()))
    return rows


def _of_list(means, names):
    rows = []
    for trials in LIST_TRIALS:
        listed = opt_list_names(trials)
        if set(listed) <= set(names):
            chosen = means.loc["train"][listed].idxmin(axis=1).to_dict()
            rows.append(Rival(f"NAdamW's learned list, first {trials}", trials, chosen))
    return rows


def _all(means, name):
    return dict.fromkeys(means.index.get_level_values("task").unique(), name)
