"""A small Keras model, its training by a learned optimizer, and what such an optimizer refuses."""

import functools

import keras
import numpy as np
import tensorflow as tf

from learned import optimizers
from learned.deploy.keras import LearnedOptimizer, ValidationLoss
from taskset.errors import ConfigError
from tests.learned.deploy import exports
from tests.learned.rules import weights

STEPS, BATCH = 13, 8
refused = functools.partial(exports.refused, error=ConfigError)
MODES = {"eager": {"run_eagerly": True}, "graph": {"jit_compile": False}, "xla": {"jit_compile": True}}


def data(seed=0, batches=STEPS):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(batches * BATCH, 5)).astype(np.float32), rng.normal(size=(batches * BATCH, 2)).astype(np.float32)


def model(seed=1):
    layers = [keras.layers.Dense(7, "tanh", kernel_initializer=keras.initializers.GlorotUniform(seed)), keras.layers.Dense(2)]
    layers[1].kernel_initializer = keras.initializers.GlorotUniform(seed + 1)
    return keras.Sequential([keras.Input((5,)), *layers])


def made(name, **changes):
    return LearnedOptimizer(name, weights(optimizers.get(name)), **{"steps": STEPS, **changes})


def batch(arrays, i):
    return tuple(tf.constant(a[i * BATCH : (i + 1) * BATCH]) for a in arrays)


def fit(keras_model, name, mode="graph", first=0, steps=STEPS):
    if not keras_model.compiled:
        keras_model.compile(optimizer=made(name), loss="mse", **MODES[mode])
    x, y = (a[first * BATCH : (first + steps) * BATCH] for a in data())
    batches = [batch(data(9), i) for i in range(-(-first // 10), 2)]
    callbacks = [ValidationLoss(batches)] if name == "hierarchical" else []
    return keras_model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0, callbacks=callbacks)
