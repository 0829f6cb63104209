"""What the runs of a setting have in common: directories are compared over these evaluations and seeds alone.

`score` and `learned compare` make curves alike before they compare them (`run_scores.common_steps`, `alike.of_common_seeds`), and
a page has their numbers. It is made directory after directory, so that what each has of a setting is noted here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast

import numpy as np

from taskset.errors import counted
from taskset.normalization.normalizer import with_unequal_seeds
from taskset.scoring import run_scores
from taskset.scoring.report.scales import SETTING

if TYPE_CHECKING:
    import pandas as pd

Setting: TypeAlias = tuple[str, str, int]  # SETTING
Root: TypeAlias = str | Path | None


class Runs(NamedTuple):
    """Rows of curves, run after run and each by step; starts, ends [runs]: the places of each run's rows."""

    frame: pd.DataFrame
    starts: np.ndarray
    ends: np.ndarray


def by_run(frame: pd.DataFrame) -> Runs:
    """Rows of curves in any order as `Runs`."""
    key = [*SETTING, "optimizer", "seed"]
    frame = frame.sort_values([*key, "step"], ignore_index=True)
    starts = np.flatnonzero(~frame.duplicated(key).to_numpy())
    return Runs(frame, starts, np.append(starts[1:], len(frame)))


class Alike(NamedTuple):
    """The steps and seeds that all directories have of a setting."""

    steps: tuple[int, ...]
    seeds: tuple[int, ...]


@dataclass
class Shown:
    """What each directory has of each setting: {setting: {directory: (seeds, steps of each kind of run)}}."""

    view: str
    of: dict[Setting, dict[Root, tuple[set[int], set[tuple[int, ...]]]]] = field(default_factory=dict)
    unequal: set[Setting] = field(default_factory=set)  # those in which some optimizers of a directory have fewer seeds

    def add(self, runs: Runs, root: Root) -> None:
        """Note the runs of a directory."""
        steps, counts = runs.frame["step"].to_numpy(), runs.ends - runs.starts
        kinds, kind = list[tuple[int, ...]](), np.zeros(len(counts), int)
        for count in np.unique(counts):  # as few rounds as there are kinds of runs, mostly one
            left = np.flatnonzero(counts == count)
            each = steps[runs.starts[left] + np.arange(count)[:, None]]
            while len(left):
                same = (each == each[:, :1]).all(axis=0)
                kind[left[same]] = len(kinds)
                kinds.append(tuple(each[:, 0].tolist()))
                left, each = left[~same], each[:, ~same]
        for task, source, horizon in with_unequal_seeds(runs.frame.loc[runs.starts], SETTING):
            self.unequal.add((str(task), str(source), int(horizon)))
        table = runs.frame.loc[runs.starts, [*SETTING, "seed"]].assign(kind=kind).drop_duplicates()
        for task, source, horizon, seed, number in table.itertuples(index=False, name=None):
            by_root = self.of.setdefault((str(task), str(source), int(horizon)), {})
            seeds, grids = by_root.setdefault(root, (set(), set()))
            seeds.add(int(seed))
            grids.add(kinds[number])

    def alike(self) -> tuple[dict[Setting, Alike], list[str]]:
        """({setting: what its runs have in common} where some have more, notes).

        Of a setting without a common seed all runs stay. Raises `ConfigError` where there are no common steps.
        """
        found, fewer_steps, of_common, different = dict[Setting, Alike](), 0, set[Setting](), 0
        for setting, by_root in self.of.items():
            each = [seeds for seeds, _ in by_root.values()]
            grids = set[tuple[int, ...]]().union(*(kinds for _, kinds in by_root.values()))
            every, common = set[int]().union(*each), set.intersection(*each)
            different += not common
            unequal_steps = len(grids) > 1 and self.view != "end"  # the last step is common
            unequal_seeds = common not in (every, set())
            if unequal_steps or unequal_seeds:
                steps = _common_steps(setting, grids) if unequal_steps else tuple(sorted(set[int]().union(*grids)))
                found[setting] = Alike(steps, tuple(sorted(common or every)))
                fewer_steps += unequal_steps
                if unequal_seeds:
                    of_common.add(setting)
        notes = [
            (fewer_steps, "over the evaluations that all their runs have: some have more, which curves show"),
            (len(of_common), "over the seeds that all their directories have: runs of others are left out"),
            (different, "over runs of different seeds: their directories have none in common"),
            (
                len(self.unequal - of_common),
                "though some optimizers have fewer seeds than others: the best of several is then too low",
            ),
        ]
        named = ((f"{counted(count, 'setting')} (task, source, horizon)", text) for count, text in notes if count)
        return found, [f"{settings} compared {text}" for settings, text in named]


def _common_steps(setting: Setting, grids: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    task, _, horizon = setting
    steps = set.intersection(*map(set, grids))
    way_out = f"these are of {task!r}: leave one of the directories out, or evaluate again with other --evaluations"
    return tuple(run_scores.checked_steps(steps, sorted(grids), horizon, way_out))


def of_common_seeds(frame: pd.DataFrame, alike: Mapping[Setting, Alike]) -> np.ndarray:
    """Whether each row's run is one of those that are compared. All settings of the frame are in `alike`."""
    return _among(frame, "seed", {setting: one.seeds for setting, one in alike.items()})


def of_common_steps(frame: pd.DataFrame, alike: Mapping[Setting, Alike]) -> np.ndarray:
    """Whether each row is one of the evaluations that are compared. All settings of the frame are in `alike`."""
    return _among(frame, "step", {setting: one.steps for setting, one in alike.items()})


def _among(frame: pd.DataFrame, column: str, allowed: Mapping[Setting, tuple[int, ...]]) -> np.ndarray:
    values, kept = frame[column].to_numpy(), np.zeros(len(frame), bool)
    places = cast("dict[Setting, np.ndarray]", frame.groupby(SETTING, observed=True).indices)
    for (task, source, horizon), rows in places.items():
        kept[rows] = np.isin(values[rows], allowed[str(task), str(source), int(horizon)])
    return kept
