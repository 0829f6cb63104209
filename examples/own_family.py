"""A family from outside the package, as a user would write it.

python -m taskset show own_regression_seed0 --import examples/own_family.py
"""

import numpy as np
import sonnet as snt
import tensorflow as tf

import taskset
from taskset.datasets.in_memory import InMemoryData
from taskset.tasks import initializers


@taskset.register_sampler("own_regression")
def sample(seed):
    rng = np.random.RandomState(seed)
    return {"width": int(rng.randint(2, 6)), "scale": float(rng.uniform(0.5, 2.0))}


def data():
    rng = np.random.RandomState(0)
    x = rng.randn(200, 3)
    y = np.sin(x.sum(axis=1, keepdims=True))
    rows = {"train": range(0, 120), "valid_inner": range(120, 140), "valid_outer": range(140, 160), "test": range(160, 200)}
    return InMemoryData({"x": x, "y": y}, rows, batch_size=10)


@taskset.register_facts("own_regression")
def facts(config):
    return taskset.Facts(data=data())


@taskset.register_builder("own_regression")
def build(config, data):
    def loss(batch, key):
        net = snt.nets.MLP([config["width"], 1], w_init=initializers.lecun_normal(), name="mlp")
        return config["scale"] * tf.reduce_mean((net(batch["x"]) - batch["y"]) ** 2)

    return taskset.Model(loss, data)
