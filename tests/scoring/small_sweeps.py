"""Sweeps of a few steps on a task of two numbers, for tests of optimizers from anywhere."""

import numpy as np
import tensorflow as tf

from taskset.normalization.sweep.options import SweepOptions
from taskset.normalization.sweep.runner import run_all

STEPS, RATE = 20, 0.05
OPTIONS = SweepOptions(("any",), "synthetic", STEPS, (0, 1), 2, 4)
TASK = "TwoD_Bowl10"


def plain_update(grads, state, params, step, hparams):
    moved = {path: w - hparams["learning_rate"] * grads[path] for path, w in params.items()}
    return moved, {"count": state["count"] + 1.0}


def plain_init(params):
    return {"count": tf.constant(0.0)}


def curves(task, *optimizers):
    return run_all(task, list(optimizers), OPTIONS).to_pandas()


def same(frame, other):
    assert frame["train"].iloc[0] > 1.0001 * frame["train"].iloc[4]
    np.testing.assert_allclose(frame["train"], other["train"], rtol=2e-5)
    np.testing.assert_allclose(frame["test"], other["test"], rtol=2e-5)
