"""What a page shows, read from directories of results: sweeps, scores, evaluations, or the baselines of the package."""

from __future__ import annotations

import itertools
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from taskset.datasets.base import SPLITS
from taskset.errors import ConfigError, OutdatedBaselines, StoreError, argument, counted, cut
from taskset.normalization import store
from taskset.normalization.normalizer import fit, mean_curves
from taskset.normalization.store import layout
from taskset.normalization.store.reading import curves_by_family
from taskset.normalization.tables import tasks_frame
from taskset.patterns import natural
from taskset.scoring import alike, rivals, run_scores
from taskset.scoring.report import common, scales
from taskset.scoring.report.common import Alike, Root, Runs, Setting, Shown, by_run
from taskset.scoring.report.scales import SETTING

if TYPE_CHECKING:
    import pandas as pd

POINTS = 26  # of a curve at most: of 51 evaluations every second one
_COLUMNS = ["task", "source", "family", "horizon", "optimizer", "seed", "step", *SPLITS, "diverged", "version"]
_FACTS = ["dataset", "num_params", "ms_per_step"]  # of tasks.parquet; what is missing there is unknown


@dataclass(frozen=True)
class Results:
    """The runs of every setting: a task with a source and a horizon.

    settings: one row each: SETTING, family and _FACTS; its index is the setting's number.
    runs: one row per setting and optimizer: the columns `setting` (number), `optimizer`, `seeds`, `diverged` (a number of
    seeds), and for each split the score, mean over seeds, NaN where the setting has no normalizer; for those splits that a best
    optimizer is chosen by, "unclipped SPLIT", the score before losses are clipped, which tells those apart that are clipped.
    curves: one row per evaluation, POINTS of each curve: `setting`, `optimizer`, `step`, the splits: mean losses over seeds,
    NaN where a seed has diverged.
    normalizers: one row per setting and split, as `load_normalizers` gives them, with a column `setting`.
    view: of `run_scores.VIEWS`: the loss that a score is of. notes: what readers have to know, one line each.
    """

    settings: pd.DataFrame
    runs: pd.DataFrame
    curves: pd.DataFrame
    normalizers: pd.DataFrame
    view: str
    notes: list[str]


