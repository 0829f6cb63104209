"""The values that the page reads: one JSON document, and one line of packed curves for each setting.

The document has columns instead of rows, an optimizer is a number (its place in "optimizers"), and large tables are packed
(`packing`). assets/data.js reads it; what each key holds is said here alone:

    title, notes, version, view, splits
    optimizers  [{name, family, rate}]: family None for an optimizer by itself, rate None where it has none of its own
    columns     [{title, members}]: optimizers of the table: the normalized loss of the best member by train loss
    sets        [{members, title, rivals: [{title, trials, members, by}]}]: what can be compared, on the settings that have all
                members; the rivals are `taskset.scoring.rivals.Rule`s
    settings    {task, family, source, horizon, dataset, num_params, ms_per_step: [..]}
    normalizers {split: {initial, best, best_optimizer, normalizable: [..]}}; best_optimizer: a name
    scores      {split: uint16 [settings, optimizers]}; seeds, diverged: uint16 [settings, optimizers]; 0 seeds: not run
    ties        {split that a best optimizer is chosen by: uint16 [settings, optimizers]}: among equal scores of a setting, as
                those are that are clipped, 0 for what is lowest without clipping, then 1, ..
    grids       [[step, ..]]; grid: {setting: number of its grid}, or a list of them, one for each of its optimizers
    scales      {lowest, scale: {split: [..]}}: of the codes in the lines: uint16 [splits, optimizers that have seeds, points]
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from taskset.datasets.base import SPLITS
from taskset.errors import unknown
from taskset.patterns import natural
from taskset.samplers.optimizers import get_optimizer_config, opt_list_names
from taskset.scoring import rivals
from taskset.scoring.report import packing
from taskset.version import __version__

if TYPE_CHECKING:
    import pandas as pd

    from taskset.scoring.report.results import Results

MOST_SETS = 8
# What the page calls the ways in which a rival chooses among its members: the one that there is, one for all tasks, for each.
BY: dict[rivals.Choice, str] = {
    rivals.only: "",
    rivals.best_for_all: "all",
    rivals.best_by_train: "train",
    rivals.best_by_validation: "valid_outer",
}


def contents(found: Results, title: str, named: Sequence[str] = ()) -> tuple[dict[str, Any], list[str]]:
    """(the document, the lines of packed curves, one per setting). named: names or globs of optimizers with a column each.

    Raises `UnknownName` where a name matches no optimizer.
    """
    names = _ordered(found.runs["optimizer"])
    place = {name: i for i, name in enumerate(names)}
    runs = found.runs.assign(place=found.runs["optimizer"].map(place))
    shape = len(found.settings), len(names)
    where = runs["setting"].to_numpy(), runs["place"].to_numpy()
    seeds, diverged = (_filled(shape, where, runs[column].to_numpy()) for column in ("seeds", "diverged"))
    scores = {split: _filled(shape, where, packing.encode_scores(runs[split])) for split in SPLITS}
    ties = {split: _filled(shape, where, _ties(runs, split)) for split in rivals.TUNED_BY}
    grids: dict[tuple[int, ...], int] = {}
    lines, grid, lowest, scale = [], [], [], []
    initial = _column(found, "initial").to_numpy(np.float64)
    for number, curves in enumerate(_curves(found, place)):
        steps = [grids.setdefault(tuple(curve.steps.tolist()), len(grids)) for curve in curves]
        grid.append(steps[0] if len(set(steps)) == 1 else steps)
        line, low, high = _packed(curves, initial[number])
        lines.append(line)
        lowest.append(low)
        scale.append(high)
    settings = found.settings
    document = {
        "title": title,
        "notes": found.notes,
        "version": __version__,
        "view": found.view,
        "splits": list(SPLITS),
        "optimizers": [{"name": name, "family": _family(name), "rate": _rate(name)} for name in names],
        "columns": _columns(names, named),
        "sets": _sets(names, seeds > 0),
        "settings": {column: _values(settings[column]) for column in settings},
        "normalizers": {
            split: {c: _values(_column(found, c)[split]) for c in ("initial", "best", "best_optimizer", "normalizable")}
            for split in SPLITS
        },
        "scores": {split: packing.pack(codes) for split, codes in scores.items()},
        "ties": {split: packing.pack(places) for split, places in ties.items()},
        "seeds": packing.pack(seeds),
        "diverged": packing.pack(diverged),
        "grids": [list(steps) for steps in grids],
        "grid": grid,
        "scales": {
            "lowest": {split: [low[i] for low in lowest] for i, split in enumerate(SPLITS)},
            "scale": {split: [high[i] for high in scale] for i, split in enumerate(SPLITS)},
        },
    }
    return document, lines


class _Curve(NamedTuple):
    """Of one setting and optimizer: steps [points], losses [points, splits]."""

    steps: np.ndarray
    losses: np.ndarray


def _curves(found: Results, place: Mapping[str, int]) -> list[list[_Curve]]:
    """The curves of each setting, in the order of the optimizers."""
    frame = found.curves.assign(place=found.curves["optimizer"].map(place)).sort_values(["setting", "place", "step"])
    setting, optimizer, steps = (frame[column].to_numpy() for column in ("setting", "place", "step"))
    losses = frame[list(SPLITS)].to_numpy(np.float64)
    starts = np.flatnonzero(np.diff(setting, prepend=-1) | np.diff(optimizer, prepend=-1))
    curves: list[list[_Curve]] = [[] for _ in found.settings.index]
    for start, end in zip(starts, [*starts[1:], len(frame)]):
        curves[setting[start]].append(_Curve(steps[start:end], losses[start:end]))
    return curves


def _packed(curves: Sequence[_Curve], initial: np.ndarray) -> tuple[str, list[float], list[float]]:
    """The curves of a setting as a line; the lowest loss and the scale of each split. Shorter curves are filled up with 0."""
    longest = max(len(curve.steps) for curve in curves)
    losses = np.full((len(SPLITS), len(curves), longest), np.nan)
    for i, curve in enumerate(curves):
        losses[:, i, : len(curve.steps)] = curve.losses.T
    ends = [packing.scale_of(of_split, start) for of_split, start in zip(losses, initial)]
    codes = np.stack([packing.encode_losses(of_split, *end) for of_split, end in zip(losses, ends)])
    return packing.pack(codes), [low for low, _ in ends], [scale for _, scale in ends]


def _ties(runs: pd.DataFrame, split: str) -> np.ndarray:
    """The place of each row of `Results.runs` among those of its setting whose score has the same code; see the document."""
    exact = [split, f"unclipped {split}"]
    ordered = runs[["setting", *exact]].assign(code=packing.encode_scores(runs[split])).sort_values(["setting", "code", *exact])
    differs = (ordered[exact] != ordered[exact].shift()).any(axis=1).cumsum()
    places = differs - differs.groupby([ordered["setting"], ordered["code"]]).transform("first")
    return places.where(ordered["code"] > 0, 0).reindex(runs.index).to_numpy()


def _filled(shape: tuple[int, int], where: tuple[np.ndarray, np.ndarray], values: np.ndarray) -> np.ndarray:
    table = np.zeros(shape, np.uint16)
    table[where] = values
    return table


def _column(found: Results, column: str) -> pd.DataFrame:
    """A column of the normalizers: one row per setting, in order, one column per split."""
    rows = found.normalizers
    if column in ("best", "best_optimizer"):  # where nothing gets below the start, they are of whoever stands first there
        rows = rows.assign(**{column: rows[column].astype(object).where(rows["normalizable"].astype(bool), None)})
    wide = rows.pivot(index="setting", columns="split", values=column)
    return wide.reindex(index=range(len(found.settings)), columns=list(SPLITS))


def _values(column: pd.Series) -> list[Any]:
    """JSON values; None for what is missing or not finite."""
    values = column.astype(object).where(column.notna(), None).tolist()
    return [None if isinstance(v, float) and not np.isfinite(v) else v for v in values]


def _family(name: str) -> str | None:
    """The family of an optimizer, NAME of a trial NAME@3 of `taskset score`, None for any other of a user's own."""
    trial = re.fullmatch(r"(.+)@\d+", name)
    return rivals.family_of(name) or (trial[1] if trial else None)


