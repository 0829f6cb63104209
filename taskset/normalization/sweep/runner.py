"""The sweep of one task: every optimizer from every seed, evaluated at `evaluations` + 1 steps."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from taskset import changes
from taskset.catalogue import get_task
from taskset.datasets.base import SPLITS
from taskset.errors import ConfigError, whole_number
from taskset.execution import machine
from taskset.normalization import store
from taskset.normalization.store import described, layout, packing
from taskset.normalization.sweep import resume
from taskset.normalization.sweep.provenance import git_commit, own_code, settings
from taskset.random import seeds as random_seeds
from taskset.version import __version__

if TYPE_CHECKING:
    from taskset.optimizers.base import Optimizer
    from taskset.registry import Facts
    from taskset.tasks.base import Task


@dataclass(frozen=True)
class SweepOptions:
    """What a sweep's curves depend on besides the task. They are stored with the curves; one directory has one set of them.

    optimizers: names; source: of the data; steps: the horizon; seeds: one run each; batches: per evaluation and split;
    evaluations: intervals between evaluations, `evaluations` + 1 of them at 0, steps / evaluations, .., steps.
    """

    optimizers: tuple[str, ...]
    source: str
    steps: int
    seeds: tuple[int, ...]
    batches: int = 5
    evaluations: int = 50

    def __post_init__(self) -> None:
        for field in ("steps", "batches", "evaluations"):
            object.__setattr__(self, field, whole_number(field, getattr(self, field)))  # as files have it: Python's int
        if self.steps % self.evaluations:
            raise ConfigError(
                f"steps {self.steps} can't be cut into {self.evaluations} equal intervals between evaluations: use a multiple of "
                f"{self.evaluations}, or other evaluations (--evaluations, {self.evaluations} here)"
            )
        object.__setattr__(self, "seeds", tuple(map(random_seeds.check, self.seeds)))
        if not self.optimizers or not self.seeds:
            raise ConfigError("a sweep needs at least one optimizer and one seed")
        if len(set(self.optimizers)) < len(self.optimizers) or len(set(self.seeds)) < len(self.seeds):
            raise ConfigError("an optimizer or a seed is named twice")

    def as_json(self) -> dict[str, Any]:
        """The options as JSON values."""
        return json.loads(json.dumps(asdict(self)))

    @property
    def runs(self) -> int:
        """The number of runs on a task: one of each optimizer from each seed."""
        return len(self.optimizers) * len(self.seeds)

    def source_of(self, facts: Facts) -> str:
        """The source of a task's data: `source`, and "none" for tasks without data."""
        return self.source if facts.data is not None and facts.data.needs_source else "none"


def by_rule(optimizers: Sequence[Optimizer]) -> list[list[Optimizer]]:
    """Optimizers in groups that share a compiled program: those of one rule; of users' own, those that are known to be alike."""
    groups: dict[str, list[Optimizer]] = {}
    for optimizer in optimizers:
        groups.setdefault(_program(optimizer), []).append(optimizer)
    return list(groups.values())


def _program(optimizer: Optimizer) -> str:
    from taskset.optimizers.base import is_own, program  # TensorFlow

    return program(optimizer) if is_own(optimizer) else optimizer.rule