def read(roots: Sequence[str | Path], view: str = "end") -> Results:
    """The `Results` of directories; none: those of the package's baselines.

    Directories without normalizers, those of scores and evaluations, are shown beside the package's baselines of the same
    settings. Raises `StoreError` (nothing there, damaged), `ConfigError` (a directory twice, or the same runs in two),
    `UnknownName`.
    """
    import pandas as pd

    run_scores.view(view)  # a misspelt one is reported before anything is read
    _check_once(roots)
    _check_ended(roots)
    given: list[str | Path | None] = list(roots) or [None]
    beside = any(not scales.has_normalizers(root) for root in given)
    reader = _Reader(scales.known_normalizers([*given, None] if beside else given), view)
    for root in given:
        reader.add(root)
    if beside:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OutdatedBaselines)  # of settings that nobody asked for
            reader.add_baselines([root for root in given if not scales.has_normalizers(root)])
    runs, curves, normalizers, notes = reader.finished()
    notes += [*reader.batches(), *filter(None, [scales.left_out(given)])]
    keys = curves[[*SETTING, "family"]].drop_duplicates()
    order = sorted(keys.itertuples(index=False, name=None), key=lambda key: (key[3], *map(natural, key[:2]), key[2]))
    settings = pd.DataFrame(order, columns=[*SETTING, "family"])
    facts = _facts([*given, None] if beside else given, settings["task"])
    settings = settings.merge(facts, on="task", how="left")
    numbers = settings[SETTING].assign(setting=settings.index)

    def numbered(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.merge(numbers, on=SETTING).drop(columns=SETTING)

    runs = numbered(runs).sort_values(["setting", "optimizer"], ignore_index=True)
    curves = numbered(curves).sort_values(["setting", "optimizer", "step"], ignore_index=True)
    return Results(settings, runs, curves, numbered(normalizers), view, notes)


def _check_ended(roots: Sequence[str | Path]) -> None:
    """Raise `StoreError` for a sweep without tables: it would be taken for a score, and stand beside its own optimizers."""
    for root in roots:
        if not scales.has_normalizers(root) and Path(root, layout.SWEEP).exists() and not store.is_judged(root):
            raise StoreError(
                f"{root} is a sweep that has not ended: end it, or make its tables by `python -m taskset normalize "
                f"{argument(root)}`"
            )


def _check_once(roots: Sequence[str | Path]) -> None:
    """Raise `ConfigError` where a directory is there twice, be it under two names: its runs would count twice."""
    places = [Path(root).resolve() for root in roots]
    for i, root in enumerate(roots):
        if places[i] in places[:i]:
            first = str(roots[places.index(places[i])])
            raise ConfigError(f"{str(root)!r} is the same directory as {first!r}: give each one once")


class _Reader:
    """Directories one after the other, families one after the other: only means over seeds are kept.

    Settings of which some directories have more evaluations or seeds than others are read once more at the end.
    """

    def __init__(self, normalizers: pd.DataFrame, view: str) -> None:
        self.known, self.view = normalizers, view
        self.settings: dict[Root, set[Setting]] = {}
        self.runs: list[pd.DataFrame] = []
        self.curves: list[pd.DataFrame] = []
        self.without: list[pd.DataFrame] = []  # all curves of settings without a normalizer
        self.taken: dict[tuple[str, str, int, str], Root] = {}
        self.shown = Shown(view)
        self.notes: list[str] = []

    def add(self, root: Root, only: set[Setting] | None = None) -> None:
        """Read a directory. only: these settings of it; None: all."""
        known = _settings_of(self.known)
        for frame in _frames(root, only):
            self._claim(frame, root)
            self.curves.append(_thinned(mean_curves(frame)))
            normalized = _among(frame, known)
            if normalized.any():
                runs = by_run(frame[normalized])
                self.shown.add(runs, root)
                self.runs.append(_runs(runs, self.known, self.view))
            if not normalized.all():
                runs = by_run(frame[~normalized])
                self.shown.add(runs, root)
                self.without.append(store.with_text_names(runs.frame))
        if root not in self.settings and only is None:
            raise StoreError(f"{root} has no curves of today's tasks: sweep them again with `python -m taskset baseline`")

    def add_baselines(self, roots: Iterable[Root]) -> None:
        """Read those of the package's baselines that have the settings of `roots`, and of no other directory."""
        wanted = set().union(*(self.settings[root] for root in roots))
        others = set().union(*(found for root, found in self.settings.items() if root not in roots), set())
        if wanted - others:  # none of an evaluation whose sweep is given beside it
            self.add(None, wanted - others)

    def finished(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, list[str]]:
        """(runs, curves, normalizers, notes) of all that was added."""
        import pandas as pd

        self._make_alike()
        normalizers = [self.known]
        if self.without:
            rest = pd.concat(self.without, ignore_index=True)
            longer = scales.of_longer_runs(self.known, _settings_of(rest))
            short = _among(rest, _settings_of(longer))
            if short.any():
                normalizers.append(longer.drop(columns="from_horizon"))
                self.notes.append(f"{_count(rest[short])} shorter than their baselines, by which they are normalized")
            if not short.all():
                normalizers.append(fit(rest[~short]))
                self.notes.append(f"{_count(rest[~short])} without baselines, normalized by the runs shown here alone")
            self.runs.append(_runs(by_run(rest), pd.concat(normalizers[1:], ignore_index=True), self.view))
        found = [
            pd.concat(map(store.with_text_names, frames), ignore_index=True) for frames in (self.runs, self.curves, normalizers)
        ]
        return found[0], found[1], found[2], self.notes

    def batches(self) -> list[str]:
        """A note where directories have evaluations of unequal numbers of batches in the settings that several of them have."""
        mine, theirs = dict[str, int](), set[int]()
        number = Counter(itertools.chain(*self.settings.values()))
        for root, found in self.settings.items():
            if not (there := {setting for setting in found if number[setting] > 1}):
                continue
            if root is None or store.is_merged(root):
                of_horizons = {horizon: [key for key in there if key[2] == horizon] for _, _, horizon in there}
                for horizon, keys in of_horizons.items():
                    tasks, sources, _ = zip(*keys)
                    theirs.update(alike.batches_of_baselines(root, tasks, sources, horizon))
            else:
                mine |= {str(root): count for count in alike.batches_of_baselines(root, [], [], 0)}
        return alike.batches_notes(mine, sorted(theirs))

    def _make_alike(self) -> None:
        """Have the runs of each setting be of the evaluations and seeds that all its directories have."""
        import pandas as pd

        shared, notes = self.shown.alike()
        self.notes += notes
        if not shared:
            return
        settings, known, before = set(shared), _settings_of(self.known), _optimizers_of(self.curves)
        self.curves, self.runs = (
            [part for frame in frames if len(part := frame[~_among(frame, settings)])] for frames in (self.curves, self.runs)
        )
        for root, there in self.settings.items():
            if again := there & settings & known:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", OutdatedBaselines)  # it was said when they were read first
                    for frame in _frames(root, again):
                        self.runs.append(_runs(by_run(self._compared(frame, shared)), self.known, self.view))
        for i, frame in enumerate(self.without):
            unlike = _among(frame, settings)
            if unlike.any():
                self.without[i] = pd.concat([frame[~unlike], self._compared(frame[unlike], shared)])
        if lost := before - _optimizers_of(self.curves):
            names, where = sorted({key[3] for key in lost}, key=natural), counted(len({key[:3] for key in lost}), "setting")
            self.notes.append(f"Left out of {where}, without a run of these seeds: {cut(', '.join(names))}")

    def _compared(self, frame: pd.DataFrame, shared: Mapping[Setting, Alike]) -> pd.DataFrame:
        """The rows that are compared; the mean curves of their runs are kept, with all evaluations."""
        frame = frame[common.of_common_seeds(frame, shared)]
        self.curves.append(_thinned(mean_curves(frame)))
        return frame[common.of_common_steps(frame, shared)]

    def _claim(self, frame: pd.DataFrame, root: Root) -> None:
        keys = store.with_text_names(frame[[*SETTING, "optimizer"]].drop_duplicates()).itertuples(index=False, name=None)
        for key in keys:
            if self.taken.setdefault(key, root) != root:
                raise ConfigError(
                    f"{self.taken[key] or 'the baselines'} and {root or 'the baselines'} both have runs of {key[3]!r} on "
                    f"{key[0]!r}: leave one of them out, or give optimizers names of their own (score, evaluate: --name)"
                )
            self.settings.setdefault(root, set()).add(key[:3])


def _frames(root: Root, only: set[Setting] | None) -> Iterator[pd.DataFrame]:
    """The curves of a directory, family after family. only: these settings of it; None: all."""
    tasks = None if only is None else sorted({task for task, _, _ in only})
    for _, table in curves_by_family(root, _COLUMNS, tasks):
        frame = table.to_pandas()
        if only is not None:
            frame = frame[_among(frame, only)]
        if not frame.empty:
            yield frame


def _settings_of(frame: pd.DataFrame) -> set[Setting]:
    return set(frame[SETTING].itertuples(index=False, name=None))


def _optimizers_of(frames: Iterable[pd.DataFrame]) -> set[tuple[str, str, int, str]]:
    """(*SETTING, optimizer) of all rows."""
    named = (store.with_text_names(frame[[*SETTING, "optimizer"]].drop_duplicates()) for frame in frames)
    return {row for frame in named for row in frame.itertuples(index=False, name=None)}


def _among(frame: pd.DataFrame, settings: set[Setting]) -> np.ndarray:
    """Whether each row's setting is one of `settings`."""
    groups = frame.groupby(SETTING, observed=True)
    there = [(str(task), source, int(horizon)) in settings for task, source, horizon in groups.size().index]
    return np.array(there, bool)[groups.ngroup().to_numpy()] if there else np.zeros(len(frame), bool)


def _runs(runs: Runs, normalizers: pd.DataFrame, view: str) -> pd.DataFrame:
    """Scores, seeds and diverged seeds of each setting and optimizer: the rows of `Results.runs`, by SETTING."""
    chosen, (frame, starts, ends) = run_scores.view(view), runs
    table = frame.loc[starts, [*SETTING, "optimizer"]].reset_index(drop=True)
    table["seeds"], table["diverged"] = 1, frame["diverged"].to_numpy()[ends - 1].astype(int)
    ends_of = store.with_text_names(table[SETTING]).merge(
        scales.by_setting(normalizers), left_on=SETTING, right_index=True, how="left"
    )
    for split in SPLITS:
        initial, best = ends_of[f"initial {split}"].to_numpy(), ends_of[f"best {split}"].to_numpy()
        losses = frame[split].to_numpy()
        normalized, beyond = np.full([2, len(table)], np.nan)
        for count in np.unique(ends - starts):  # runs with as many evaluations, all at once
            of = np.flatnonzero(ends - starts == count)
            curves = losses[starts[of] + np.arange(count)[:, None]]
            normalized[of], beyond[of] = run_scores.clipped_and_not(curves, initial[of], best[of], chosen)
        table[split] = normalized
        if split in rivals.TUNED_BY:
            table[f"unclipped {split}"] = beyond
    groups = table.groupby([*SETTING, "optimizer"], observed=True)
    sums = groups[["seeds", "diverged"]].sum()
    scores = [*SPLITS, *(f"unclipped {split}" for split in rivals.TUNED_BY)]
    return sums.join(groups[scores].mean()).reset_index()


def _thinned(means: pd.DataFrame) -> pd.DataFrame:
    """POINTS evaluations of each curve, the first and the last among them."""
    groups = means.sort_values("step").groupby([*SETTING, "optimizer"], observed=True)["step"]
    place, size = groups.cumcount(), groups.transform("size")
    keep = np.zeros(len(means), bool)
    for count in np.unique(size):
        chosen = np.unique(np.rint(np.linspace(0, count - 1, min(count, POINTS))).astype(int))
        keep |= ((size == count) & place.isin(chosen)).to_numpy()
    return means.loc[place.index[keep], [*SETTING, "family", "optimizer", "step", *SPLITS]]


def _facts(roots: Sequence[str | Path | None], tasks: Iterable[str]) -> pd.DataFrame:
    """One row per task: its data set, size and cost, from the first directory that knows it."""
    import pandas as pd

    frames = []
    for root in roots:
        there = root is None or (Path(root) / "tasks.parquet").exists()
        frame = store.load_tasks(root) if there else tasks_frame(str(root))
        frames.append(frame.reindex(columns=["task", *_FACTS]))
    found = pd.concat(frames, ignore_index=True)
    return found[found["task"].isin(list(tasks))].drop_duplicates("task")


def _count(frame: pd.DataFrame) -> str:
    number = len(frame[SETTING].drop_duplicates())
    return f"{counted(number, 'setting')} (task, source, horizon)"
