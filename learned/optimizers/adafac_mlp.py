"""A tiny network per parameter on Adafactor's features: "small_fc" of Metz et al. 2022 (arXiv 2203.11860).

Second moments are kept for the rows and columns of a tensor only (Shazeer and Stern 2018, arXiv 1804.04235). "Row" is the mean
over the largest axis of the tensor, "column" that over the second largest; of axes of one length the later counts as larger.
Both keep the axis they are means over, with length 1. Tensors of rank 0 and 1 have their full second moments in their place.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from learned.optimizers import features, network
from learned.optimizers.base import LearnedOptimizer
from taskset.tasks.initializers import constant

DECAYS = {"m": (0.9, 0.99, 0.999), "rms": (0.999,), "factored": (0.9, 0.99, 0.999)}
PER_PARAMETER = 28
HIDDEN = (4, 4)


def adafac_mlp() -> LearnedOptimizer:
    """197 weights: a ReLU network of 39 inputs, 4 and 4 hidden units, 2 outputs (`network.stepped`); 7 offsets of decays.

    28 normalised inputs (`_inputs`), then tanh(t / tau - 1) of 11 time scales. A decay d0 is used as 1 - (1 - d0) exp(10 offset).
    """
    weights = network.mlp_weights((PER_PARAMETER + len(features.TIMES), *HIDDEN, 2))
    for kind, decays in DECAYS.items():
        weights[f"decay_offsets/{kind}"] = ((len(decays),), constant(0.0))
    return LearnedOptimizer("adafac_mlp", weights, _init, _update)


def _axes(shape):
    """(largest, second largest) axis, or None for ranks 0 and 1."""
    return tuple(int(axis) for axis in np.argsort(shape, kind="stable")[:-3:-1]) if len(shape) > 1 else None


def _factors(x):
    """The parts of x [features, *shape] that second moments are kept of: its row and column means, or x itself."""
    axes = _axes(x.shape[1:])
    return [tf.reduce_mean(x, 1 + axis, keepdims=True) for axis in axes] if axes else [x]


def _init(theta, params):
    del theta
    state = {kind: features.zeros(params, len(decays)) for kind, decays in DECAYS.items()}
    factored = {path: _factors(v) for path, v in state.pop("factored").items()}
    state["row"] = {path: parts[0] for path, parts in factored.items()}
    state["col"] = {path: parts[1] for path, parts in factored.items() if len(parts) == 2}
    return state


def _fractions(theta):
    """1 - decay for each average; that of m may leave [0, 1]."""
    fractions = {}
    for kind, decays in DECAYS.items():
        offsets = theta[f"decay_offsets/{kind}"]
        fractions[kind] = features.beside(1 - np.asarray(decays), offsets) * tf.exp(10.0 * offsets)
        if kind != "m":
            fractions[kind] = tf.clip_by_value(fractions[kind], 0.0, 1.0)
    return fractions


def _scaled(g, m, second):
    """(g, m) [decays, *shape] divided by the roots of the second moments that `second` = [row, col] or [v] stand for."""
    if len(second) == 1:
        return g * tf.math.rsqrt(second[0] + 1e-9), m * tf.math.rsqrt(second[0] + 1e-6)
    row, col = second
    # The mean of row is over the second largest axis alone, as in Adafactor: each position of a kernel's window has its own.
    axis = 1 + _axes(m.shape[1:])[1]
    row = tf.math.rsqrt(tf.maximum(row / (tf.reduce_mean(row, axis, keepdims=True) + 1e-9), 1e-9))
    col = tf.math.rsqrt(tf.maximum(col, 1e-9))
    return g * row * col, m * row * col


def _inputs(g, p, m, rms, second):
    """The 28 inputs before normalisation, in blocks [features, *shape] with axes of length 1 where they are constant."""
    factor = tf.math.rsqrt(rms + 1e-6)
    row, col = second[0], second[-1]
    g_scaled, m_scaled = _scaled(g[None], m, second)
    roots = [tf.math.rsqrt(row + 1e-8), tf.math.rsqrt(col + 1e-8)]
    return [g[None], p[None], m, rms, m * factor, factor, g_scaled, row, col, *roots, m_scaled]


def _first_layer(w, blocks):
    """w^T x for x made of the normalised blocks, [hidden, *shape].

    Blocks of rows and columns are multiplied before they are spread over the tensor: 12 of the 28 features cost next to nothing.
    """
    weights = tf.split(w, [block.shape[0] for block in blocks])
    total = 0.0
    for shape in dict.fromkeys(tuple(block.shape[1:]) for block in blocks):
        alike = [i for i, block in enumerate(blocks) if tuple(block.shape[1:]) == shape]
        x = tf.concat([blocks[i] for i in alike], 0)
        scaled = tf.concat([weights[i] for i in alike], 0) * tf.reshape(features.scale(x), [-1, 1])
        h = tf.matmul(scaled, tf.reshape(x, [x.shape[0], -1]), transpose_a=True)
        total += tf.reshape(h, [-1, *shape])
    return total


def _update(theta, grads, state, params, step, loss, validation_loss):
    del loss, validation_loss
    g, p, fractions = features.with_axes(grads), features.with_axes(params), _fractions(theta)
    new, hidden = {slot: {} for slot in state}, {}
    for path in features.tensor_order(p):
        m = features.average(state["m"][path], g[path], fractions["m"])
        rms = features.average(state["rms"][path], tf.square(g[path]), fractions["rms"])
        parts = _factors(tf.square(g[path])[None] + 1e-30)
        slots = ("row", "col")[: len(parts)]
        second = [features.average(state[s][path], part, fractions["factored"]) for s, part in zip(slots, parts)]
        for slot, value in zip(("m", "rms", *slots), (m, rms, *second)):
            new[slot][path] = value
        blocks = _inputs(g[path], p[path], m, rms, second)
        hidden[path] = _first_layer(theta["mlp/linear_0/w"][:PER_PARAMETER], blocks)
    h = features.rows(hidden)
    time = features.tanh_time(step, h.dtype)
    outputs = network.after_first(theta, h + network.first_bias(theta, time)[:, None])
    return network.stepped(params, outputs), new
