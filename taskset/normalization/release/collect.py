"""What `data ship` merges: the curves of each task under given directories, and the groups of equal options they fall into."""

from __future__ import annotations

import functools
import json
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from taskset import changes, registry
from taskset.errors import StoreError, shown
from taskset.execution import code_digest
from taskset.normalization import store
from taskset.normalization.release import merged
from taskset.normalization.store import file_metadata, packing
from taskset.samplers.optimizers import family_of

_ONCE = ("task", "family", "source", "config", "options")  # what no curve file can be without


@dataclass(frozen=True)
class StoredCurves:
    """The curves of one task in a file: where they are, the metadata stored with them ({name: text}), the footer."""

    path: Path
    row_group: int
    task: str
    metadata: dict[str, str]
    footer: pq.FileMetaData = field(repr=False, compare=False)

    @property
    def family(self) -> str:
        return self.metadata["family"]

    @property
    def source(self) -> str:
        return self.metadata["source"]

    @functools.cached_property
    def options(self) -> dict[str, Any]:
        """The options of their sweep, JSON values."""
        return file_metadata.options(self.path, self.metadata)

    @property
    def config(self) -> Any:
        """The config of their task, a JSON value."""
        return file_metadata.config(self.path, self.metadata)

    @property
    def version(self) -> str:
        """The version of the package that computed them."""
        return self.metadata.get("taskset_version") or changes.FIRST

    @property
    def core_seconds(self) -> float | None:
        """Processor time of their sweep; None where it isn't known."""
        return file_metadata.core_seconds(self.path, self.metadata).get("total")

    @property
    def runs(self) -> int:
        """The number of runs: one of each optimizer from each seed."""
        return len(self.options["optimizers"]) * len(self.options["seeds"])

    def read(self) -> pa.Table:
        """The curves as an Arrow table (`columns.STORED`)."""
        return packing.read_part(self.path, self.row_group, self.footer)


def find(roots: Iterable[str | Path]) -> list[StoredCurves]:
    """All `StoredCurves` under directories made by `baseline`, `data import-npz` or `data ship`, by task and group.

    Curves that are in two places, equal in every value, are taken once. Curves of a task that changed since they were
    computed are left out where there are some of today's task. Raises StoreError: a directory without curves, a file that is
    broken or doesn't say how it was made, a merge that was interrupted; `check_runs`.
    """
    found: list[StoredCurves] = []
    for root in map(Path, roots):
        found += of_merged(root) if store.is_merged(root) else _of_sweep(root)
    found = without_outdated(_without_copies(found))
    check_runs(found)
    return sorted(found, key=order)


def _without_copies(found: list[StoredCurves]) -> list[StoredCurves]:
    kept: dict[tuple[Any, ...], list[StoredCurves]] = {}
    for curves in found:
        alike = kept.setdefault((curves.task, curves.source, group_key(curves.options)), [])
        if not any(same(curves, other) for other in alike):
            alike.append(curves)
    return [curves for alike in kept.values() for curves in alike]


def same(one: StoredCurves, other: StoredCurves) -> bool:
    """Whether two `StoredCurves` of one task are equal in every value."""
    if one.version != other.version:
        return False
    left, right = (packing.in_order(curves.read()) for curves in (one, other))
    return len(left) == len(right) and all(_equal(left[name], right[name]) for name in left.column_names if name != "version")


def _equal(left: pa.ChunkedArray, right: pa.ChunkedArray) -> bool:
    if pa.types.is_dictionary(left.type):
        return left.cast(pa.string()).equals(right.cast(pa.string()))
    one, other = left.to_numpy(), right.to_numpy()
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def without_outdated(found: list[StoredCurves]) -> list[StoredCurves]:
    """`found` without those of before a task changed, where there are later ones of the same task and source."""
    old = [changes.outdated(c.task, c.source, c.version) for c in found]
    renewed = {(c.task, c.source) for c, is_old in zip(found, old) if not is_old}
    return [c for c, is_old in zip(found, old) if not is_old or (c.task, c.source) not in renewed]


