"""The per-parameter network as released with Metz et al. 2018 (arXiv 1810.10180)."""

from __future__ import annotations

import tensorflow as tf

from learned.optimizers import features, network
from learned.optimizers.base import LearnedOptimizer

DECAYS = (0.5, 0.9, 0.99, 0.999, 0.9999)
TIMES = (3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 3e5)  # the release's last one is 3e5, out of the series
HIDDEN = (32,)


def mlp2019() -> LearnedOptimizer:
    """1,090 weights: a ReLU network of 31 inputs, 32 hidden units, 2 outputs (`network.stepped`).

    Inputs, m and r being averages of gradient and squared gradient (`DECAYS`): g, m rsqrt(r + 1e-6), p, m, r, rsqrt(r + 1e-6),
    these 22 normalised; tanh(t / tau - 1) of 9 time scales.
    """
    inputs = 2 + 4 * len(DECAYS) + len(TIMES)
    return LearnedOptimizer("mlp2019", network.mlp_weights((inputs, *HIDDEN, 2)), _init, _update, width=max(HIDDEN))


def _init(theta, params):
    del theta
    return {"m": features.zeros(params, len(DECAYS)), "rms": features.zeros(params, len(DECAYS))}


def _inputs(g, p, m, rms):
    factor = tf.math.rsqrt(rms + 1e-6)
    return features.normalised(tf.concat([g[None], m * factor, p[None], m, rms, factor], 0))


def _update(theta, grads, state, params, step, loss, validation_loss):
    del loss, validation_loss
    g, p, new, inputs = features.with_axes(grads), features.with_axes(params), {"m": {}, "rms": {}}, {}
    for path in p:
        m, rms = features.gradient_averages(g[path], state["m"][path], state["rms"][path], DECAYS)
        new["m"][path], new["rms"][path] = m, rms
        inputs[path] = _inputs(g[path], p[path], m, rms)
    x = features.rows(inputs)
    outputs = network.mlp(theta, x, features.tanh_time(step, x.dtype, TIMES))
    return network.stepped(params, outputs), new
