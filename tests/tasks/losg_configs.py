"""A config of each kind of losg_tasks_family."""

import math

import tensorflow as tf

from taskset.catalogue import make_task
from taskset.samplers.losg_tasks_family import TEST_PROBLEMS

NETWORK = {"n_features": 3, "n_classes": 2, "activation": "tanh", "bs": 6, "n_samples": 9, "hidden_sizes": [5, 4]}
SNAKE = {"dim": 5, "bs": 6, "n_samples": 120}
QUADRATIC = {"dim": 10, "noise_stdev": 0.0}
PLAIN = {
    "quadratic": QUADRATIC,
    "min_max_well": {"dim": 10, "noise_stdev": 0.0},
    "bowl": {"cond": 7.5, "angle": math.pi / 3, "noise_stdev": 0.0},
    "norm": {"dim": 6, "norm_power": 0.3},
    "dependency_chain": {"dim": 4, "bs": 2, "n_samples": 100},
    "outward_snake": SNAKE,
    "sum_of_quadratics": {"dim": 5, "bs": 6, "n_samples": 101},
    "projection_quadratic": {"dim": 5, "bs": 6, "n_samples": 120},
    "fully_connected": NETWORK,
    "sparse_softmax_regression": {"n_features": 4, "n_classes": 2, "noise_stdev": 0.0, "bs": 7, "n_samples": 20},
    "sparse_problems": {"base": ["outward_snake", SNAKE], "zero_probability": 0.9, "noise_stdev": 0.0},
    "rescale_problems": {"base": ["fully_connected", NETWORK], "scale": 20.0},
    "log_objective": {"base": ["quadratic", QUADRATIC]},
}
CONFIGS = {kind: [kind, args, 71] for kind, args in PLAIN.items()}
CONFIGS |= {name: ["optimization_test_problems", {"problem": name, "noise_stdev": 0.0}, 71] for name in TEST_PROBLEMS}
CONFIGS["norm 4.7"] = ["norm", {"dim": 40, "norm_power": 4.7}, 71]
CONFIGS["rescale norm"] = ["rescale_problems", {"base": ["norm", {"dim": 6, "norm_power": 2.0}], "scale": 0.01}, 71]
CONFIGS["log bowl"] = ["log_objective", {"base": ["bowl", {"cond": 0.1, "angle": math.pi / 4, "noise_stdev": 3.0}]}, 71]


def task_of(config):
    return make_task("losg_tasks_family", config)


def start(task, dtype=tf.float32, seed=5):
    """Parameters and a batch."""
    return task.init(seed, dtype), next(task.batches("train", seed))
