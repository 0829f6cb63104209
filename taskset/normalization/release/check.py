"""`python -m taskset data check`: whether a directory of baselines is whole and says what it claims to."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from taskset import changes
from taskset.datasets.base import SPLITS
from taskset.errors import StoreError, counted, shown
from taskset.execution.divergence import has_diverged
from taskset.normalization import store
from taskset.normalization.release import check_tables, collect, conflicts, merged_tables
from taskset.normalization.release.stored_curves import StoredCurves
from taskset.normalization.store import layout, packing, sha256_sums
from taskset.normalization.store.files import belongs

if TYPE_CHECKING:
    import pandas as pd

_RUN = ["horizon", "optimizer", "seed"]
# Relative. The same program on the same batches gives the same digits; that of another rule may differ in the last ones.
SAME_START = 1e-6


def check(root: str | Path | None = None) -> list[str]:
    """Everything that is wrong with the baselines under `root` (None: those of the package), one line per fault.

    Merged baselines (`data ship`) are checked against their sums and all their tables, the output of a single sweep against its
    options and normalizers. Raises StoreError where there are no baselines at all.
    """
    packaged, root = root is None, store.packaged_root() if root is None else Path(root)
    files = store.curve_files(root)
    merged = packaged or store.is_merged(root)
    found = _sums(root) if merged else []
    readable: list[StoredCurves] = []
    made_by: list[tuple[StoredCurves, list[str]]] = []
    diverged: dict[tuple[Path, int], int] = {}
    for path in files:
        with _faults_in(found):
            metadata, footer = store.read_metadata(path), packing.footer(path)
            parts, missing = packing.parts(path, footer), _missing_metadata(metadata, path, root)
            found += missing
            readable += [] if missing else [StoredCurves(path, group, task, metadata, footer) for task, group in parts]
    for curves in readable:
        with _faults_in(found):
            frame = curves.read().to_pandas()
            place = f"{curves.path.relative_to(root)}: {curves.task}"
            found += [f"{place}: {text}" for text in curve_problems(frame, curves)]
            made_by.append((curves, frame["version"].unique().tolist()))
            diverged[curves.path, curves.row_group] = merged_tables.diverged_runs(frame)
    found += _metadata_versions(made_by)
    dated = [_dated(curves, versions) for curves, versions in made_by]
    today = collect.without_outdated(dated) if merged else dated  # later files of a group may renew curves of an older one
    with _faults_in(found):
        conflicts.check_runs(today)
    for version in sorted({c.version for c in dated}):  # outdated ones are loaded by their version
        with _faults_in(found):
            conflicts.check_runs([c for c in dated if c.version == version])
    if not merged:
        found += _version_problems(made_by)
        with _faults_in(found):
            found += _options_problems(root, readable)
    for name in ("tasks", "optimizers", "normalizers", *(["sweeps"] if merged else [])):
        found += check_tables.schema_problems(root, name, merged)
    if not found:  # what follows compares tables with one another
        valid = today if merged else [c for c in readable if not changes.outdated(c.task, c.source, c.version)]
        found += check_tables.normalizer_problems(root, valid)
        found += check_tables.optimizer_problems(root, readable)
        found += check_tables.merged_problems(root, dated, diverged) if merged else []
    return found


@contextlib.contextmanager
def _faults_in(found: list[str]) -> Iterator[None]:
    """The line of a `StoreError` raised in the block becomes one more of `found`."""
    try:
        yield
    except StoreError as error:
        found.append(str(error))


def _sums(root):
    return sha256_sums.problems(root) if (root / sha256_sums.NAME).exists() else [f"{sha256_sums.NAME}: missing"]


def _missing_metadata(metadata: dict[str, str], path: Path, root: Path) -> list[str]:
    """What is missing or wrong in the metadata of a file."""
    place, found = path.relative_to(root), []
    for name in ("source", "family"):
        if f"{name}={metadata.get(name)}" not in place.parts:
            found.append(f"{place}: its metadata says {name} {shown(metadata.get(name))}, its path another")
    return found if "options" in metadata else [*found, f"{place}: its metadata doesn't say options"]


def _options_problems(root: Path, readable: list[StoredCurves]) -> list[str]:
    """Files that were made with other options than the directory's own say; older directories and imported ones have none."""
    if not (root / layout.SWEEP).exists():
        return []
    options = store.read_options(root)
    found = []
    for curves in readable:
        for key, value in curves.options.items():
            whole = options.get(key)
            if not belongs(key, value, whole):
                place = curves.path.relative_to(root)
                found.append(f"{place}: made with {key} {shown(value)}, sweep.json has {shown(whole)}")
    return found


def curve_problems(frame: pd.DataFrame, curves: StoredCurves) -> list[str]:
    """What is wrong with the curves of one task in one sweep: a list of lines.

    frame: rows of one task (`store.SCHEMA`); curves: the `StoredCurves` that they are, with the options of their sweep.
    """
    options, published = curves.options, curves.source == "published"
    frame = frame.sort_values([*_RUN, "step"])
    found = _row_problems(frame, options)
    if not found:
        found = _divergence_problems(frame, options)
    if not found:
        found = _seconds_problems(frame, options, published)
        if not published:  # the release doesn't say that a replica has the same start under every optimizer
            found += _start_problems(frame, options)
    return found


