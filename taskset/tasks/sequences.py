"""Copying and associative recall: tasks that need memory."""

from typing import Any

import sonnet as snt
import tensorflow as tf

from taskset.datasets.sequences import AssociativeData, CopyData
from taskset.registry import register_builder
from taskset.tasks import initializers, recurrent
from taskset.tasks.base import Model
from taskset.tasks.losses import cross_entropies


@register_builder("associative")
@register_builder("copy")
def build(config: dict[str, Any], data: AssociativeData | CopyData) -> Model:
    """One-hot symbols; recurrent core; a linear layer to the symbols; cross-entropy, mean over the unmasked steps."""
    w_init = initializers.from_config(config["w_init"])

    def loss(batch, key):
        mask, target = tf.transpose(batch["mask"]), tf.transpose(batch["target"])
        symbols = tf.one_hot(tf.transpose(batch["tokens"]), data.num_symbols, dtype=mask.dtype)
        linear = snt.Linear(data.num_symbols, w_init=w_init, name="linear")
        logits = snt.BatchApply(linear)(recurrent.unroll(config, symbols))
        hits = tf.cast(tf.equal(tf.argmax(logits, -1, output_type=tf.int32), target), mask.dtype)
        count = tf.reduce_sum(mask)
        return tf.reduce_sum(mask * cross_entropies(logits, target)) / count, {"accuracy": tf.reduce_sum(mask * hits) / count}

    return Model(loss, data)
