"""What a directory of results already has: finished tasks, and what killed processes left behind."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from taskset import catalogue, changes
from taskset.errors import StoreError, shown
from taskset.files import abandoned, make_directory, remove_temporaries
from taskset.jobs import claims
from taskset.normalization import store
from taskset.normalization.store import file_metadata
from taskset.normalization.store.files import RUNS, belongs
from taskset.normalization.sweep.provenance import changed_code, own_code

if TYPE_CHECKING:
    from taskset.normalization.sweep.options import SweepOptions
    from taskset.registry import Facts


WAY_OUT = "delete it to recompute it, or use another --out"
_SETTLED = 3600.0  # seconds; a file at the root is written long before, by processes of other machines too


@dataclass(frozen=True)
class TaskFile:
    """The file of a task's curves in a directory of results, whether it is there or not, and what its curves are of.

    config: of the task, JSON values; source: of its data; path: of the file.
    """

    name: str
    family: str
    config: dict[str, Any]
    facts: Facts
    source: str
    path: Path


def task_file(root: str | Path, name: str, options: SweepOptions) -> TaskFile:
    """The `TaskFile` of a task as a sweep with these options writes it below `root`. Raises UnknownName."""
    family, config = catalogue.resolve(name)
    facts = catalogue.facts(family, config)
    source = options.source_of(facts)
    return TaskFile(name, family, config, facts, source, store.curve_path(root, source, family, name))


def check_current(file: TaskFile, metadata: dict[str, str]) -> None:
    """Raise StoreError where a task has changed since the curves of its file, which has this metadata, were computed."""
    made_by = metadata.get("taskset_version", changes.FIRST)
    if changes.outdated(file.name, file.source, made_by):
        raise StoreError(f"{file.path} is {changes.made_before(file.name, file.source, made_by)}: {WAY_OUT}")


def check_origin(path: Path, metadata: dict[str, str], origin: dict[str, Any] | None) -> None:
    """Raise StoreError where a file with this metadata has curves on other data than a task reads now (`Task.data_origin`)."""
    there = json.loads(metadata.get("data_origin", "null"))
    if there is not None and there != origin:
        raise StoreError(f"{path} has curves on the data {shown(there)}, and the task now reads {shown(origin)}: {WAY_OUT}")


def check_own_code(path: Path, metadata: dict[str, str], family: str, optimizers: Iterable[str]) -> None:
    """Raise StoreError where a family or an optimizer that a user registered has other code than when a file was made."""
    there = file_metadata.own_code(path, metadata)
    if changed := changed_code(there, own_code(family, optimizers) if there else {}):
        raise StoreError(f"{path} was made with other code or hyperparameters of {changed[0]} than it has now: {WAY_OUT}")


def check_finished(file: TaskFile, metadata: dict[str, str], options: dict[str, Any]) -> bool:
    """Whether a task's file, which has this metadata, has all runs that a sweep of the task with these options makes.

    options: `SweepOptions.as_json()`. Older files lack some of the metadata: what is missing contradicts nothing, and neither
    does the data of a task that is known only once it is opened. Raises: StoreError where the file has anything but these runs,
    or a part of them.
    """
    path, expected = file.path, {"task": file.name, "family": file.family, "source": file.source}
    for key, value in expected.items():
        if metadata.get(key, value) != value:
            raise StoreError(f"{path} has curves of {key} {shown(metadata[key])}, not {shown(value)}: {WAY_OUT}")
    if "config" in metadata and file_metadata.config(path, metadata) != json.loads(json.dumps(file.config)):
        raise StoreError(f"{path} has curves of another config of {file.name} than it has now: {WAY_OUT}")
    if file.facts.origin is not None:
        check_origin(path, metadata, file.facts.origin)
    check_own_code(path, metadata, file.family, options["optimizers"])
    if "options" in metadata:
        there = file_metadata.options(path, metadata)
        for key in sorted({*there, *options}):
            if not belongs(key, there.get(key), options.get(key)):
                raise StoreError(f"{path} was made with {key} {shown(there.get(key))}, not {shown(options.get(key))}: {WAY_OUT}")
        return there == options or all(len(there[key]) == len(options[key]) for key in RUNS)
    return True


def has_all(path: Path, metadata: dict[str, str], options: dict[str, Any]) -> bool:
    """Whether a curve file with this metadata has all runs of a sweep with these options (JSON values), and others as well."""
    if "options" not in metadata:
        return False
    there = file_metadata.options(path, metadata)
    return there != options and _contains(there, options)


def _contains(there: dict[str, Any], options: dict[str, Any]) -> bool:
    """Whether `options` are those of `there`, or with fewer of their optimizers and seeds."""
    return {*there} == {*options} and all(belongs(key, options[key], there[key]) for key in options)


def extended(root: str | Path, options: dict[str, Any]) -> bool:
    """Whether `options` (JSON values) are those in ROOT/sweep.json, with more optimizers or seeds."""
    try:
        there = store.read_options(root)
    except StoreError:
        return False  # `store.check_options` reports what is wrong
    return there != options and _contains(options, there)


@contextlib.contextmanager
def settling(root: str | Path) -> Iterator[None]:
    """Until the end of the block, no other process says what `root` holds, nor adds curves that it says belong there.

    Two that begin in an empty directory at once would else each find it free.
    """
    make_directory(root)
    try:
        with claims.turn(root, "options"):
            yield
    finally:
        claims.tidy(root)


def settle_options(root: str | Path, options: dict[str, Any]) -> None:
    """Make sure that curves of `options` (JSON values) belong in `root`. Raises StoreError as `store.check_options`.

    They do, too, where another command has extended the directory meanwhile: what it has to add then includes these tasks. A
    command that is extending the directory says so again if an older one was the first to have curves there.
    """
    if extended(root, options):
        store.write_options(root, options)
    elif not _is_within(root, options):
        store.check_options(root, options)


def _is_within(root: str | Path, options: dict[str, Any]) -> bool:
    try:
        return _contains(store.read_options(root), options)
    except StoreError:
        return False


def missing(path: Path, metadata: dict[str, str], options: SweepOptions) -> list[SweepOptions]:
    """The sweeps that make the runs of `options` which a curve file with this metadata lacks.

    New seeds have all optimizers in one sweep, as from the start; new optimizers have the old seeds in one of their own.
    """
    there = file_metadata.options(path, metadata)
    old_ones = set(there["optimizers"])
    optimizers = tuple(name for name in options.optimizers if name not in old_ones)
    old, new = ([seed for seed in options.seeds if (seed in there["seeds"]) == had] for had in (True, False))
    parts = [(optimizers, old), (options.optimizers, new)]
    return [dataclasses.replace(options, optimizers=names, seeds=tuple(seeds)) for names, seeds in parts if names and seeds]


def joined(tables: Sequence[pa.Table], options: SweepOptions) -> pa.Table:
    """Curves of several sweeps as one table in the order of one: by optimizer as asked for, seed, step."""
    table = pa.concat_tables(tables)
    names, seeds = ({value: i for i, value in enumerate(values)} for values in (options.optimizers, options.seeds))
    places = zip(table["optimizer"].to_pylist(), table["seed"].to_pylist(), table["step"].to_pylist())
    keys = [(names[name], seeds[seed], step) for name, seed, step in places]
    return table.take(sorted(range(len(keys)), key=keys.__getitem__))


def remove_leftovers(root: str | Path) -> None:
    """Delete the half-written files of dead processes below ROOT/curves, and at the root itself; nothing else.

    Each is a regular file of this user's, named as `whole_file` names its own, by a process that isn't alive on this
    machine: curves of a task that nobody on any machine has claimed, and tables or options that are an hour old.
    """
    remove_temporaries(root, _SETTLED)
    for path in abandoned(Path(root, "curves").rglob(".*.parquet.*.tmp")):
        task = path.name[1:].rpartition(".parquet.")[0]
        with contextlib.suppress(OSError), claims.claim(root, task) as free:
            if free:
                path.unlink()