def _rate(name: str) -> float | None:
    """The learning rate of an optimizer whose family differs in nothing else; None for any other."""
    if not (rivals.family_of(name) or "").endswith("_lr"):
        return None
    return get_optimizer_config(name)[0].get("learning_rate")


def _ordered(names: Iterable[str]) -> list[str]:
    """Adam first, users' own and learned optimizers next, then the other families; by rate or in the order of a list."""
    tried = {name: i for i, name in enumerate(opt_list_names(max(rivals.LIST_TRIALS)))}

    def key(name: str) -> tuple[Any, ...]:
        family = rivals.family_of(name)
        return family != rivals.ADAM, family is not None, family or "", _rate(name) or 0.0, tried.get(name, 0), natural(name)

    return sorted({str(name) for name in names}, key=key)


def _families(names: Sequence[str]) -> dict[str, list[int]]:
    """{family: places of its members}; an optimizer without a family is one by itself."""
    found: dict[str, list[int]] = {}
    for i, name in enumerate(names):
        found.setdefault(_family(name) or name, []).append(i)
    return found


def _title(family: str) -> str:
    return "learned list" if family == rivals.LIST else rivals.TITLES.get(family, family)


def _columns(names: Sequence[str], named: Sequence[str]) -> list[dict[str, Any]]:
    """The optimizers of the table: those that are named, or the best of each family."""
    if named:
        chosen = [i for pattern in named for i in _matches(names, pattern)]
        return [{"title": names[i], "members": [i]} for i in dict.fromkeys(chosen)]
    return [
        {"title": names[members[0]] if len(members) == 1 else f"{_title(family)}, best of {len(members)}", "members": members}
        for family, members in _families(names).items()
    ]


def _matches(names: Sequence[str], pattern: str) -> list[int]:
    found = [i for i, name in enumerate(names) if fnmatch.fnmatchcase(name, pattern)]
    if not found:
        raise unknown("optimizer", pattern, names, f"There are {', '.join(names[:5])}{' ..' if len(names) > 5 else ''}.")
    return found


def _sets(names: Sequence[str], there: np.ndarray) -> list[dict[str, Any]]:
    """The sets of optimizers that settings have in common, that with the most runs first; there: [settings, optimizers]."""
    distinct = np.unique(there, axis=0)
    counted = [(int((there >= members).all(1).sum() * members.sum()), np.flatnonzero(members).tolist()) for members in distinct]
    found = []
    for _, members in sorted(counted, key=lambda pair: (-pair[0], pair[1]))[:MOST_SETS]:
        families = _families([names[i] for i in members])
        title = ", ".join(_title(family) + (f" x {len(of)}" if len(of) > 1 else "") for family, of in families.items())
        found.append({"members": members, "title": title, "rivals": _rivals(names, members)})
    return found


def _rivals(names: Sequence[str], members: Sequence[int]) -> list[dict[str, Any]]:
    """The rows of `taskset.scoring.rivals`; members by their places."""
    place = {names[i]: i for i in members}
    there = list(place)
    found = [rule for family, of in _families(there).items() for rule in rivals.rules(family, [there[i] for i in of])]
    return [
        {"title": r.title, "trials": r.trials, "members": [place[name] for name in r.members], "by": BY[r.choose]} for r in found
    ]
