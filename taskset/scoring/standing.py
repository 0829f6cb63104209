"""Where a candidate stands: its curves on a suite beside those of the baselines.

For each task, a row takes the trial with the lowest train loss where train loss is compared, and the one with the lowest
validation loss where test loss is. Trials that were drawn at random have no order: k of N are worth the mean over all choices
of k. Those of a list are tried in order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from taskset.errors import ConfigError
from taskset.normalization import store
from taskset.scoring import rivals, scores, statistics
from taskset.scoring.comparison import plain

if TYPE_CHECKING:
    import pandas as pd

    from taskset.scoring.candidates import Candidate
    from taskset.scoring.suites import Suite

Scales: TypeAlias = Mapping[tuple[str, str], tuple[float, float]]  # {(task, split): (initial, best)}

BUDGETS = (1, 10, 100)
CHOSEN_BY = {"train": "train", "test": "valid_outer"}  # split of the score: split by which trials are chosen


@dataclass(frozen=True)
class Row:
    """An optimizer with a number of trials.

    values: {split: {task: normalized loss, mean over seeds}}; diverged, runs: counts of all that was run; milliseconds: of a
    step, median over tasks, None where it isn't known; own: whether it is the candidate's.
    """

    title: str
    trials: int
    values: dict[str, dict[str, float]]
    diverged: int
    runs: int
    milliseconds: float | None = None
    own: bool = False

    def summary(self, split: str) -> dict[str, tuple[float, float, float]]:
        """{statistic: (value, low, high)} over tasks."""
        values = np.array(list(self.values[split].values()))
        found = {}
        for name, statistic in statistics.STATISTICS.items():
            low, high = statistics.interval(values, statistic)
            found[name] = float(statistic(values)), float(low), float(high)
        return found

    def won(self, split: str, other: Row) -> float:
        """The share of tasks whose loss is below the other row's; equal ones count half."""
        mine, theirs = self.values[split], other.values[split]
        return float(np.mean([0.5 + 0.5 * np.sign(theirs[task] - mine[task]) for task in mine]))


@dataclass(frozen=True)
class Standing:
    """The rows of a suite's table, the candidate's first; tuned: the one that `won` compares with; notes: lines for people."""

    suite: str
    horizon: int
    view: str
    tasks: list[str]
    rows: list[Row]
    tuned: Row | None
    notes: list[str] = field(default_factory=list)


def rows_of(frame: pd.DataFrame, title: str, names: Sequence[str], drawn: bool, own: bool = False) -> list[Row]:
    """`Row`s at BUDGETS and with all of `names`, trials in order; frame: of `scores.scores`; drawn: whether at random."""
    means = frame.groupby(["split", "task", "optimizer"])["score"].mean().unstack()[list(names)]
    over = frame[frame["split"] == "train"]
    counts = over.groupby("optimizer")["diverged"].agg(["sum", "size"])
    rows = []
    for trials in sorted({k for k in BUDGETS if k < len(names)} | {len(names)}):
        values = {}
        for split, by in CHOSEN_BY.items():
            if split not in means.index.get_level_values("split"):
                continue
            looked_at, scored = means.loc[by], means.loc[split]
            tasks = [task for task in scored.index if task in looked_at.index]
            pick = expected_of_best if drawn else best_of_first
            values[split] = {task: pick(looked_at.loc[task].to_numpy(), scored.loc[task].to_numpy(), trials) for task in tasks}
        part = counts if drawn else counts.loc[list(names[:trials])]
        rows.append(Row(title, trials, values, int(part["sum"].sum()), int(part["size"].sum()), own=own))
    return rows


def best_of_first(looked_at: np.ndarray, scored: np.ndarray, trials: int) -> float:
    """The score of the trial with the lowest value of `looked_at`, of the first `trials`; arrays [trials in all]."""
    return float(scored[np.argmin(looked_at[:trials])])


def expected_of_best(looked_at: np.ndarray, scored: np.ndarray, trials: int) -> float:
    """The mean of `best_of_first` over all choices of `trials` out of n: the i-th lowest is chosen with probability
    C(n - 1 - i, trials - 1) / C(n, trials), i = 0, 1, .."""
    n, order = len(looked_at), np.argsort(looked_at, kind="stable")
    weights = [math.comb(n - 1 - i, trials - 1) / math.comb(n, trials) for i in range(n)]
    return float(np.dot(weights, scored[order]))