def _of_sweep(root: Path) -> list[StoredCurves]:
    found = []
    for path in store.curve_files(root):
        metadata = store.read_metadata(path)
        lacking = [name for name in _ONCE if name not in metadata]
        if lacking:
            raise StoreError(
                f"{path} doesn't say its {lacking[0]}: pass the --out of `baseline`, `data import-npz` or `data ship`"
            )
        footer = packing.footer(path)
        found += [StoredCurves(path, group, task, metadata, footer) for task, group in packing.parts(path, footer)]
    return found


def of_merged(root: Path) -> list[StoredCurves]:
    """All `StoredCurves` under a directory that `data ship` or `data add` made, outdated ones included."""
    store.require_whole(root)
    stored, found = merged.stored(root), []
    for path in store.curve_files(root):
        source = path.parent.parent.name.removeprefix("source=")
        footer = packing.footer(path)
        own = _own_code_of(footer)
        for task, group in packing.parts(path, footer):
            if (metadata := stored.get((task, source, path.stem))) is None:
                raise StoreError(f"{path} has curves of {task} that {root / 'sweeps.parquet'} lacks: merge the sweeps again")
            found.append(StoredCurves(path, group, task, {**metadata, **own}, footer))
    if len(found) < len(stored):  # curves that were lost must not go unnoticed
        raise StoreError(f"{root / 'sweeps.parquet'} has {len(stored)} parts, the curves {len(found)}: merge the sweeps again")
    return found


def _own_code_of(footer: pq.FileMetaData) -> dict[str, str]:
    """{"own_code": text} of a merged file that says it; {} of others."""
    text = (footer.metadata or {}).get(b"own_code")
    return {} if text is None else {"own_code": text.decode()}


def order(curves: StoredCurves) -> tuple[Any, ...]:
    """A sorting key: by task as tables list them, then by group."""
    return curves.source, curves.family, by_family_and_seed(curves.task), group_key(curves.options)


def by_family_and_seed(task: str) -> tuple[str, int]:
    """A sorting key of task names: seeds as numbers."""
    parsed = registry.parse(task)
    return (parsed[0], parsed[1]) if parsed else (task, -1)


def check_runs(found: list[StoredCurves]) -> None:
    """Raise StoreError if these curves can't stand beside one another.

    The reasons: `one_config`, `one_data`, `one_code`, `one_rule`, `no_run_twice`, `no_mixed_means`.
    """
    one_config(found)
    one_data(found)
    one_code(found)
    one_rule(found)
    no_run_twice(found)
    no_mixed_means(found)


def one_config(found: Iterable[StoredCurves]) -> None:
    """Raise StoreError if curves of one task are of two configs: its family changed between the sweeps."""
    first: dict[str, StoredCurves] = {}
    for curves in found:
        if "config" not in curves.metadata:  # tables of merged baselines may lack it
            continue
        other = first.setdefault(curves.task, curves)
        if curves.metadata["config"] != other.metadata["config"] and curves.config != other.config:
            raise StoreError(
                f"{other.path} and {curves.path} have curves of two configs of {curves.task}, whose family changed between the "
                "sweeps: pass one of them, or sweep the task again"
            )


def one_data(found: Iterable[StoredCurves]) -> None:
    """Raise StoreError if curves of one task and source are of two data sets: a mean would be of neither.

    Checksums of synthetic data may differ: single pixels do, by 1 of 255, from one kind of processor to another.
    """
    first: dict[tuple[str, str], tuple[Any, Path]] = {}
    for curves in found:
        origin = json.loads(curves.metadata.get("data_origin", "null"))
        if not isinstance(origin, dict):  # without data, not known, or a list: of all tasks of a merged file
            continue
        if curves.source == "synthetic":
            origin.pop("checksum", None)
        other, there = first.setdefault((curves.task, curves.source), (origin, curves.path))
        if origin != other:
            raise StoreError(
                f"{there} and {curves.path} have curves of {curves.task} on different data, {shown(other)} and {shown(origin)}: "
                "pass one of them"
            )


