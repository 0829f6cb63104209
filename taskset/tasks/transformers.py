"""Transformer layers (Vaswani et al. 2017, arXiv 1706.03762) on sequences [B, T, width].

Between the attentions, all vectors of a batch are the rows of one matrix [B T, width].
"""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import sonnet as snt
import tensorflow as tf

from taskset.random import stateless
from taskset.random.stateless import Key
from taskset.tasks import activations, initializers, norms, starts
from taskset.tasks.initializers import Initializer

Dropout: TypeAlias = Callable[[tf.Tensor], tf.Tensor]

POSITIONS_STDDEV = 0.02  # of learned positions at the start, as in BERT, GPT-2 and ViT


def encode(x: tf.Tensor, config: dict[str, Any], key: Key, causal: bool) -> tf.Tensor:
    """x [B, T, width] plus positions, through all layers; each position sees those up to itself if `causal`, else all.

    With `pre_norm`, x + f(norm(x)) for attention and feed-forward f in turn, and a norm at the end (arXiv 2002.04745); without
    it, norm(x + f(x)).
    """
    length, width = x.shape[1:]
    drop, norm = _dropout(config["dropout"], key), getattr(norms, config["norm"])
    rows = tf.reshape(drop(_with_positions(x, config["positions"])), [-1, width])
    for i in range(config["layers"]):
        with tf.name_scope(f"layer_{i}"):
            for name, sublayer in (("attention", _attention(config, length, causal)), ("feed_forward", _feed_forward(config))):
                if config["pre_norm"]:
                    rows += drop(_within(name, sublayer, norm(rows, f"{name}_norm")))
                else:
                    rows = norm(rows + drop(_within(name, sublayer, rows)), f"{name}_norm")
    rows = norm(rows, "final_norm") if config["pre_norm"] else rows
    return tf.reshape(rows, [-1, length, width])


def _within(scope: str, function: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor) -> tf.Tensor:
    with tf.name_scope(scope):
        return function(x)


def _dropout(rate: float | None, key: Key) -> Dropout:
    """A function that sets each entry to 0 with probability `rate`, in all splits; each of its calls draws anew."""
    if rate is None:
        return lambda x: x
    calls = 0

    def drop(x: tf.Tensor) -> tf.Tensor:
        nonlocal calls
        calls += 1
        return x * stateless.bernoulli(stateless.fold(key, calls), x.shape, 1 - rate, x.dtype) / (1 - rate)

    return drop


def _with_positions(x: tf.Tensor, kind: str) -> tf.Tensor:
    length, width = x.shape[1:]
    if kind == "learned":
        return x + starts.parameter("positions/embeddings", (length, width), starts.normal(0.0, POSITIONS_STDDEV))
    return x + tf.constant(sinusoids(length, width), x.dtype) if kind == "sinusoid" else x


def sinusoids(length: int, width: int) -> np.ndarray:
    """[length, width]: columns 2i and 2i + 1 of row t are the sine and the cosine of t / 10000^(2i / width)."""
    column = np.arange(width)
    angle = np.arange(length)[:, None] / 10000 ** ((column - column % 2) / width)
    return np.where(column % 2, np.cos(angle), np.sin(angle))


def _linear(config: dict[str, Any], outputs: int, name: str, bias: bool = True, w_init: Initializer | None = None) -> snt.Linear:
    w_init = w_init or initializers.from_config(config["w_init"])
    return snt.Linear(outputs, with_bias=bias and config["biases"], w_init=w_init, name=name)


def _output(config: dict[str, Any]) -> snt.Linear:
    """The last linear layer of a branch, which starts as the others, 1 / sqrt(number of branches) times that, or at 0."""
    w_init = initializers.from_config(config["w_init"])
    if config["residual_init"] == "zero":
        w_init = initializers.constant(0.0)
    elif config["residual_init"] == "depth_scaled":
        w_init = initializers.scaled(w_init, 1 / math.sqrt(2 * config["layers"]))
    return _linear(config, config["width"], "output", w_init=w_init)


def _attention(config: dict[str, Any], length: int, causal: bool) -> Callable[[tf.Tensor], tf.Tensor]:
    """Of each head, softmax(q k^T / sqrt(d)) v, d = width / heads; the heads side by side through a linear layer."""
    heads, size = config["heads"], config["width"] // config["heads"]

    def attend(rows: tf.Tensor) -> tf.Tensor:
        # Keys have no bias: it would add the same to all scores of a query, which the softmax takes away.
        query, key, value = (
            tf.reshape(_linear(config, config["width"], name, bias=name != "key")(rows), [-1, length, heads, size])
            for name in ("query", "key", "value")
        )
        scores = tf.einsum("bthd,bshd->bhts", query / math.sqrt(size), key)
        if causal:
            seen = np.tri(length, dtype=bool)
            scores = tf.where(seen, scores, scores.dtype.min)
        values = tf.einsum("bhts,bshd->bthd", tf.nn.softmax(scores), value)
        return _output(config)(tf.reshape(values, rows.shape))

    return attend


def _feed_forward(config: dict[str, Any]) -> Callable[[tf.Tensor], tf.Tensor]:
    """activation(x w) v; `gated`: (activation(x u) * x w) v (Shazeer 2020, arXiv 2002.05202)."""
    activation = activations.from_config(config["activation"])

    def feed(rows: tf.Tensor) -> tf.Tensor:
        gate = _linear(config, config["hidden_units"], "gate")(rows) if config["gated"] else None
        hidden = _linear(config, config["hidden_units"], "input")(rows)
        return _output(config)(activation(hidden) if gate is None else activation(gate) * hidden)

    return feed
