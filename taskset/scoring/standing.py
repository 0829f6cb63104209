"""Where a candidate stands: its curves on a suite beside those of the baselines.

For each task, a row takes the trial with the lowest train loss where train loss is compared, and the one with the lowest
validation loss where test loss is. Trials that were drawn at random have no order: k of N are worth the mean over all choices
of k. Those of a list are tried in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from taskset.errors import ConfigError, NoCurves, counted, cut
from taskset.normalization import store
from taskset.normalization.normalizer import mean_curves
from taskset.scoring import alike, rivals, run_scores, speedup, statistics, suites
from taskset.scoring.rows import Row, rows_of_drawn, rows_of_list
from taskset.scoring.run_scores import Scales
from taskset.scoring.suites.suite import ALL, Suite

if TYPE_CHECKING:
    import pandas as pd

    from taskset.scoring.candidates import Candidate
    from taskset.scoring.step_cost import StepCost


@dataclass(frozen=True)
class Standing:
    """The rows of a suite's table, the candidate's first; tuned: the one that `won` compares with; notes: lines for people;
    scales: those that losses are normalized by; source: of the data, "" where it isn't known."""

    suite: str
    horizon: int
    view: str
    tasks: list[str]
    rows: list[Row]
    tuned: Row | None
    notes: list[str] = field(default_factory=list)
    scales: Scales = field(default_factory=dict)
    source: str = ""


def standing(
    candidate: Candidate,
    suite: Suite,
    tasks: Sequence[str],
    horizon: int,
    root: str | Path,
    view: str = "end",
    baselines: str | Path | None = None,
    cost: StepCost | None = None,
) -> Standing:
    """The `Standing` of results under `root`.

    tasks: names, of the suite; horizon: of the runs, at most the suite's; baselines: a directory of them, None: the package's;
    cost: of the candidate's steps, where it was measured beside Adam's.
    Raises: ConfigError where nothing can be compared.
    """
    of_curve = run_scores.view(view)
    scales, other_scales = _scales(suite, tasks, baselines)
    mine = store.with_text_names(store.load_curves(task=tasks, root=root))
    theirs = _baselines(suite, tasks, baselines)
    (mine, theirs), seeds = alike.of_common_seeds([mine, theirs])
    fewer_seeds, not_shown = alike.fewer_seeds(theirs), [] if baselines is None else _not_shown(theirs)
    adam = rivals.of_adam(theirs)
    if horizon < suite.horizon:  # a schedule depends on the horizon
        theirs = adam
    steps = run_scores.common_steps([mine, theirs] if len(theirs) else [mine], horizon)
    rows_of = rows_of_drawn if candidate.drawn else rows_of_list
    own, speeds = run_scores.scores(mine, scales, steps, of_curve), _speeds(mine, adam, steps)
    rows = rows_of(own, candidate.name, candidate.names, own=True, speeds=speeds)
    ms, relative = (cost.milliseconds, cost.relative) if cost else (_milliseconds(mine), None)
    rows = [replace(row, milliseconds=ms, relative=relative) for row in rows]
    others, tuned, listed = list[Row](), None, list[str]()
    if len(theirs):
        scores = run_scores.scores(theirs, scales, steps, of_curve)
        others, tuned, listed = _rivals(scores, tasks, _speeds(theirs, adam, steps))
    rows += others
    notes = [
        *seeds,
        *fewer_seeds,
        *_batches(candidate, suite, tasks, root, baselines),
        *_untested(tasks, scales),
        *other_scales,
        *_trained_on(candidate, tasks),
        *alike.shorter_notes(horizon, suite.horizon),
        *listed,
        *not_shown,
        *statistics.narrow(len(each) for row in rows for each in row.values.values()),
    ]
    return Standing(suite.label, horizon, view, list(tasks), rows, tuned, notes, scales, suite.source)


def _batches(
    candidate: Candidate, suite: Suite, tasks: Sequence[str], root: str | Path, baselines: str | Path | None
) -> list[str]:
    counts = alike.batches_of_baselines(baselines, tasks, store.sources_of(suite.source), suite.horizon)
    return alike.batches_notes({candidate.name: store.read_options(root)["batches"]}, counts)