def _row_problems(frame, options):
    """Of rows sorted by run and step. Without any, the rows are a grid [optimizers, seeds, evaluations + 1]."""
    steps = np.linspace(0, options["steps"], options["evaluations"] + 1).round().astype(int)
    expected = {(options["steps"], o, s) for o in options["optimizers"] for s in options["seeds"]}
    there = {(int(h), str(o), int(s)) for h, o, s in frame[_RUN].drop_duplicates().itertuples(index=False)}
    found = [f"run {_run(run)} is missing" for run in sorted(expected - there)[:3]]
    found += [f"run {_run(run)} is not of the sweep's options" for run in sorted(there - expected)[:3]]
    if len(frame) != len(there) * len(steps):
        found.append(f"{len(frame)} rows; {len(there)} runs of {len(steps)} evaluations have {len(there) * len(steps)}")
        runs = frame.groupby(_RUN, observed=True)["step"]
        uneven = [run for run, part in runs if part.tolist() != steps.tolist()]
    else:
        uneven = _runs(frame, (frame["step"].to_numpy().reshape(-1, len(steps)) != steps).any(1))
    return found + [f"run {_run(run)} isn't evaluated at steps 0, {steps[1]} .. {steps[-1]}" for run in uneven[:3]]


def _runs(frame, wanted):
    """The runs, by one flag each, of sorted rows that have equally many for every run."""
    if not wanted.any():
        return []
    return list(frame[_RUN].iloc[:: len(frame) // len(wanted)][wanted].itertuples(index=False, name=None))


def _run(run):
    horizon, optimizer, seed = run
    return f"(horizon {horizon}, {optimizer}, seed {seed})"


def _divergence_problems(frame, options):
    losses = frame[list(SPLITS)].to_numpy()
    over = frame["diverged"].to_numpy()
    found = []
    for wrong, text in (
        (~over & has_diverged(losses), "a loss that is not finite, and not diverged"),
        (over & ~np.isnan(losses).all(1), "diverged, and a loss that is not NaN"),
    ):
        if wrong.any():
            row = frame.iloc[int(np.flatnonzero(wrong)[0])]
            found.append(f"{counted(wrong.sum(), 'row')} with {text}, first in run {_run(row[_RUN])} at step {row['step']}")
    over = over.reshape(-1, options["evaluations"] + 1)
    back = _runs(frame, (over[:, :-1] & ~over[:, 1:]).any(1))
    return found + [f"run {_run(run)} has diverged and then has not" for run in back[:3]]


def _seconds_problems(frame, options, published):
    if published:
        return [] if frame["seconds_per_step"].isna().all() else ["seconds of published curves, which have none"]
    seconds = frame["seconds_per_step"].to_numpy()
    if not (np.isfinite(seconds) & (seconds >= 0)).all():
        return ["seconds_per_step that are negative or not finite"]
    seconds = seconds.reshape(-1, options["evaluations"] + 1)
    uneven = _runs(frame, (seconds != seconds[:, :1]).any(1))
    return [f"seconds_per_step of run {_run(run)} is not one number" for run in uneven[:3]]


def _dated(curves: StoredCurves, versions: list[str]) -> StoredCurves:
    """`curves` with the version of their rows: the metadata of a merged file has those of all its tasks."""
    return dataclasses.replace(curves, metadata={**curves.metadata, "taskset_version": changes.oldest(versions)})


def _metadata_versions(made_by: list[tuple[StoredCurves, list[str]]]) -> list[str]:
    """Files whose rows and metadata say different versions. made_by: pairs of curves and the versions in their rows."""
    found: list[str] = []
    for curves, versions in made_by:
        if not set(versions) <= set(curves.version.split(", ")):  # a merged file's metadata has those of all its tasks
            both = f"version is {', '.join(map(str, versions))}; its metadata says {curves.version}"
            found.append(f"{curves.path.name}: {curves.task}: {both}")
    return found


def _version_problems(made_by: list[tuple[StoredCurves, list[str]]]) -> list[str]:
    """Tasks of which some curves are from before a change of the task and some from after. made_by: as above."""
    found: list[str] = []
    all_versions: dict[tuple[str, str], set[str]] = {}
    for curves, versions in made_by:
        all_versions.setdefault((curves.task, curves.source), set()).update(versions)
    for (task, source), those in all_versions.items():
        old = sorted(v for v in those if changes.outdated(task, source, v))
        if old and len(old) < len(those):
            why = changes.made_before(task, source, *sorted(those, key=changes.release))
            found.append(f"{task}, source {source}: curves {why}: recompute the old ones")
    return found


def _start_problems(frame, options):
    first = frame.iloc[:: options["evaluations"] + 1]
    first = first[list(SPLITS)].to_numpy().reshape(len(options["optimizers"]), len(options["seeds"]), len(SPLITS))
    highest, lowest = np.fmax.reduce(first), np.fmin.reduce(first)  # a run that diverged at once is NaN, and left out
    apart = (highest - lowest > SAME_START * np.abs(highest)).any(1)
    return [
        f"step 0 of seed {seed} (horizon {options['steps']}) differs between optimizers"
        for seed, wrong in zip(sorted(options["seeds"]), apart)
        if wrong
    ]
