"""A process with two logical CPU devices, for tests/learned/unrolling/test_distributed.py.

    python -m tests.two_devices OUT.npz ESTIMATOR ..

Writes what each estimator gives over some truncations, on one device without a strategy and under two strategies.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

import learned  # noqa: F401
from learned import estimators, optimizers
from learned.estimators import base
from learned.outer_training import objectives
from learned.unrolling import distributed
from learned.unrolling.problem import Problem
from learned.unrolling.vectors import named_leaves
from taskset.catalogue import get_task

TRUNCATIONS = 3


def run(name, task, optimizer, strategy):
    """{name: array} of some truncations' gradients and losses and of the state behind them."""
    problem = Problem(
        get_task(task, "synthetic"), optimizers.get(optimizer), objectives.get("valid"), objectives.unscaled, tf.float64
    )
    settings = base.Settings(pairs=4, steps=3, first_lengths=base.spread)
    estimator, found = estimators.get(name)(problem, settings, strategy=strategy), {}
    theta, state = problem.theta(0), estimator.init(1)
    for truncation in range(TRUNCATIONS):
        estimate, state = estimator.estimate(theta, state, lambda rng, n: rng.integers(3, 6, n))
        found[f"gradient{truncation}"], found[f"loss{truncation}"] = estimate.gradient, estimate.loss
    return {**found, **{f"state|{k}": v for k, v in named_leaves(state).items()}}


def placed(strategy):
    """The devices on which a spread truncation's program stands, by its traced graph."""
    problem = Problem(
        get_task("quadratic_family_seed4"), optimizers.get("learnable_sgd"), objectives.get("train"), objectives.unscaled
    )
    spread = estimators.get("pes")(problem, base.Settings(pairs=4, steps=3), strategy=strategy).unroll
    raw, key = spread.raw([[(0, 0, 3)]] * 4), tf.zeros([2], tf.int32)
    theta, none = tf.zeros([8, 1]), tf.zeros([4], tf.int32)
    parts = spread._arguments(
        (theta, theta, spread.empty()), spread.fresh({0: 1}), none, none, tf.ones([4, 2], tf.int32), raw, key
    )
    given = strategy.experimental_distribute_values_from_function(lambda one: parts[one.replica_id_in_sync_group])
    graph = spread._run.get_concrete_function(*given).graph
    return sorted({op.device.split("/")[-1] for op in graph.get_operations() if "Call" in op.type})


def main(output, *names):
    """Everything, as one .npz."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    strategies = {
        "none": None,
        "one": distributed.strategy("one", "cpu:1"),
        "mirrored": distributed.strategy("mirrored", "cpu"),
    }
    arrays = {f"described/{k}": np.array(distributed.describe(s)) for k, s in strategies.items() if s}
    arrays |= {f"placed/{k}": np.array(placed(s)) for k, s in strategies.items() if s}
    for name in names:
        task = "Digits_mlp32_bs128" if name == "pes" else "quadratic_family_seed4"
        for kind, strategy in strategies.items():
            if kind != "one" or name == "pes":
                found = run(name, task, "learnable_sgdm", strategy)
                arrays |= {f"{name}/{kind}/{k}": v for k, v in found.items()}
    np.savez(output, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
