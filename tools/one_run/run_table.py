"""The table: optimizers beside Adam and the learned list."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from taskset.errors import counted
from tools import report
from tools.one_run.run_curves import scored

if TYPE_CHECKING:
    from taskset.scoring.rivals import Rival

QUADRATIC = "quadratic_family"


@dataclasses.dataclass(frozen=True)
class Line:
    """A rival (`taskset.scoring.rivals.Rival`) in the table: the number of tasks, "1 of 34" diverged runs, {statistic: value}."""

    rival: Rival
    tasks: int
    diverged: str
    numbers: dict[str, float]

    def cells(self):
        """In the columns of `text_of`."""
        numbers = [f"{value:.3f}" for value in self.numbers.values()]
        return [self.rival.title, self.rival.trials, self.tasks, self.diverged, *numbers]


def lines_of(curves, ours, suite, view, split):
    """{horizon: {key: `Line`}}, and the scores by task, with columns (horizon, key).

    curves: with those of the baselines (`beside_baselines`); ours: the optimizers that aren't baselines.
    """
    import pandas as pd

    from taskset.scoring.rivals import rivals_of

    means, diverged, runs = scored(curves, suite, view)
    found, chosen = {}, {}
    for horizon in sorted(int(h) for h in curves["horizon"].unique()):
        part, lines = means.xs(horizon, level="horizon").dropna(axis=1, how="all"), {}
        for rival in rivals_of(part.loc[["train", "valid_outer"]], ours)[0]:
            values = np.array(
                [part.at[(split, task), name] for task, name in rival.chosen.items() if (split, task) in part.index]
            )
            lost, of = (
                sum(int(counts.at[(split, horizon, task), name]) for task, name in rival.chosen.items())
                for counts in (diverged, runs)
            )
            lines[rival.key] = Line(rival, len(values), f"{lost} of {of}", numbers_of(values))
            chosen[horizon, rival.key] = {task: float(part.at[(split, task), name]) for task, name in rival.chosen.items()}
        found[horizon] = lines
    return found, pd.DataFrame(chosen)


def numbers_of(values):
    """{statistic: value} over tasks; values: [tasks]."""
    from taskset.scoring import statistics

    of_all = {name: float(statistic(values)) for name, statistic in statistics.STATISTICS.items()}
    return {**of_all, "worst quarter": statistics.worst_quarter(values)}


def by_family(scores_by_task, families):
    """Means over the tasks of each family; columns as those of `scores_by_task`. families: {task: family}."""
    table = scores_by_task.groupby(families).mean()
    table.insert(0, "tasks", scores_by_task.groupby(families).size())
    return table


class Against(NamedTuple):
    """An optimizer beside tuned Adam.

    better: "2 of 3" tasks; difference: of the means, paired, with its interval over the tasks; mean, iqm: of both, "0.2 / 0.3",
    without the quadratics, whose scores can be far below 0.
    """

    optimizer: str
    better: str
    difference: str
    mean: str
    iqm: str


def against_tuned(scores_by_task, ours, families):
    """`Against` of each of `ours`. families: {task: family}."""
    from taskset.scoring import statistics
    from taskset.scoring.rivals import ADAM_TUNED

    rest = [task for task in scores_by_task.index if families[task] != QUADRATIC]
    for name in ours:
        difference = (scores_by_task[name] - scores_by_task[ADAM_TUNED]).to_numpy()
        both = [scores_by_task.loc[rest, key].to_numpy() for key in (name, ADAM_TUNED)]
        pairs = [" / ".join(f"{statistics.STATISTICS[kind](values):.3f}" for values in both) for kind in ("mean", "IQM")]
        better = f"{int((difference < 0).sum())} of {len(difference)}"
        yield Against(name, better, statistics.estimate(difference).text(), *pairs)


def text_of(curves, ours, suite, split, view):
    """The tables as Markdown; arguments of `lines_of`."""
    from taskset.scoring.rivals import LIST, family_of

    tasks = curves["task"].nunique()
    found, scores_by_task = lines_of(curves, ours, suite, view, "train")
    families = {task: suite.entry(task).family for task in scores_by_task.index}
    parts = []
    for horizon, lines in found.items():
        parts.append(f"After {horizon:,} steps, {counted(tasks, 'task')} of split {split}, {view} of the normalized train loss:")
        header = ["optimizer", "trials", "tasks", "diverged runs", *next(iter(lines.values())).numbers]
        parts.append(report.table(header, [line.cells() for line in lines.values()]))
        table = by_family(scores_by_task[horizon], families)
        rules = [line.rival.rule for line in lines.values()]
        shown = [rule for rule in rules if family_of(rule.members[0]) != LIST]
        rows = [[family, int(row["tasks"]), *(f"{row[rule.key]:.3f}" for rule in shown)] for family, row in table.iterrows()]
        parts.append(report.table(["family", "tasks", *(rule.title for rule in shown)], rows))
        if not ours:
            continue
        columns = [
            "against tuned Adam",
            "better on",
            "difference of the means",
            "mean / tuned Adam's, no quadratics",
            "IQM / tuned Adam's",
        ]
        parts.append(report.table(columns, list(against_tuned(scores_by_task[horizon], ours, families))))
    return "\n\n".join(parts)
