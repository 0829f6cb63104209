"""Tiny language models: a recurrent network of 32 units that reads 12 bytes, on four texts. They share one compiled program.

Bytes are taken modulo 64, which keeps letters apart within a case. Tasks differ in their text, and in the scale of the first
recurrent weights, which are normal. No TensorFlow here.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from taskset.datasets.base import DataSpec
from taskset.datasets.text import LanguageModelData
from taskset.registry import Config, Facts, add_fixed, register_builder, register_facts, register_schema
from taskset.samplers import shapes

if TYPE_CHECKING:
    from learned.unrolling.sharing import SharedModel

FAMILY = "tiny_rnn"
SETS = {
    "lm1b": "lm1b/bytes",
    "imdb": "imdb_reviews/bytes",
    "amazon": "tokenized_amazon_reviews/Books_v1_02_bytes",
    "wikipedia": "tokenized_wikipedia/20190301.en_bytes",
}  # by their names in tasks
BATCH, LENGTH, LETTERS, EMBEDDED, UNITS = 16, 13, 64, 16, 32
STARTS = (0.3, 1.0, 1.5)  # of the tasks with names: the scale of the first recurrent weights
SCHEMA = {
    "type": "object",
    "properties": {"dataset": {"enum": list(SETS.values())}, "start_scale": {"type": "number", "exclusiveMinimum": 0}},
    "required": ["dataset", "start_scale"],
    "additionalProperties": False,
}
register_schema(FAMILY, SCHEMA)


@register_facts(FAMILY)
def facts(config: Config) -> Facts:
    """What a config says of its data and parameters."""
    data = LanguageModelData(config["dataset"], BATCH, None, False, LENGTH)
    layers = {**shapes.linear("inputs", EMBEDDED, UNITS), "hidden/w": (UNITS, UNITS), **shapes.linear("linear", UNITS, LETTERS)}
    return Facts(data, {"embed/w": (LETTERS, EMBEDDED), **layers})


@register_builder(FAMILY)
def build(config: Config, data: DataSpec) -> SharedModel:
    """h <- tanh(W e + b + U h) from h = 0, logits V h + c; mean cross-entropy of the next byte in nats, padding included."""
    import tensorflow as tf

    from learned.unrolling.sharing import SharedModel
    from taskset.tasks.starts import normal, parameter, uniform

    recurrent = config["start_scale"] / UNITS**0.5

    def loss(batch, key):
        tokens = batch["tokens"] % LETTERS
        zero = uniform(0.0, 0.0)
        embed = parameter("embed/w", [LETTERS, EMBEDDED], normal())
        w, b = parameter("inputs/w", [EMBEDDED, UNITS], normal(0.0, EMBEDDED**-0.5)), parameter("inputs/b", [UNITS], zero)
        u = parameter("hidden/w", [UNITS, UNITS], normal(0.0, recurrent))
        v, c = parameter("linear/w", [UNITS, LETTERS], normal(0.0, UNITS**-0.5)), parameter("linear/b", [LETTERS], zero)
        h, states = tf.zeros([tokens.shape[0], UNITS], u.dtype), []
        for x in tf.unstack(tf.one_hot(tokens[:, :-1], LETTERS, dtype=u.dtype), axis=1):
            h = tf.tanh(x @ embed @ w + b + h @ u)
            states.append(h)
        logits = tf.stack(states, axis=1) @ v + c
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(tokens[:, 1:], logits))

    return SharedModel(loss, data, program=FAMILY)


for _short, _start in itertools.product(SETS, STARTS):
    add_fixed(__name__, f"Tiny_rnn_{_short}_start{_start}", FAMILY, {"dataset": SETS[_short], "start_scale": _start})