class Account:
    """Core-seconds by what they were spent on: `with account("train"): ..`."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def __call__(self, purpose: str) -> Iterator[None]:
        start = time.process_time()
        yield
        self.seconds[purpose] = self.seconds.get(purpose, 0.0) + time.process_time() - start


def sweep(
    task: Task,
    optimizers: Sequence[Optimizer],
    options: SweepOptions,
    report: Callable[[float], object] = lambda share: None,
    account: Account | None = None,
    mode: str | None = None,
) -> pa.Table:
    """Curves of one task as an Arrow table (`store.SCHEMA`), with "copies" in its metadata: the most runs in one program.

    A run ends at the first evaluation that is not finite: from there on its losses are NaN and its rows are marked as diverged.
    A seed has the same start and the same batches under every optimizer, so the runs of a seed advance side by side.
    report: called with the share that is done; account: the `Account` that gets the time; mode: of execution
    (`taskset.execution.modes`); None: the fastest.
    """
    account = account or Account()
    from taskset.normalization.sweep import run_groups  # TensorFlow

    interval = options.steps // options.evaluations
    groups = [run_groups.of_group(task, group, interval, options, account, mode) for group in by_rule(optimizers)]
    found: dict[tuple[str, int, int], tuple[dict[str, float], float]] = {}
    done = 0
    for seed in options.seeds:
        for group in groups:
            group.start(seed, account)
            live = [o.name for o in group.group]
            for step in range(0, options.steps + 1, interval):
                if step and live:
                    group.advance(live, interval, account)
                losses = group.losses(live, account) if live else {}
                for name in live:
                    found[name, seed, step] = losses[name], group.seconds(name)
                live = [name for name in live if all(map(np.isfinite, losses[name].values()))]
                done += len(group.group) if step else 0
                report(done / (options.runs * options.evaluations))
    copies = max(group.copies for group in groups)
    return _table(task, optimizers, options, interval, found).replace_schema_metadata({"copies": str(copies)})


def _table(task, optimizers, options, interval, found):
    """Complete curves, sorted by (optimizer as asked for, seed, step): diverged runs are filled up with NaN.

    found: {(optimizer, seed, step): ({split: loss}, seconds)}, for each run up to its first loss that is not finite.
    """
    columns: dict[str, list[Any]] = {name: [] for name in store.SCHEMA.names}
    for optimizer in optimizers:
        for seed in options.seeds:
            seconds = 0.0
            for step in range(0, options.steps + 1, interval):
                losses, seconds = found.get((optimizer.name, seed, step), ({}, seconds))
                diverged = not losses or not all(map(np.isfinite, losses.values()))
                values = [np.nan if diverged else losses[split] for split in SPLITS]
                row = (task.name, optimizer.name, seed, step, options.steps, *values, diverged, seconds)
                for column, value in zip(columns.values(), row):
                    column.append(value)
    arrays = [
        pa.array(values, type=kind.value_type if pa.types.is_dictionary(kind) else kind)
        for values, kind in zip(columns.values(), store.SCHEMA.types)
    ]
    return pa.table(arrays, names=store.SCHEMA.names).cast(store.SCHEMA)


def metadata(task: Task, options: SweepOptions, mode: str, core_seconds: dict[str, float]) -> dict[str, str]:
    """The metadata of a curve file as {name: text}; core_seconds: {purpose: seconds}."""
    import tensorflow as tf

    own = own_code(task.family, options.optimizers)
    return {
        "task": task.name,
        "family": task.family,
        "config": json.dumps(task.config),
        "source": task.source,
        "data_origin": json.dumps(task.data_origin),
        "options": json.dumps(options.as_json()),
        "taskset_version": __version__,
        "git_commit": git_commit(),
        "tensorflow_version": tf.__version__,
        "settings": json.dumps(settings()),
        "mode": mode,
        "batches_per_evaluation": str(options.batches),
        "machine": machine.kind(),
        "core_seconds": json.dumps({k: round(v, 2) for k, v in core_seconds.items()}),
        "num_params": str(task.num_params),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        **({"own_code": json.dumps(own)} if own else {}),
    }


@dataclass(frozen=True)
class Curves:
    """The curves of one task as a file will have them. table: `store.SCHEMA`; metadata: {name: text}."""

    table: pa.Table
    metadata: dict[str, str]

    def path(self, root: str | Path) -> Path:
        """Where the file stands in a directory of results."""
        return store.curve_path(root, self.metadata["source"], self.metadata["family"], self.metadata["task"])

    def write(self, root: str | Path) -> Path:
        """Write the file, whole or not at all; returns its path."""
        path = self.path(root)
        store.write_curves(self.table, path, self.metadata)
        return path


def earlier_curves(name: str, options: SweepOptions, root: str | Path) -> Curves | None:
    """What the file of a task has before a sweep adds to it, from that file alone; None where there is no file."""
    file = resume.task_file(root, name, options)
    if not file.path.exists():
        return None
    metadata = store.read_metadata(file.path)
    resume.check_current(file, metadata)
    stored = pa.concat_tables([packing.read_part(*place) for place in packing.places(file.path)])
    return Curves(layout.with_seconds(stored).select(store.SCHEMA.names).cast(store.SCHEMA), metadata)


def swept(
    name: str,
    options: SweepOptions,
    before: Curves | None = None,
    data_dir: str | Path | None = None,
    mode: str | None = None,
    report: Callable[[float], object] = lambda share: None,
) -> Curves:
    """The `Curves` of one task: of `before`, with the runs that it lacks.

    Their numbers are those of one sweep of all; up to rounding for new optimizers of tasks whose runs share a program
    (`taskset.execution.modes.copies_pay`). All curves of a file carry one version, which decides whether they are out of date:
    the oldest that computed some of them. Commit, TensorFlow's version, mode and machine are those of all, `created` is the time
    of the last.
    """
    from taskset.execution.loop import execution_mode
    from taskset.optimizers import get_optimizer

    account, total = Account(), Account()
    with total("total"):
        with account("build"):
            task = get_task(name, options.source, data_dir)
        with account("open"):  # decodes the data set, unless another task of the sweep has
            task.raw_batches("train", options.seeds[0], 0, 1)
        path = store.curve_path("", task.source, task.family, task.name)  # in messages about the earlier file
        if before:
            resume.check_origin(path, before.metadata, task.data_origin)
        parts = resume.missing(path, before.metadata, options) if before else [options]

        def report_part(i: int) -> Callable[[float], object]:
            return lambda share: report((i + share) / len(parts))

        tables = []
        for i, part in enumerate(parts):
            optimizers = [get_optimizer(o) for o in part.optimizers]
            tables.append(sweep(task, optimizers, part, report_part(i), account, mode))
    copies = max(int(table.schema.metadata[b"copies"]) for table in tables)
    spent = {**account.seconds, **total.seconds}
    if before:
        tables.append(before.table)
        earlier = described.core_seconds(path, before.metadata)
        spent = {purpose: earlier.get(purpose, 0.0) + spent.get(purpose, 0.0) for purpose in {**earlier, **spent}}
        copies = max(copies, described.whole_number(path, before.metadata, "copies") or 1)
    table = resume.joined([table.replace_schema_metadata(None) for table in tables], options) if before else tables[0]
    stored = {**metadata(task, options, mode or execution_mode(task), spent), "copies": str(copies)}
    return Curves(table, {**stored, **_provenance(before.metadata, stored)} if before else stored)


def _provenance(before: dict[str, str], now: dict[str, str]) -> dict[str, str]:
    """What made curves of which some were there `before` and some are made `now`, each of them metadata: {name: text}."""
    oldest = changes.oldest([before.get("taskset_version", changes.FIRST), now["taskset_version"]])
    names = ("git_commit", "tensorflow_version", "mode", "machine")
    return {"taskset_version": oldest, **{name: _both(before.get(name, ""), now[name]) for name in names}}


def _both(before: str, now: str) -> str:
    """Two lists of values as one, each value once; a value may have a comma of its own."""
    if not before or f", {before}, " in f", {now}, ":
        return now
    return before if not now or f", {now}, " in f", {before}, " else f"{before}, {now}"


def sweep_to_file(
    name: str,
    options: SweepOptions,
    root: str | Path,
    data_dir: str | Path | None = None,
    mode: str | None = None,
    report: Callable[[float], object] = lambda share: None,
) -> Path:
    """Sweep one task and write its file, whole or not at all; returns the path.

    Where there is a file with a part of the runs, only the others are made (`swept`).
    """
    return keep(swept(name, options, earlier_curves(name, options, root), data_dir, mode, report), options, root)


def keep(curves: Curves, options: SweepOptions, root: str | Path) -> Path:
    """Write the curves of a sweep with these options into `root`, unless it holds others' by now; returns the path."""
    with resume.settling(root):
        resume.settle_options(root, options.as_json())  # once more: another sweep may have been first to have curves here
        return curves.write(root)
