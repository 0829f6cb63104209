"""The table: learned optimizers and hand-designed ones, by the trials that they take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from taskset.errors import ConfigError, StoreError, counted, cut, shown
from taskset.normalization import store
from taskset.normalization.normalizer import mean_curves
from taskset.normalization.store.outdated import outdated_line, tasks_and_versions
from taskset.scoring import alike, requested, rivals, run_scores, speedup, statistics, suites
from taskset.scoring.rivals import Rival
from taskset.scoring.run_scores import Scales

if TYPE_CHECKING:
    import pandas as pd

COMPARED = ("train", "test")  # splits of data, in the table; valid_outer is for tuning alone
LEFT = ["title", "trials", "split", "tasks", "runs", "diverged"]


@dataclass(frozen=True)
class Comparison:
    """How learned optimizers compare with their rivals.

    table: one row per rival and split: LEFT, and the value, low and high of each statistic; speedups: one row per learned
    optimizer and task; per_task: scores, mean over seeds, index (split, task), one column per optimizer; notes: what a reader of
    the table has to know, one line each; horizon: of the runs, in steps; view: of `run_scores.VIEWS`; rivals: the rows of the
    table, with what each chose.
    """

    table: pd.DataFrame
    speedups: pd.DataFrame
    per_task: pd.DataFrame
    notes: list[str]
    horizon: int
    view: str
    rivals: list[Rival] = field(default_factory=list)


def read_results(roots: Sequence[str | Path], version: str | None = None) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    """(curves, {optimizer: options of its evaluation}) of directories made by `evaluate`; version: as of `load_curves`."""
    import pandas as pd

    if isinstance(roots, (str, Path)) or not roots:
        raise ConfigError(f"results {shown(roots)}: allowed is a list of directories made by `python -m learned evaluate`")
    frames, evaluations = [], {}
    for root in roots:
        options = _options(root)
        name = options["optimizers"][0]
        if name in evaluations:
            raise ConfigError(f"{name!r} is in two of the directories: give checkpoints names of their own with evaluate --name")
        evaluations[name] = options
        frames.append(store.load_curves(root=root, version=version))
    for option, called in (("steps", "horizons"), ("source", "sources")):
        found = sorted({options[option] for options in evaluations.values()})
        if len(found) > 1:
            raise ConfigError(f"the results have {called} {found}: allowed is one; compare them one after the other")
    return pd.concat([store.with_text_names(frame) for frame in frames], ignore_index=True), evaluations


def _options(root: str | Path) -> dict[str, Any]:
    """The options of the evaluation of one checkpoint that made the results below `root`."""
    options = store.read_options(root)
    try:
        (name,), steps, seeds = options["optimizers"], options["steps"], options["seeds"]
        if isinstance(name, str) and type(steps) is int and isinstance(seeds, list) and isinstance(options["source"], str):
            return options
    except (ValueError, KeyError, TypeError):
        pass
    raise StoreError(f"{root} holds no evaluation of one checkpoint: give the --out of `python -m learned evaluate`")


def scales_of(
    normalizers: pd.DataFrame, source: str, tasks: Iterable[str], horizon: int, asked: int | None
) -> tuple[Scales, int]:
    """{(task, split): (initial, best)} and the normalizers' horizon: `asked`, or the shortest that is not below `horizon`.

    Raises ConfigError where there is none.
    """
    there = normalizers[normalizers["source"].isin(store.sources_of(source)) & normalizers["task"].isin(tasks)]
    horizons = sorted(int(h) for h in there["horizon"].unique())
    fitting = [h for h in horizons if h == asked or (asked is None and h >= horizon)]
    if not horizons:
        raise ConfigError(
            f"the baselines have no normalizers of these tasks on source {source}: give those that have, by --baselines"
        )
    if not fitting:
        wanted = f"of horizon {asked}" if asked else f"that reach {horizon} steps"
        raise ConfigError(
            f"the baselines have no normalizers {wanted} for these tasks (source {source}); their horizons are {horizons}: "
            "evaluate with a --horizon that is not longer"
        )
    if fitting[0] < horizon:
        raise ConfigError(f"horizon {horizon} is longer than the normalizers', {fitting[0]}, beyond which they don't hold")
    return suites.measured(there[there["horizon"] == fitting[0]]), fitting[0]


def compare(
    roots: Sequence[str | Path],
    baselines: str | Path | None = None,
    view: str = "end",
    normalizer_horizon: int | None = None,
    version: str | None = None,
) -> Comparison:
    """The `Comparison` of results of `evaluate` under `roots` with the baselines in a directory (None: the package's).

    view: the number taken from each curve, "end", "mean" or "lowest". normalizer_horizon: that of the scales; None: the shortest
    that is as long as the results. Tasks that not all results have are left out, with a note. version: None: tasks that changed
    since their baselines were computed are left out, with a note; "0.1": results and baselines as that version computed them.
    Runs of the seeds that all have are compared, with a note where others are left out.

    Raises: ConfigError for a view, results that can't be compared, horizons without scales; StoreError for what can't be read.
    """
    import pandas as pd

    of_curve = run_scores.view(view)
    asked = _asked(roots, baselines, normalizer_horizon, version)
    theirs, cut_short = _theirs(asked, baselines, version)
    tasks = [task for task in asked.tasks if (task, "train") in asked.scales and (task, "valid_outer") in asked.scales]
    if not tasks:
        raise ConfigError("none of these tasks has a normalizer in the baselines: compare others")
    curves, theirs = (frame[frame["task"].isin(tasks)] for frame in (asked.curves, theirs))
    steps = run_scores.common_steps([curves, theirs], asked.horizon, _given_or(run_scores.AGAIN, baselines))
    learned = list(asked.evaluations)
    (theirs, *each), seeds = alike.of_common_seeds([theirs, *(curves[curves["optimizer"] == name] for name in learned)])
    both = [pd.concat(each, ignore_index=True), theirs]
    scores = pd.concat([run_scores.scores(frame, asked.scales, steps, of_curve) for frame in both], ignore_index=True)
    per_task, over = _tables(scores)
    rows, lacking = rivals.rivals_of(per_task.loc[["train", "valid_outer"]], learned, run_scores.places(scores))
    table = _statistics(rows, per_task, over)
    speedups = _speedups(both, learned, tasks, steps, asked.horizon)
    notes = [
        *_without_scales(asked),
        *alike.shorter_notes(asked.horizon, asked.longer),
        *_batches(asked, baselines),
        *_cut_short(cut_short),
        *_tasks_left_out(asked, roots),
        *seeds,
        *alike.fewer_seeds(theirs),
        *statistics.narrow(table["tasks"]),
        *lacking,
        *_without_speed_up(tasks, speedups),
    ]
    return Comparison(table, speedups, per_task, notes, asked.horizon, view, rows)


def _given_or(way_out: str, baselines: str | Path | None) -> str:
    """The way out where nothing fits: without `baselines`, the package's were compared with, maybe by oversight."""
    own = "give the sweep that the suite was made with, --baselines DIR, instead of the package's; or "
    return way_out if baselines is not None else own + way_out


@dataclass(frozen=True)
class _Asked:
    """What is to be compared.

    curves: of the learned optimizers; evaluations: {learned optimizer: options of its evaluation}; tasks: those that all of them
    have, without `older`; uncommon: those that some of them have; older: (task, version of its baselines) where the task changed
    since; scales: of the baselines of so many steps, `longer`.
    """

    curves: pd.DataFrame
    evaluations: dict[str, dict[str, Any]]
    tasks: list[str]
    uncommon: list[str]
    older: list[tuple[str, str]]
    scales: Scales
    longer: int

    @property
    def horizon(self) -> int:
        """Steps of the evaluations."""
        return next(iter(self.evaluations.values()))["steps"]

    @property
    def sources(self) -> list[str]:
        """Of the curves."""
        return store.sources_of(next(iter(self.evaluations.values()))["source"])


def _asked(
    roots: Sequence[str | Path], baselines: str | Path | None, normalizer_horizon: int | None, version: str | None
) -> _Asked:
    """Arguments of `compare`. Raises `ConfigError` where no task can be compared."""
    curves, evaluations = read_results(roots, version)
    options = next(iter(evaluations.values()))
    tasks, uncommon = _common_tasks(curves)
    normalizers, old = store.normalizers_of(baselines, version)
    normalized = set(normalizers["task"])
    older = [(task, made_by) for task, made_by in sorted(old) if task in tasks and task not in normalized]
    tasks = [task for task in tasks if task not in dict(older)]
    if not tasks:
        raise ConfigError(outdated_line("baselines", *older[0]))
    scales, longer = scales_of(normalizers, options["source"], tasks, options["steps"], normalizer_horizon)
    return _Asked(curves, evaluations, tasks, uncommon, older, scales, longer)


def _theirs(asked: _Asked, baselines: str | Path | None, version: str | None) -> tuple[pd.DataFrame, list[str]]:
    """(the baselines' curves, the families that are left out, as runs of theirs can't be cut short).

    Raises `ConfigError` where a task has no curves.
    """
    found = store.load_curves(task=asked.tasks, source=asked.sources, horizon=[asked.longer], root=baselines, version=version)
    whole = store.with_text_names(found)
    usable = whole if asked.longer == asked.horizon else rivals.without_schedule(whole)
    there = set(usable["task"])
    lacking = [task for task in asked.tasks if task not in there]
    if lacking:
        way_out = _given_or("measure it, or leave it out", baselines)
        raise ConfigError(f"the baselines have no curves of {lacking[0]!r} ({len(lacking)} in all): {way_out}")
    if usable is whole:
        return whole, []
    before, after = ({str(family) for family in rivals.families(frame["optimizer"])} for frame in (whole, usable))
    return usable, sorted(before - after)


def _common_tasks(curves: pd.DataFrame) -> tuple[list[str], list[str]]:
    """(the tasks on which there are curves of all optimizers, the others). Raises `ConfigError` where there are none."""
    counts = curves.groupby("task")["optimizer"].nunique()
    whole = counts == curves["optimizer"].nunique()
    tasks, others = sorted(counts.index[whole]), sorted(counts.index[~whole])
    if not tasks:
        raise ConfigError("the evaluations have no task in common: compare evaluations on the same suite")
    return tasks, others


def _without_scales(asked: _Asked) -> list[str]:
    notes = []
    for task in asked.tasks:
        splits = [split for split in ("train", "valid_outer", "test") if (task, split) not in asked.scales]
        if splits:
            notes.append(f"{task} has no normalizer for {', '.join(splits)}")
    return notes


def _batches(asked: _Asked, baselines: str | Path | None) -> list[str]:
    counts = alike.batches_of_baselines(baselines, asked.tasks, asked.sources, asked.longer)
    return alike.batches_notes({name: options["batches"] for name, options in asked.evaluations.items()}, counts)


def _cut_short(families: Sequence[str]) -> list[str]:
    return [f"left out, as their schedules may depend on the horizon: {', '.join(families)}"] if families else []


def _tasks_left_out(asked: _Asked, roots: Sequence[str | Path]) -> list[str]:
    """Notes on the tasks that not all evaluations have, and on those that changed."""
    unfinished = {name: requested.unfinished(root) for name, root in zip(asked.evaluations, roots)}
    notes = [_left_out(names, f"{name} has not finished") for name, names in unfinished.items() if names]
    if uncommon := sorted(set(asked.uncommon).difference(*unfinished.values())):
        notes.append(_left_out(uncommon, "not all evaluations have"))
    if asked.older:
        notes.append(f"left out: {tasks_and_versions(asked.older)}, which changed since their baselines were computed")
    return notes


def _left_out(tasks: Sequence[str], which: str) -> str:
    return f"left out: {counted(len(tasks), 'task')} that {which} ({cut(', '.join(tasks))})"


def _without_speed_up(tasks: Sequence[str], speedups: pd.DataFrame) -> list[str]:
    without = sorted(set(tasks) - set(speedups["task"]))
    if not without:
        return []
    tasks = counted(len(without), "task")
    return [f"no speed-up on {tasks} of which the baselines have no curves of Adam ({cut(', '.join(without))})"]


def _tables(scores):
    """(means over seeds, counts of diverged and of all runs), index (split, task), one column per optimizer."""
    groups = scores.groupby(["split", "task", "optimizer"], sort=True)
    return groups["score"].mean().unstack(), groups["diverged"].agg(["sum", "size"]).unstack()


def _statistics(rows, per_task, over):
    import pandas as pd

    table = []
    for row in rows:
        for split in COMPARED:
            tasks = [task for task in row.chosen if (split, task) in per_task.index]
            if not tasks:
                continue
            values = np.array([per_task.at[(split, task), row.chosen[task]] for task in tasks])
            counts = [[over.at[(split, task), (kind, row.chosen[task])] for task in tasks] for kind in ("size", "sum")]
            line = [row.title, row.trials, split, len(tasks), *(int(sum(c)) for c in counts)]
            for statistic in statistics.STATISTICS.values():
                line += statistics.estimate(values, statistic)
            table.append(line)
    named = [f"{name}{part}" for name in statistics.STATISTICS for part in ("", " low", " high")]
    return pd.DataFrame(table, columns=LEFT + named)


def _speedups(both, learned, tasks, steps, horizon):
    """One row per (learned optimizer, task): speedup, at_least (no Adam rate gets there: the speed-up is at least this).

    A task of which there are no curves of Adam has none.
    """
    import pandas as pd

    ours, theirs = (mean_curves(frame).sort_values("step") for frame in both)
    theirs = rivals.of_adam(theirs)
    if len(steps) > 1:  # smoothing counts evaluations, so that both need the same interval; theirs may go beyond `steps`
        theirs = theirs[theirs["step"] % (steps[1] - steps[0]) == 0]
    rows = []
    for task in tasks:
        part = theirs[theirs["task"] == task].pivot(index="step", columns="optimizer", values="train")
        if part.empty:
            continue
        for name in learned:
            run = ours[(ours["task"] == task) & (ours["optimizer"] == name) & ours["step"].isin(steps)]
            found = speedup.speed_up(run["train"].to_numpy(), horizon, part.index.to_numpy(), part.to_numpy().T)
            limit = part.index[-1] / horizon
            rows.append((name, task, min(found, limit), found > limit))
    return pd.DataFrame(rows, columns=["title", "task", "speedup", "at_least"])
