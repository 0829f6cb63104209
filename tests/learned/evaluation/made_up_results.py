"""Results of learned optimizers by a formula, as `evaluate` writes them."""

import numpy as np
import pyarrow as pa

from taskset import catalogue
from taskset.normalization import store
from taskset.version import __version__
from tests.normalization import made_up_sweeps as made_up


def write_learned(root, name, curves, tasks=made_up.TASKS, **changes):
    """A result of `evaluate` by a formula: curves(task, seed) -> losses [E + 1, 4]."""
    options = made_up.options(optimizers=[name], **changes)
    store.check_options(root, {**options, "checkpoint": "abc"})
    steps = np.linspace(0, options["steps"], options["evaluations"] + 1).astype(int)
    for task in tasks:
        columns = {column: [] for column in store.SCHEMA.names}
        for seed in options["seeds"]:
            losses = curves(task, seed)
            for step, row in zip(steps, losses):
                values = (task, name, seed, step, options["steps"], *row, not np.isfinite(row[0]), 0.0)
                for column, value in zip(columns.values(), values):
                    column.append(value)
        path = store.curve_path(root, "none", catalogue.resolve(task)[0], task)
        store.write_curves(pa.table(columns).cast(store.SCHEMA), path, {"taskset_version": __version__})
    return root