def _not_shown(theirs: pd.DataFrame) -> list[str]:
    """Which optimizers of own baselines have no row. The package's have further ones, too, and its tables say of which tasks."""
    families = rivals.families(theirs["optimizer"])
    others = sorted({str(name) for name in theirs["optimizer"][~families.isin([rivals.ADAM, rivals.LIST])].unique()})
    return [f"baselines without a row here, which `python -m taskset report` shows: {cut(', '.join(others))}"] if others else []


def _untested(tasks: Sequence[str], scales: Scales) -> list[str]:
    tested = sum((task, "test") in scales for task in tasks)
    if tested == len(tasks):
        return []
    return [f"test loss of {tested} of {len(tasks)} tasks: the others have no test normalizer"]


def _trained_on(candidate: Candidate, tasks: Sequence[str]) -> list[str]:
    if not (seen := len(set(tasks) & set(candidate.trained_on))):
        return []
    return [f"{candidate.name} was trained on {seen} of these {len(tasks)} tasks: --split test leaves them out"]


def of_baselines(suite: Suite, view: str = "end", baselines: str | Path | None = None) -> Standing:
    """The `Standing` of the baselines alone on all tasks of a suite whose scales are stored; without speed-ups.

    Raises: ConfigError where a task has no baselines.
    """
    tasks, scales = suite.names_of(ALL), suite.scales
    theirs = _baselines(suite, tasks, baselines)
    steps = run_scores.common_steps([theirs], suite.horizon)
    rows, tuned, listed = _rivals(run_scores.scores(theirs, scales, steps, run_scores.view(view)), tasks, None)
    notes = [*alike.fewer_seeds(theirs), *listed]
    return Standing(suite.label, suite.horizon, view, tasks, rows, tuned, notes, scales, suite.source)


def check_horizon(suite: Suite, tasks: Sequence[str], horizon: int, baselines: str | Path | None = None) -> None:
    """Raise `ConfigError` where `standing` couldn't compare runs of so many steps with the baselines, before there are any."""
    theirs = _baselines(suite, tasks, baselines, columns=["task", "step"])
    each = [set(steps) for _, steps in theirs.groupby("task", observed=True)["step"]]
    allowed = sorted(set.intersection(*each) - {0})
    if horizon not in allowed:
        near = min(allowed, key=lambda step: abs(step - horizon))
        raise ConfigError(
            f"horizon {horizon}: allowed are steps at which the suite's baselines were evaluated, {allowed[0]}, .., "
            f"{allowed[-1]}; the nearest is {near}"
        )


def _speeds(frame: pd.DataFrame, adam: pd.DataFrame, steps: Sequence[int]) -> pd.DataFrame | None:
    """`speedup.relative_speed` of mean curves over seeds: index task, one column per optimizer; None without Adam's curves."""
    if adam.empty:
        return None
    columns = ["task", "optimizer", "step"]
    curves, beside = (mean_curves(part[part["step"].isin(steps)]).sort_values(columns) for part in (frame, adam))
    envelopes = {task: part.pivot(index="optimizer", columns="step", values="train") for task, part in beside.groupby("task")}
    groups = curves[curves["task"].isin(envelopes)].groupby(["task", "optimizer"])
    found = {
        (task, optimizer): speedup.relative_speed(run["train"].to_numpy(), run["step"].to_numpy(), envelopes[task].to_numpy())
        for (task, optimizer), run in groups
    }
    import pandas as pd

    return pd.Series(found).unstack()


def _scales(suite: Suite, tasks: Sequence[str], baselines: str | Path | None) -> tuple[Scales, list[str]]:
    """(those of the tasks; of test losses the baselines', where the suite lacks some; a note where these have other scales).

    Suites that are made from baselines by patterns or a rule have scales of train and validation losses only.
    """
    scales = {key: scale for key, scale in suite.scales.items() if key[0] in tasks}
    lacking = {task for task in tasks if (task, "test") not in scales}
    if not lacking:
        return scales, []
    theirs = _measured(suite, lacking, baselines)
    tested = {key: scale for key, scale in theirs.items() if key[1] == "test"}
    others = {key[0] for key, scale in scales.items() if (key[0], "test") in tested and theirs.get(key, scale) != scale}
    if not others:
        return {**scales, **tested}, []
    where = "the package's baselines" if baselines is None else str(baselines)
    what = f"on {len(others)} of {len(tasks)} tasks the suite's scales of train and validation loss are not those of {where}"
    return {**scales, **tested}, [f"{what}, which normalize their test loss: make the suite again from these"]


