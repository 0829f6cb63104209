"""Recurrent classifiers of texts."""

from typing import Any

import sonnet as snt
import tensorflow as tf

from taskset.datasets.text import TextClassificationData
from taskset.registry import register_builder
from taskset.tasks import initializers, recurrent
from taskset.tasks.base import Model
from taskset.tasks.losses import accuracy, cross_entropy

_OVER_TIME = {
    "last": lambda outputs: outputs[-1],
    "avg": lambda outputs: tf.reduce_mean(outputs, 0),
    "max": lambda outputs: tf.reduce_max(outputs, 0),
}


@register_builder("rnn_text_classification_family")
def build(config: dict[str, Any], data: TextClassificationData) -> Model:
    """Embedding; recurrent core; last output, or mean or maximum over time; a linear layer to the classes; cross-entropy.

    Padding counts like any other token, as published.
    """
    vocab_size = min(config["vocab_size"], data.max_token)
    w_init = initializers.from_config(config["w_init"])
    over_time = _OVER_TIME[config["loss_compute"]]

    def loss(batch, key):
        outputs = over_time(recurrent.read_tokens(config, vocab_size, batch["tokens"]))
        logits = snt.Linear(data.num_classes, w_init=w_init, name="linear")(outputs)
        return cross_entropy(logits, batch["label"]), {"accuracy": accuracy(logits, batch["label"])}

    return Model(loss, data)