def standing(
    candidate: Candidate,
    suite: Suite,
    tasks: Sequence[str],
    horizon: int,
    root: str | Path,
    view: str = "end",
    baselines: str | Path | None = None,
) -> Standing:
    """The `Standing` of results under `root`.

    tasks: names, of the suite; horizon: of the runs, at most the suite's; baselines: a directory of them, None: the package's.
    Raises: ConfigError where nothing can be compared.
    """
    chosen = scores.view(view)
    scales = {(e.task, split): scale for e in suite.tasks for split, scale in e.scales.items() if e.task in tasks}
    sources = [suite.source, "none"]
    if not all((task, "test") in scales for task in tasks):
        scales |= _test_scales(tasks, sources, suite.horizon, baselines)
    mine = plain(store.load_curves(task=tasks, root=root))
    theirs = _baselines(tasks, sources, suite.horizon, baselines)
    notes = []
    if horizon < suite.horizon:
        notes.append(f"losses are normalized by baselines of {suite.horizon} steps, of which the first {horizon} are compared")
        theirs = theirs[theirs["optimizer"].map(rivals.family_of).isin([rivals.ADAM])]  # the others' schedules are longer
    steps = scores.common_steps([mine, theirs] if len(theirs) else [mine], horizon)
    rows = rows_of(scores.scores(mine, scales, steps, chosen), candidate.name, candidate.names, candidate.drawn, own=True)
    ms = _milliseconds(mine)
    rows = [Row(**{**vars(row), "milliseconds": ms}) for row in rows]
    tuned = None
    if len(theirs):
        others = scores.scores(theirs, scales, steps, chosen)
        more, tuned = _rivals(others, tasks, notes)
        rows += more
    return Standing(f"{suite.name}:{suite.version}", horizon, view, list(tasks), rows, tuned, notes)


def _test_scales(tasks: Sequence[str], sources: Sequence[str], horizon: int, root: str | Path | None) -> Scales:
    """{(task, "test"): (initial, best)} of the baselines: suites of rules have scales of train and validation losses only."""
    frame = store.load_normalizers(root)
    frame = frame[frame["task"].isin(tasks) & frame["source"].isin(sources) & (frame["horizon"] == horizon)]
    frame = frame[(frame["split"] == "test") & frame["normalizable"]]
    return {(row["task"], "test"): (row["initial"], row["best"]) for row in frame.to_dict("records")}


def _baselines(tasks: Sequence[str], sources: Sequence[str], horizon: int, root: str | Path | None) -> pd.DataFrame:
    frame = plain(store.load_curves(task=list(tasks), source=sources, horizon=[horizon], root=root))
    lacking = set(tasks) - set(frame["task"])
    if lacking:
        raise ConfigError(
            f"the baselines have no curves of {sorted(lacking)[0]!r} at {horizon} steps ({len(lacking)} such tasks)"
        )
    return frame


def _milliseconds(frame: pd.DataFrame) -> float | None:
    """Median over tasks of the time of a step: of the last row of each run that was finished."""
    last = frame[(frame["step"] == frame["horizon"]) & ~frame["diverged"]]
    if "seconds" not in last or last.empty:
        return None
    each = (1000 * last["seconds"] / last["step"]).groupby(last["task"]).mean()
    return float(each.median())


def _rivals(frame: pd.DataFrame, tasks: Sequence[str], notes: list[str]) -> tuple[list[Row], Row | None]:
    """(the rows of the baselines, that of Adam tuned for each task)."""
    rows: list[Row] = []
    families: dict[str | None, list[str]] = {}
    for name in sorted(frame["optimizer"].unique()):
        families.setdefault(rivals.family_of(name), []).append(name)
    whole = {
        family: [n for n in names if set(frame.loc[frame["optimizer"] == n, "task"]) >= set(tasks)]
        for family, names in families.items()
    }
    adam = whole.get(rivals.ADAM, [])
    tuned = None
    if adam:
        part = frame[frame["optimizer"].isin(adam)]
        best = part[part["split"] == "train"].groupby("optimizer")["score"].mean().idxmin()
        rows += rows_of(part[part["optimizer"] == best], f"Adam, one: {best}", [best], False)
        tuned = rows_of(part, "Adam, tuned per task", adam, True)[-1]
        rows.append(tuned)
    for trials in rivals.LIST_TRIALS:
        names = rivals.opt_list_names(trials)
        part = frame[frame["optimizer"].isin(names)]
        each = part.groupby("task")["optimizer"].nunique()
        there = [task for task in tasks if each.get(task, 0) == len(names)]
        if not there:
            continue
        title = "learned list"
        if len(there) < len(tasks):
            title += f" ({len(there)} tasks)"
            if trials == rivals.LIST_TRIALS[0]:
                notes.append(
                    f"the baselines have NAdamW's learned list on {len(there)} of these {len(tasks)} tasks: compare it by `won`"
                )
        rows.append(rows_of(part[part["task"].isin(there)], title, names, False)[-1])
    return rows, tuned
