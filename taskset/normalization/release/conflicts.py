"""What keeps curves from standing beside one another in merged baselines."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any

from taskset.errors import StoreError, shown
from taskset.execution import code_digest
from taskset.normalization.release.stored_curves import StoredCurves
from taskset.normalization.store import file_metadata
from taskset.samplers.optimizers import family_of

Said = Iterable[tuple[Any, Any]]  # (what it is about, what is said of it)


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


def _differing(
    found: Iterable[StoredCurves],
    says: Callable[[StoredCurves], Said],
    differ: Callable[[Any, Any], bool] = operator.ne,
) -> Iterator[tuple[Any, tuple[Any, StoredCurves], tuple[Any, StoredCurves]]]:
    """(what, (said first, by whom), (said here, by whom)) wherever curves say something else than the first that spoke of it."""
    first: dict[Hashable, tuple[Any, StoredCurves]] = {}
    for curves in found:
        for what, said in says(curves):
            there = first.setdefault(what, (said, curves))
            if differ(there[0], said):
                yield what, there, (said, curves)


def one_config(found: Iterable[StoredCurves]) -> None:
    """Raise StoreError if curves of one task are of two configs: its family changed between the sweeps."""

    def config(curves: StoredCurves) -> Said:
        return [(curves.task, curves)] if "config" in curves.metadata else []  # tables of merged baselines may lack it

    def differ(one: StoredCurves, other: StoredCurves) -> bool:
        return one.metadata["config"] != other.metadata["config"] and one.config != other.config

    for task, (_, there), (_, here) in _differing(found, config, differ):
        raise StoreError(
            f"{there.path} and {here.path} have curves of two configs of {task}, whose family changed between the sweeps: pass "
            "one of them, or sweep the task again"
        )


def one_data(found: Iterable[StoredCurves]) -> None:
    """Raise StoreError if curves of one task and source are of two data sets: a mean would be of neither.

    Checksums of synthetic data may differ: single pixels do, by 1 of 255, from one kind of processor to another.
    """

    def origin(curves: StoredCurves) -> Said:
        data = json.loads(curves.metadata.get("data_origin", "null"))
        if not isinstance(data, dict):  # without data, not known, or a list: of all tasks of a merged file
            return []
        if curves.source == "synthetic":
            data.pop("checksum", None)
        return [((curves.task, curves.source), data)]

    for (task, _), (one, there), (other, here) in _differing(found, origin):
        raise StoreError(
            f"{there.path} and {here.path} have curves of {task} on different data, {shown(one)} and {shown(other)}: pass one of "
            "them"
        )


def one_code(found: Iterable[StoredCurves]) -> None:
    """Raise StoreError if one name is of two things: of code that a user registered, a scored candidate, or a checkpoint."""

    def codes(curves: StoredCurves) -> Said:
        return file_metadata.own_code(curves.path, curves.metadata).items()

    for what, (_, there), (_, here) in _differing(found, codes, code_digest.differs):
        kind = what.partition(" ")[0]
        again = {"candidate": "score one of the two again with --name", "checkpoint": "evaluate one of the two again with --name"}
        different = "weights" if kind == "checkpoint" else "code or hyperparameters"
        raise StoreError(
            f"{there.path} and {here.path} were made with different {different} of {what}: pass one of them, or "
            f"{again.get(kind, 'register one of the two under another name')}"
        )


def one_rule(found: Iterable[StoredCurves]) -> None:
    """Raise StoreError if a name of the package's optimizers is that of a scored candidate with other hyperparameters as well."""

    def rules(curves: StoredCurves) -> Said:
        codes = file_metadata.own_code(curves.path, curves.metadata)
        return [(name, codes.get(f"candidate {name}", "")) for name in curves.options["optimizers"]]

    for name, (_, there), (_, here) in _differing(found, rules):
        if family_of(name) is not None:
            raise StoreError(
                f"{there.path} and {here.path} have curves of {name} with different hyperparameters: pass one of them, or score "
                "it again with --name"
            )


def no_run_twice(found: Iterable[StoredCurves]) -> None:
    """Raise StoreError if one run stands in two places: one of them would count twice."""

    def runs(curves: StoredCurves) -> Said:
        options = curves.options
        for optimizer in options["optimizers"]:
            for seed in options["seeds"]:
                yield (curves.task, curves.source, options["steps"], optimizer, seed), object()  # equal to no other

    for (task, source, steps, optimizer, seed), (_, there), (_, here) in _differing(found, runs):
        raise StoreError(
            f"{task}, source {source}, horizon {steps}, {optimizer}, seed {seed} is in {there.path} and {here.path}: pass one of "
            "them"
        )


def no_mixed_means(found: Iterable[StoredCurves]) -> None:
    """Raise StoreError if the seeds of an optimizer were evaluated in several ways at one horizon.

    A mean over seeds, and a normalizer with it, would be over other seeds at each step, or mix losses of more batches and fewer.
    """

    def ways(curves: StoredCurves) -> Said:
        options = curves.options
        way = f"{options['evaluations']} evaluations of {options['batches']} batches"
        return [((curves.task, curves.source, options["steps"], optimizer), way) for optimizer in options["optimizers"]]

    for (task, source, steps, optimizer), *both in _differing(found, ways):
        where = " and ".join(f"{way} in {curves.path}" for way, curves in both)
        raise StoreError(
            f"{task}, source {source}, horizon {steps}, {optimizer}: its seeds were swept with {where}, and a mean over seeds "
            "would mix them: pass one of them, or sweep all seeds alike"
        )
