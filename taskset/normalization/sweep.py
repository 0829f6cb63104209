"""The sweep of one task: every optimizer from every seed, evaluated at 51 points of the way."""

import contextlib
import json
import platform
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timezone

import numpy as np
import pyarrow as pa

from taskset.datasets.base import SPLITS
from taskset.errors import ConfigError
from taskset.normalization import store
from taskset.normalization.provenance import git_commit
from taskset.version import __version__


@dataclass(frozen=True)
class Options:
    """What a sweep's curves depend on, beside the task; stored with them, never mixed in one directory.

    optimizers: names; source: of the data; steps: the horizon; seeds: one run each; batches: per evaluation and split;
    evaluations: intervals between evaluations, `evaluations` + 1 of them at 0, steps / evaluations, .., steps.
    """

    optimizers: tuple[str, ...]
    source: str
    steps: int
    seeds: tuple[int, ...]
    batches: int = 5
    evaluations: int = 50

    def __post_init__(self):
        for field in ("steps", "batches", "evaluations"):
            if getattr(self, field) < 1:
                raise ConfigError(f"{field} is {getattr(self, field)}: allowed is an integer of at least 1")
        if self.steps % self.evaluations:
            raise ConfigError(
                f"steps {self.steps} can't be cut into {self.evaluations} equal intervals: use a multiple of {self.evaluations}"
            )
        if not self.optimizers or not self.seeds:
            raise ConfigError("a sweep needs at least one optimizer and one seed")
        if len(set(self.optimizers)) < len(self.optimizers) or len(set(self.seeds)) < len(self.seeds):
            raise ConfigError("an optimizer or a seed is named twice")

    def as_json(self):
        """The options as JSON values."""
        return json.loads(json.dumps(asdict(self)))


def by_rule(optimizers):
    """Optimizers in groups that share a compiled program."""
    groups = {}
    for optimizer in optimizers:
        groups.setdefault(optimizer.rule, []).append(optimizer)
    return list(groups.values())


def _record(rows, optimizer, run, losses):
    over = not all(np.isfinite(loss) for loss in losses.values())
    rows.append((optimizer.name, run.seed, run.step, *([np.nan] * 4 if over else [losses[s] for s in SPLITS]), run.seconds))
    return over


class Account:
    """Core-seconds by what they were spent on: `with account("train"): ..`."""

    def __init__(self):
        self.seconds = {}

    @contextlib.contextmanager
    def __call__(self, purpose):
        start = time.process_time()
        yield
        self.seconds[purpose] = self.seconds.get(purpose, 0.0) + time.process_time() - start


def sweep(task, optimizers, options, report=lambda share: None, account=None):
    """Curves of one task as an Arrow table (`store.SCHEMA`).

    A run is over at the first evaluation that is not finite: from there on its losses are NaN and its rows say diverged. The
    same seed has the same start and the same batches under every optimizer, so the runs of a seed go on side by side and each
    chunk of batches is drawn once. account: an `Account` that is told what the time went into.
    """
    account = account or Account()
    from taskset.training import Loop  # TensorFlow

    interval = options.steps // options.evaluations
    rows, diverged, done = [], set(), 0
    groups = [(Loop(task, group[0], interval), group) for group in by_rule(optimizers)]
    for seed in options.seeds:
        for loop, group in groups:
            with account("draw"):
                evaluate = loop.evaluation(seed, options.batches)
            runs = {o.name: loop.start(seed) for o in group}
            hparams = {o.name: o.hparams(options.steps) for o in group}
            with account("compile"):
                loop.compile(runs[group[0].name], hparams[group[0].name])
                initial = evaluate(runs[group[0].name].params)
            live = [o for o in group if not _record(rows, o, runs[o.name], initial)]
            for point in range(1, options.evaluations + 1):
                goal = point * interval
                for first in range(goal - interval, goal, loop.chunk):
                    with account("draw"):
                        raw = loop.draw(seed, first) if live else None
                    with account("train"):
                        for o in live:
                            loop.train(runs[o.name], hparams[o.name], min(loop.chunk, goal - first), raw)
                with account("evaluate"):
                    losses = {o.name: evaluate(runs[o.name].params) for o in live}
                live = [o for o in live if not _record(rows, o, runs[o.name], losses[o.name])]
                done += len(group)
                report(done / (len(optimizers) * len(options.seeds) * options.evaluations))
            survivors = {o.name for o in live}
            diverged |= {(o.name, seed) for o in group if o.name not in survivors}
    return _table(task, optimizers, options, interval, rows, diverged)


def _table(task, optimizers, options, interval, rows, diverged):
    """Complete curves, sorted by (optimizer as asked for, seed, step): diverged runs are filled up with NaN."""
    place = {o.name: i for i, o in enumerate(optimizers)}
    full = {}
    for name, seed, step, *rest in rows:
        full[name, seed, step] = rest
    columns = {name: [] for name in store.SCHEMA.names}
    for name in place:
        for seed in options.seeds:
            seconds = 0.0
            for step in range(0, options.steps + 1, interval):
                *losses, seconds = full.get((name, seed, step), [np.nan] * 4 + [seconds])
                values = (task.name, name, seed, step, options.steps, *losses, not np.isfinite(losses[0]), seconds)
                for column, value in zip(columns.values(), values):
                    column.append(value)
    arrays = [
        pa.array(values, type=kind.value_type if pa.types.is_dictionary(kind) else kind)
        for values, kind in zip(columns.values(), store.SCHEMA.types)
    ]
    return pa.table(arrays, names=store.SCHEMA.names).cast(store.SCHEMA)


def metadata(task, options, mode, core_seconds):
    """What is stored with a curve file, as {name: text}; core_seconds: {purpose: seconds}."""
    import tensorflow as tf

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
        "mode": mode,
        "batches_per_evaluation": str(options.batches),
        "machine": f"{platform.machine()} {platform.system()}",
        "core_seconds": json.dumps({k: round(v, 2) for k, v in core_seconds.items()}),
        "num_params": str(task.num_params),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def sweep_to_file(name, options, root, data_dir=None, report=lambda share: None):
    """Sweep one task and write its file; returns the path. The file appears whole, at the end."""
    from taskset.optimizers import get_optimizer
    from taskset.tasks.base import get_task
    from taskset.training import execution_mode

    account, total = Account(), Account()
    with total("total"):
        with account("build"):
            task = get_task(name, options.source, data_dir)
        table = sweep(task, [get_optimizer(o) for o in options.optimizers], options, report, account)
    told = metadata(task, options, execution_mode(task), {**account.seconds, **total.seconds})
    path = store.curve_path(root, task.source, task.family, task.name)
    store.write_table(table.replace_schema_metadata(told), path)
    return path
