"""From learning curves to one normalized number per run.

Curves of different sources are compared at the steps that all of them have: a run of 200 steps evaluated every 20 against the
first 200 steps of a baseline of 1000 evaluated every 20. (Only optimizers without a schedule may be cut short like that.)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from taskset.datasets.base import SPLITS
from taskset.errors import ConfigError, unknown
from taskset.normalization.normalizer import HIGH, LOW, unclipped

if TYPE_CHECKING:
    import pandas as pd


def last(normalized: np.ndarray) -> np.ndarray:
    """The loss at the last step."""
    return normalized[-1]


def mean(normalized: np.ndarray) -> np.ndarray:
    """The mean over the curve: what outer training minimizes."""
    return normalized.mean(axis=0)


def lowest(normalized: np.ndarray) -> np.ndarray:
    """The lowest loss of the curve."""
    return normalized.min(axis=0)


Scales: TypeAlias = Mapping[tuple[str, str], tuple[float, float]]  # {(task, split of data): (initial, best)}
View = Callable[[np.ndarray], np.ndarray]
VIEWS: dict[str, View] = {"end": last, "mean": mean, "lowest": lowest}
IN_WORDS = {"end": "at the last step", "mean": "mean over the curve", "lowest": "lowest of the curve"}
LOSSES = {"train": "train loss", "valid_outer": "validation loss", "test": "test loss"}  # what a split's is called
# Of what a normalized loss is 0: not of the best of all baselines, of which others than Adam's rates get below it.
ZERO = "0: the lowest loss that any of Adam's rates reaches, with baselines of your own any of their optimizers"


def view(name: str) -> View:
    """The function `[points, ..] -> [..]` called `name`. Raises `UnknownName`."""
    if not isinstance(name, str) or name not in VIEWS:
        raise unknown("view", name, list(VIEWS), f"Allowed are {', '.join(VIEWS)}.")
    return VIEWS[name]


AGAIN = "evaluate again with a --horizon and --evaluations whose steps the baselines have"


def common_steps(frames: Sequence[pd.DataFrame], horizon: int, way_out: str = AGAIN) -> list[int]:
    """The steps <= horizon at which all runs in frames of curves have evaluations, sorted. way_out: for where there are none.

    Tasks of own baselines may have been swept with different numbers of evaluations.
    """
    steps = set(range(horizon + 1))
    for frame in frames:
        of_runs = frame[["task", "optimizer", "step"]].drop_duplicates()
        runs = len(of_runs[["task", "optimizer"]].drop_duplicates())
        counts = of_runs["step"].value_counts()
        steps &= set(counts.index[counts == runs].tolist())
    return checked_steps(steps, [sorted(frame["step"].unique().tolist()) for frame in frames], horizon, way_out)


def checked_steps(steps: Collection[int], found: Iterable[Sequence[int]], horizon: int, way_out: str) -> list[int]:
    """Common steps, sorted. found: those that there are in each place. Raises `ConfigError` where a horizon can't be compared."""
    if len(steps) < 2 or max(steps) != horizon:
        each = "; ".join(f"{f[0]} .. {f[-1]}, {len(f)} points" for f in found)
        raise ConfigError(f"the curves have no common steps up to {horizon} ({each}): {way_out}")
    return sorted(steps)


def scores(curves: pd.DataFrame, scales: Scales, steps: Sequence[int], of_curve: View) -> pd.DataFrame:
    """One row per run and split: task, optimizer, seed, split, score, unclipped, diverged (by the last of `steps`).

    curves: as `taskset.load_curves` gives them, of one source and horizon per task; scales: {(task, split): (initial, best)};
    runs of a (task, split) without a scale are left out. of_curve: one of VIEWS' functions. unclipped: the score of the losses
    before they are clipped, for `places`.
    """
    import pandas as pd

    key, points = ["task", "optimizer", "seed"], len(steps)
    part = curves.loc[curves["step"].isin(steps), [*key, "step", *SPLITS, "diverged"]]
    part = part.astype({"task": str, "optimizer": str}).sort_values([*key, "step"], ignore_index=True)
    starts = np.flatnonzero(~part.duplicated(key))
    counts = np.diff(np.append(starts, len(part)))
    runs = part.loc[starts, key].reset_index(drop=True)
    for i in np.flatnonzero(counts != points):
        task, optimizer, seed = runs.iloc[i]
        raise ConfigError(f"task {task!r}, {optimizer}, seed {seed}: {counts[i]} of {points} evaluations are there")
    runs["diverged"] = part["diverged"].to_numpy()[starts + points - 1].astype(bool)
    tables = []
    for split in SPLITS:
        there = runs["task"].map({task: (task, split) in scales for task in runs["task"].unique()}).to_numpy(bool)
        initial, best = np.array([scales[task, split] for task in runs["task"][there]], np.float64).reshape(-1, 2).T
        losses = part[split].to_numpy().reshape(-1, points)[there].T
        score, beyond = clipped_and_not(losses, initial, best, of_curve)
        tables.append(runs[there].assign(split=split, score=score, unclipped=beyond))
    return pd.concat(tables, ignore_index=True)[[*key, "split", "score", "unclipped", "diverged"]]


def clipped_and_not(losses: np.ndarray, initial: np.ndarray, best: np.ndarray, of_curve: View) -> tuple[np.ndarray, np.ndarray]:
    """(scores [runs] of normalized losses, those of the same losses before they are clipped). losses: [evaluations, runs]."""
    normalized = unclipped(losses, initial, best)
    return of_curve(np.clip(normalized, LOW, HIGH)), of_curve(normalized)


def means(scores: pd.DataFrame) -> pd.DataFrame:
    """The scores of `scores`, means over seeds: index (split, task), one column per optimizer."""
    return scores.groupby(["split", "task", "optimizer"])["score"].mean().unstack()


def places(scores: pd.DataFrame) -> pd.DataFrame:
    """Who is lower on a task: index (split, task), one column per optimizer: places, ascending with its score there.

    scores: of `scores`, whose means over seeds count. Of equal ones, as those are that are clipped, the lower is the one that is
    lower without clipping: else the best of several runs that all end beyond the best baseline would be the first of them.
    """
    means = scores.groupby(["split", "task", "optimizer"])[["score", "unclipped"]].mean()
    means = means.sort_values(["split", "task", "score", "unclipped"])
    higher = (means != means.shift()).any(axis=1)
    return higher.groupby(level=["split", "task"]).cumsum().unstack("optimizer").astype(float)
