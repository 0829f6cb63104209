"""A network applied to each parameter alone, on gradient, value, momenta of six time scales, and time.

The design of Metz et al. 2018 (arXiv 1810.10180) as Metz et al. 2022 (arXiv 2203.11860) carry it on.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from learned.optimizers import features, network
from learned.optimizers.base import LearnedOptimizer

DECAYS = (0.1, 0.5, 0.9, 0.99, 0.999, 0.9999)
HIDDEN = (32, 32)


def mlp() -> LearnedOptimizer:
    """1,762 weights: a ReLU network of 19 inputs, 32 and 32 hidden units, 2 outputs (`network.stepped`).

    Inputs: gradient, parameter, averages of the gradient (`DECAYS`), these 8 normalised; tanh(t / tau - 1) of 11 time scales.
    """
    inputs = 2 + len(DECAYS) + len(features.TIMES)
    return LearnedOptimizer("mlp", network.mlp_weights((inputs, *HIDDEN, 2)), _init, _update, width=max(HIDDEN))


def _init(theta, params):
    del theta
    return {"m": features.zeros(params, len(DECAYS))}


def _update(theta, grads, state, params, step, loss, validation_loss):
    del loss, validation_loss
    fractions = 1 - np.asarray(DECAYS)
    g, p = features.with_axes(grads), features.with_axes(params)
    m = {path: features.average(state["m"][path], g[path], fractions) for path in p}
    inputs = {path: features.normalised(tf.concat([g[path][None], p[path][None], m[path]], 0)) for path in p}
    x = features.rows(inputs)
    outputs = network.mlp(theta, x, features.tanh_time(step, x.dtype))
    return network.stepped(params, outputs), {"m": m}