def _measured(suite: Suite, tasks: Iterable[str], baselines: str | Path | None) -> Scales:
    """The scales that the baselines have of some tasks over the suite's horizon."""
    frame, _ = store.normalizers_of(baselines)
    of_suite = frame["source"].isin(store.sources_of(suite.source)) & (frame["horizon"] == suite.horizon)
    return suites.measured(frame[of_suite & frame["task"].isin(list(tasks))])


def _baselines(suite: Suite, tasks: Sequence[str], root: str | Path | None, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Their curves on the tasks over the suite's horizon. Raises `ConfigError` where a task has none."""
    sources, horizon = store.sources_of(suite.source), suite.horizon
    try:
        found = store.load_curves(task=list(tasks), source=sources, horizon=[horizon], root=root, columns=columns)
        frame = store.with_text_names(found)
        there = set(frame["task"])
    except NoCurves:
        there = set()
    lacking = set(tasks) - there
    if lacking:
        raise ConfigError(
            f"{'the package' if root is None else root} has no curves of {sorted(lacking)[0]!r} over {horizon} steps "
            f"({counted(len(lacking), 'such task')}): give the directory of the baselines that the suite was made with, "
            "by --baselines"
        )
    return frame


def _milliseconds(frame: pd.DataFrame) -> float | None:
    """Median over tasks of the time of a step: of the last row of each run that was finished."""
    last = frame[(frame["step"] == frame["horizon"]) & ~frame["diverged"]]
    if "seconds" not in last or last.empty:
        return None
    each = (1000 * last["seconds"] / last["step"]).groupby(last["task"]).mean()
    return float(each.median())


def _rivals(frame: pd.DataFrame, tasks: Sequence[str], speeds: pd.DataFrame | None) -> tuple[list[Row], Row | None, list[str]]:
    """(the rows of the baselines, that of Adam tuned for each task, notes); speeds: as of `rows_of_list`."""
    adam, listed = _of_adam(rivals.of_adam(frame), tasks, speeds), _of_list(frame, tasks, speeds)
    notes = []
    if listed and (count := min(len(row.values["train"]) for row in listed)) < len(tasks):
        notes.append(f"the baselines have NAdamW's learned list on {count} of these {len(tasks)} tasks: compare it by `won`")
    return [*adam, *listed], adam[-1] if adam else None, notes


def _of_adam(frame: pd.DataFrame, tasks: Sequence[str], speeds: pd.DataFrame | None) -> list[Row]:
    """Adam's best single rate, and Adam tuned for each task: of the rates that all tasks have; nothing where there is none."""
    counts = frame.groupby("optimizer")["task"].nunique()
    rates = sorted(counts.index[counts == len(tasks)])
    if not rates:
        return []
    means = run_scores.means(frame)  # a task counts once, whatever its seeds
    best = rivals.best_for_all(means, rates)[tasks[0]]
    (one,) = rows_of_list(frame[frame["optimizer"] == best], f"Adam, one: {best}", [best], speeds=speeds)
    tuned = rows_of_drawn(frame[frame["optimizer"].isin(rates)], "Adam, tuned per task", rates, speeds=speeds)[-1]
    return [replace(one, key=rivals.ADAM_ONE), replace(tuned, key=rivals.ADAM_TUNED)]


def _of_list(frame: pd.DataFrame, tasks: Sequence[str], speeds: pd.DataFrame | None) -> list[Row]:
    """The learned list, each of its lengths on the tasks that have all of it."""
    rows = []
    for rule in rivals.rules_of_list(sorted(frame["optimizer"].unique())):
        part = frame[frame["optimizer"].isin(rule.members)]
        counts = part.groupby("task")["optimizer"].nunique()
        there = [task for task in tasks if counts.get(task, 0) == len(rule.members)]
        if there:
            title = "learned list" + (f" ({counted(len(there), 'task')})" if len(there) < len(tasks) else "")
            row = rows_of_list(part[part["task"].isin(there)], title, rule.members, speeds=speeds)[-1]
            rows.append(replace(row, key=rule.key))
    return rows
