"""Loss normalization: initial loss -> 1, best loss -> 0, clipped to [-2, 2].

    n(L) = clip((L - best) / (initial - best), -2, 2), and 2 for a loss that is not finite

initial is the mean over seeds of the loss at step 0; best is the lowest point, over evaluations and optimizers, of the mean
over seeds of the curve. In the baselines that come with the package the optimizers are Adam's fixed rates (`adam_lr_*`) alone, so
that others can go below 0; in a sweep of your own, all that were swept. Losses can be negative; nothing assumes a sign.

`learned.unrolling.loss_scale` is the same on tensors, for outer training.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from taskset import catalogue, changes
from taskset.datasets.base import SPLITS, check_split
from taskset.errors import ConfigError, StoreError, guessed, shown

if TYPE_CHECKING:
    import pandas as pd

LOW, HIGH = -2.0, 2.0


def normalize(losses: ArrayLike, initial: float | np.ndarray, best: float | np.ndarray) -> np.ndarray:
    """n(L) = clip((L - best) / (initial - best), -2, 2), and 2 where L is not finite; float64 arrays that broadcast."""
    return np.clip(unclipped(losses, initial, best), LOW, HIGH)


def unclipped(losses: ArrayLike, initial: float | np.ndarray, best: float | np.ndarray) -> np.ndarray:
    """(L - best) / (initial - best), and infinity where L is not finite: tells losses apart that `normalize` makes equal."""
    losses = np.asarray(losses, np.float64)
    return (np.where(np.isfinite(losses), losses, np.inf) - best) / (initial - best)


@dataclass(frozen=True)
class Normalizer:
    """The normalization of one task, source, horizon and split. Call it with a loss, an array or a tensor.

    initial, best: losses that map to 1 and 0; best_optimizer: the one that reached `best` at the earliest step, and of several
    the first by name.
    """

    task: str
    source: str
    horizon: int
    split: str
    initial: float
    best: float
    best_optimizer: str

    def __call__(self, loss: ArrayLike) -> float | np.ndarray:
        try:
            losses = np.asarray(loss)
        except (NotImplementedError, ValueError, TypeError) as error:  # among others, a tensor of a function that is being traced
            raise ConfigError(f"loss {shown(loss)}: allowed are known numbers, outside of tf.function") from error
        if losses.dtype.kind not in "biuf" and losses.dtype.name != "bfloat16":
            raise ConfigError(f"loss {shown(loss)}: allowed are real numbers")
        scaled = normalize(losses, self.initial, self.best)
        return float(scaled) if scaled.ndim == 0 else scaled

    def inverse(self, normalized: ArrayLike) -> np.ndarray:
        """The loss that maps to `normalized` (inside the clipping range)."""
        return self.best + np.asarray(normalized) * (self.initial - self.best)


def mean_curves(curves: pd.DataFrame) -> pd.DataFrame:
    """The mean over seeds of each (task, source, horizon, optimizer, step); a diverged seed makes the mean diverge (NaN)."""
    keys = ["task", "source", "family", "horizon", "optimizer", "step"]
    groups = curves.astype({split: np.float64 for split in SPLITS}).groupby(keys, observed=True, sort=True)
    means = groups[list(SPLITS)].mean()  # leaves NaN out; `skipna=False` would not, but pandas 2 does not have it
    complete = groups[list(SPLITS)].count().eq(groups.size(), axis=0)
    return means.where(complete).reset_index()


def fit(curves: pd.DataFrame) -> pd.DataFrame:
    """Normalizers from curves (`load_curves`): a DataFrame, one row per (task, source, horizon, split).

    Where the initial loss is not finite, or nothing goes below it, a task has no normalizer: the row has `normalizable` False.
    """
    import pandas as pd

    made_by, starts = _versions(curves), _starts_of_unequal_seeds(curves)
    runs = curves.groupby(["task", "source", "horizon", "optimizer", "seed"], observed=True)["diverged"].max().reset_index()
    runs = runs.groupby(["task", "source", "horizon"], observed=True)["diverged"].agg(["size", "mean"])
    shares = {setting: (size, mean) for setting, size, mean in runs.itertuples(name=None)}
    # the first of equals is the best optimizer: it must not depend on the order of categories
    means = mean_curves(curves).astype({"optimizer": str}).sort_values(["step", "optimizer"])
    rows = []
    for (task, source, family, horizon), part in means.groupby(["task", "source", "family", "horizon"], observed=True):
        setting = {"task": task, "source": source, "family": family, "horizon": horizon}
        size, diverged = shares[task, source, horizon]
        made = {"runs": int(size), "diverged_share": float(diverged), "version": made_by.get((task, source, horizon))}
        of_seeds = starts.get((task, source, horizon), {})
        rows += [{**setting, "split": split, **_scale(part, split, of_seeds.get(split)), **made} for split in SPLITS]
    frame = pd.DataFrame(rows)
    return frame.astype({"horizon": "int32", "runs": "int32", "diverged_share": "float32"})


def _starts_of_unequal_seeds(curves: pd.DataFrame) -> dict[tuple[Any, ...], dict[str, float]]:
    """{(task, source, horizon): {split: the mean of its losses at step 0 over seeds}} where optimizers have unequal seeds.

    Elsewhere it is the mean of the optimizers' means, in which each seed counts alike.
    """
    key = ["task", "source", "horizon"]
    first, found = curves[curves["step"] == 0], {}
    for setting in with_unequal_seeds(first, key):
        own = first[(first[key] == list(setting)).all(axis=1)].astype({split: np.float64 for split in SPLITS})
        found[setting] = own.groupby("seed")[list(SPLITS)].mean().mean(skipna=False).to_dict()
    return found


def with_unequal_seeds(runs: pd.DataFrame, key: list[str]) -> pd.Index:
    """The values of the columns `key` for which optimizers have unequal numbers of runs. runs: a row for each run."""
    counts = runs.groupby([*key, "optimizer"], observed=True).size().groupby(key, observed=True).nunique()
    return counts.index[counts > 1]


def _scale(means: pd.DataFrame, split: str, start: float | None) -> dict[str, Any]:
    """The columns of `fit` from initial to normalizable, of a split's losses.

    means: the mean curves of a task, by step; start: the initial loss, None for the mean of theirs.
    """
    losses = means[split].to_numpy()
    first = losses[means["step"].to_numpy() == 0]
    initial = (first.mean() if start is None else start) if len(first) and np.isfinite(first).all() else np.nan
    best, optimizer = np.nan, None
    if np.isfinite(losses).any():
        at = np.argmin(np.where(np.isfinite(losses), losses, np.inf))
        best, optimizer = losses[at], means["optimizer"].iloc[at]
    below = gets_below(best, initial, first)
    return {"initial": initial, "best": best, "best_optimizer": optimizer, "normalizable": below}


def gets_below(best: float, initial: float, starts: np.ndarray) -> bool:
    """Whether the lowest loss is below the start. The mean `initial` of equal `starts` may be rounded to above them all."""
    return bool(best < initial) and bool(best < np.nanmin(starts))


def normalize_curves(curves: pd.DataFrame, root: str | Path | None = None, version: str | None = None) -> pd.DataFrame:
    """Curves (`load_curves`) with normalized losses: a copy in which each split's column of losses went through its `normalizer`.

    A diverged run has 2. Where a task, source and horizon have no normalizer of a split, its losses are NaN; for none at all it
    raises. root, version: of the normalizers, as in `load_normalizers`. Raises `StoreError` where `curves` lack task, source,
    horizon or all columns of losses, or nothing of them has a normalizer.
    """
    from taskset.normalization.store import normalizers_of, require_whole

    key, splits = ["task", "source", "horizon"], [split for split in SPLITS if split in curves]
    if lacking := [column for column in key if column not in curves] or ([] if splits else list(SPLITS)):
        raise StoreError(f"curves have no column {' or '.join(lacking)}: load them with it, or with all columns")
    require_whole(root)
    frame = normalizers_of(root, version)[0]
    usable = frame[frame["normalizable"]]
    if curves[key].isna().any(axis=None):
        raise StoreError("curves have rows without a task, source or horizon: leave them out")
    of_rows = curves.groupby(key, observed=True, sort=False).ngroup().to_numpy()  # the setting of each row, counted from 0
    settings = curves[key].drop_duplicates().astype({"task": str, "source": str})
    found = {
        split: settings.merge(usable[usable["split"] == split], on=key, how="left")[["initial", "best"]].to_numpy(np.float64)
        for split in splits
    }
    if len(settings) and all(np.isnan(scales).all() for scales in found.values()):
        there = sorted(set(usable[["source", "horizon"]].itertuples(index=False, name=None)))
        raise StoreError(f"none of these curves has a normalizer: there are those of (source, horizon) {there}; give their root=")
    columns = {split: normalize(curves[split], *found[split][of_rows].T) for split in splits}
    return curves.assign(**columns)


def _versions(curves: pd.DataFrame) -> dict[tuple[str, str, int], str]:
    """{(task, source, horizon): the oldest version of the package that computed curves of it}; {} where none is recorded."""
    if "version" not in curves:
        return {}
    found: dict[tuple[str, str, int], str] = {}
    for task, source, horizon, version in (
        curves[["task", "source", "horizon", "version"]].drop_duplicates().itertuples(index=False)
    ):
        known = found.setdefault((task, source, horizon), version)
        found[task, source, horizon] = changes.oldest([known, version])
    return found


def _none_of(task: str, frame: pd.DataFrame, version: str | None) -> str:
    """What to say where `frame` has no normalizer of a task: only for a name that is none, which may have been meant."""
    guess = ":" if isinstance(task, str) and catalogue.is_task(task) else guessed(task, frame["task"].unique()) or ":"
    if version is not None:
        of_version = f"taskset.load_normalizers(version={version!r})"
        return f"no normalizer of version {version} for task {shown(task)}{guess} {of_version} lists them"
    more = "`python -m taskset baseline` makes more"
    return f"no normalizer for task {shown(task)}{guess} taskset.load_normalizers() lists them; {more}"


def normalizer(
    task: str,
    source: str | None = None,
    horizon: int | None = None,
    split: str = "train",
    root: str | Path | None = None,
    version: str | None = None,
) -> Normalizer:
    """The `Normalizer` of a task, from the baselines that come with the package or from `root`.

    It maps a loss L to clip((L - best) / (initial - best), -2, 2), and a loss that is not finite to 2; `taskset.normalization.
    normalizer` says what initial and best are.
    source, horizon: needed only where the baselines have several. split: of the losses, "train", "valid_inner", "valid_outer" or
    "test". version: as in `load_normalizers`.
    Raises `UnknownName` for a split, `StoreError` where there is no such normalizer.
    """
    from taskset.normalization.store import normalizers_of, require_whole
    from taskset.normalization.store.outdated import outdated_line

    check_split(split)
    for what, value, kind in (("task", task, str), ("source", source, str | None), ("horizon", horizon, int | np.integer | None)):
        if not isinstance(value, kind):
            raise StoreError(f"{what} {shown(value)}: a normalizer is of one task, source and horizon; give one of each")
    require_whole(root)
    frame, left_out = normalizers_of(root, version)
    found = frame[(frame["task"] == task) & (frame["split"] == split)]
    if found.empty:
        if task in (versions := dict(sorted(left_out))):
            raise StoreError(outdated_line("normalizers", task, versions[task]))
        raise StoreError(_none_of(task, frame, version))
    for column, value in (("source", source), ("horizon", horizon)):
        if value is not None:
            there = sorted(found[column].unique().tolist())
            found = found[found[column] == value]
            if found.empty:
                raise StoreError(f"no normalizer for task {task!r} with {column}={value!r}: there are {there}")
    if len(found) > 1:
        several = [tuple(row) for row in found[["source", "horizon"]].to_numpy().tolist()]
        raise StoreError(f"task {task!r} has normalizers for several (source, horizon): {several}; pass source= and horizon=")
    row = found.iloc[0]
    if not row["normalizable"]:
        raise StoreError(f"task {task!r} has no normalizer: initial loss {row['initial']:g}, best loss {row['best']:g}")
    return Normalizer(
        task, row["source"], int(row["horizon"]), split, float(row["initial"]), float(row["best"]), row["best_optimizer"]
    )
