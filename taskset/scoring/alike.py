"""What has to be alike before losses of several origins are compared: seeds, steps, the batches of an evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from taskset.normalization import store
from taskset.normalization.store import layout

if TYPE_CHECKING:
    import pandas as pd


def of_common_seeds(frames: Sequence[pd.DataFrame]) -> tuple[list[pd.DataFrame], list[str]]:
    """Frames of curves on the same tasks with the seeds that all of them have of a task, and a note where runs are left out.

    The best of many trials is the lower, the fewer seeds its mean is over: means over unequal numbers can't be compared. Of a
    task without such a seed all runs stay, and a note says so.
    """
    each = [set(zip(frame["task"], frame["seed"])) for frame in frames]
    if all(pairs == each[0] for pairs in each):
        return list(frames), []
    common = set.intersection(*each)
    of_task: dict[str, set[int]] = {task: set() for task, _ in set.union(*each)}
    for task, seed in common:
        of_task[task].add(int(seed))
    kept = [
        frame[np.array([not of_task[t] or seed in of_task[t] for t, seed in zip(frame["task"], frame["seed"])], bool)]
        for frame in frames
    ]
    notes = []
    if without := [task for task, seeds in of_task.items() if not seeds]:
        notes.append(f"runs of different seeds are compared: {len(without)} of {len(of_task)} tasks have none in common")
    if common:
        most = set.union(*of_task.values())
        others = {int(seed) for pairs in each for task, seed in pairs if of_task[task]} - most
        fewer = sum(0 < len(seeds) < len(most) for seeds in of_task.values())
        some = f", on {fewer} of {len(of_task)} tasks fewer of them" if fewer else ""
        without_others = f" (not those of {_seeds(others)})" if others else ""
        have = f"which {'both' if len(frames) == 2 else 'all'} have"
        notes.append(f"compared: the runs of {_seeds(most)}, {have}{some}{without_others}")
    return kept, notes


def _seeds(numbers: Iterable[int]) -> str:
    listed = sorted(numbers)
    return f"seed{'s'[: len(listed) - 1]} {', '.join(map(str, listed))}"


def fewer_seeds(frame: pd.DataFrame) -> list[str]:
    """A note where, of the curves on a task, some optimizers have fewer seeds than others: their means are not alike."""
    runs = frame[["task", "optimizer", "seed"]].drop_duplicates()
    counts = runs.groupby(["task", "optimizer"], observed=True).size()
    few = counts[counts < counts.groupby("task", observed=True).transform("max")].reset_index()
    if few.empty:
        return []
    names = sorted(few["optimizer"].astype(str).unique())
    shown = names[0] if len(names) == 1 else f"{names[0]} .. {names[-1]}"
    return [
        f"on {few['task'].nunique()} of {frame['task'].nunique()} tasks {shown} ({len(names)} in all) have fewer seeds than "
        "other baselines: the best of several is then too low"
    ]


def shorter_notes(horizon: int, longest: int) -> list[str]:
    """A note where the runs that are compared, of `horizon` steps, are shorter than the baselines that normalize their losses."""
    if horizon == longest:
        return []
    return [f"normalized by baselines of {longest} steps, of which the first {horizon} are looked at"]


def batches_of_baselines(root: str | Path | None, tasks: Iterable[str], sources: Sequence[str], horizon: int) -> list[int]:
    """The numbers of batches in an evaluation of the baselines of some tasks, sorted; none where the directory doesn't say.

    root: of a sweep or of merged ones; None: the package's.
    """
    if root is None or store.is_merged(root):
        frame = store.load_sweeps(root)
        rows = frame[frame["task"].isin(list(tasks)) & frame["source"].isin(sources) & (frame["horizon"] == horizon)]
        return sorted(int(count) for count in rows["batches"].unique())
    return [store.read_options(root)["batches"]] if (Path(root) / layout.SWEEP).exists() else []


def batches_notes(mine: Mapping[str, int], theirs: Sequence[int]) -> list[str]:
    """A note where losses are means over unequal numbers of batches. mine: {optimizer: batches}; theirs: of the baselines."""
    if len({*mine.values(), *theirs}) <= 1:
        return []
    each = [f"{name} {count}" for name, count in mine.items()]
    each += [f"baselines {' or '.join(map(str, theirs))}"] if theirs else []
    return [f"batches in an evaluation: {', '.join(each)}; over fewer, losses are noisier, and the lowest of several too low"]
