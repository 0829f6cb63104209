"""Sweeps without training: curves by a formula, in directories as `python -m taskset baseline` leaves them."""

import json

import numpy as np
import pyarrow as pa

from taskset import catalogue
from taskset.normalization import store
from taskset.normalization.tables import write_tables
from taskset.version import __version__

RATES = ("adam_lr_-3.00", "adam_lr_-1.00", "adam_lr_1.00")
TASKS = ("TwoD_Bowl10", "quadratic_family_seed2", "quadratic_family_seed11")


def options(**changes):
    """Options of a sweep as JSON values."""
    return {
        "optimizers": list(RATES),
        "source": "synthetic",
        "steps": 20,
        "seeds": [0, 1],
        "batches": 2,
        "evaluations": 4,
        **changes,
    }


def curve(task, optimizer, seed, options):
    """Losses, float32 [E, 4]: a decay from a start that depends on (task, seed) alone; Adam with rate 10 diverges."""
    rng = np.random.default_rng([len(task), seed])
    start, tone = rng.uniform(2, 3, 4), 1 + sum(map(ord, optimizer)) % 7
    losses = start * np.exp(-np.arange(options["evaluations"] + 1)[:, None] * tone / 10)
    losses[1:] += rng.uniform(0, 1e-3, losses[1:].shape)
    if optimizer == "adam_lr_1.00":
        losses[2:] = np.nan
    return losses.astype(np.float32)


def rows(task, options):
    """The curves of one task as an Arrow table (`store.SCHEMA`), sorted as a sweep leaves them."""
    columns = {name: [] for name in store.SCHEMA.names}
    evaluations = options["evaluations"] + 1
    steps = np.linspace(0, options["steps"], evaluations).astype(int)
    for optimizer in options["optimizers"]:
        for seed in options["seeds"]:
            losses = curve(task, optimizer, seed, options)
            seconds = np.where(np.isnan(losses[:, 0]), 0.001 * steps[1], 0.001 * steps)
            parts = [task] * evaluations, [optimizer] * evaluations, [seed] * evaluations, steps, [options["steps"]] * evaluations
            for column, part in zip(columns.values(), (*parts, *losses.T, np.isnan(losses[:, 0]), seconds)):
                column.extend(part)
    return pa.table(columns).cast(store.SCHEMA)


def write(root, tasks=TASKS, source="none", origin=None, version=__version__, own=None, **changes):
    """A sweep's output under `root`; returns `root`. own: {what a user registered: digest of its code}."""
    given = options(**changes)
    store.check_options(root, given)
    for name in tasks:
        family, config = catalogue.resolve(name)
        metadata = {
            "task": name,
            "family": family,
            "config": json.dumps(config),
            "source": source,
            "data_origin": json.dumps(origin),
            "options": json.dumps(given),
            "taskset_version": version,
            "git_commit": "abc",
            "tensorflow_version": "2.21.0",
            "mode": "xla_loop",
            "batches_per_evaluation": str(given["batches"]),
            "machine": "x86_64 Linux",
            "core_seconds": json.dumps({"train": 30.0, "total": 36.0}),
            "num_params": json.dumps(catalogue.num_params(name)),
            **({"own_code": json.dumps(own)} if own else {}),
            "created": f"2026-01-0{given['batches']}T00:00:00+00:00",
        }
        store.write_curves(rows(name, given), store.curve_path(root, source, family, name), metadata)
    write_tables(root)
    return root