def one_code(found: Iterable[StoredCurves]) -> None:
    """Raise StoreError if what a user registered under one name, a family or an optimizer, had two codes."""
    first: dict[str, tuple[str, Path]] = {}
    for curves in found:
        for what, code in file_metadata.own_code(curves.path, curves.metadata).items():
            other, there = first.setdefault(what, (code, curves.path))
            if code_digest.differs(other, code):
                scored = what.startswith("candidate ")
                again = "score one of the two again with --name" if scored else "register one of the two under another name"
                raise StoreError(
                    f"{there} and {curves.path} were made with different code or hyperparameters of {what}: pass one of them, or "
                    f"{again}"
                )


def one_rule(found: Iterable[StoredCurves]) -> None:
    """Raise StoreError if a name of the package's optimizers is that of a scored candidate with other hyperparameters as well."""
    first: dict[str, tuple[str, Path]] = {}
    for curves in found:
        codes = file_metadata.own_code(curves.path, curves.metadata)
        for name in curves.options["optimizers"]:
            here = codes.get(f"candidate {name}", "")
            other, there = first.setdefault(name, (here, curves.path))
            if here != other and family_of(name) is not None:
                raise StoreError(
                    f"{there} and {curves.path} have curves of {name} with different hyperparameters: pass one of them, or "
                    "score it again with --name"
                )


def no_mixed_means(found: Iterable[StoredCurves]) -> None:
    """Raise StoreError if the seeds of an optimizer were evaluated in several ways at one horizon.

    A mean over seeds, and a normalizer with it, would be over other seeds at each step, or mix losses of more batches and fewer.
    """
    first: dict[tuple[Any, ...], tuple[str, Path]] = {}
    for curves in found:
        options = curves.options
        here = f"{options['evaluations']} evaluations of {options['batches']} batches", curves.path
        for optimizer in options["optimizers"]:
            there = first.setdefault((curves.task, curves.source, options["steps"], optimizer), here)
            if there[0] != here[0]:
                both = " and ".join(f"{evaluated} in {path}" for evaluated, path in (there, here))
                raise StoreError(
                    f"{curves.task}, source {curves.source}, horizon {options['steps']}, {optimizer}: its seeds were swept with "
                    f"{both}, and a mean over seeds would mix them: pass one of them, or sweep all seeds alike"
                )


def no_run_twice(found: Iterable[StoredCurves]) -> None:
    """Raise StoreError if one run stands in two places: one of them would count twice."""
    owner: dict[tuple[Any, ...], Path] = {}
    for curves in found:
        options = curves.options
        for optimizer in options["optimizers"]:
            for seed in options["seeds"]:
                run = curves.task, curves.source, options["steps"], optimizer, seed
                if run in owner:
                    where = f"{owner[run]} and {curves.path}"
                    raise StoreError(
                        f"{run[0]}, source {run[1]}, horizon {run[2]}, {run[3]}, seed {run[4]} is in {where}: pass one of them"
                    )
                owner[run] = curves.path


def group_key(options: dict[str, Any]) -> str:
    """Options as text; the source is no part of them, it has a directory of its own."""
    return json.dumps({k: v for k, v in options.items() if k != "source"}, sort_keys=True)


def _readable(options: dict[str, Any]) -> str:
    families = sorted({name.rpartition("_")[0] or name for name in options["optimizers"]})
    shown = re.sub(r"[^A-Za-z0-9_.@+-]", "-", families[0]) if len(families) == 1 else "mixed"
    return f"{shown}{len(options['optimizers'])}_steps{options['steps']}_seeds{len(options['seeds'])}_batches{options['batches']}"


def group_names(found: Iterable[StoredCurves], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """{options as text: name of the group}: readable, with a checksum where two groups would share one.

    given: names that some of the groups have already, and keep.
    """
    given = given or {}
    options = {group_key(c.options): c.options for c in found}
    taken = defaultdict(list)
    for key in sorted(options):
        taken[_readable(options[key])].append(key)
    unique = {name for name, keys in taken.items() if len(keys) == 1} - set(given.values())
    names = {key: name if name in unique else f"{name}_{_checksum(key)}" for name, keys in taken.items() for key in keys}
    return {**names, **given}


def _checksum(key: str) -> str:
    return f"{zlib.crc32(key.encode()):08x}"
