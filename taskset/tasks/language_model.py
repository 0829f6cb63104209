"""What the language models share: the cross-entropy of each next token."""

from typing import Any

import sonnet as snt
import tensorflow as tf

from taskset.tasks import initializers, recurrent
from taskset.tasks.base import Loss


def next_token_losses(config: dict[str, Any], tokens: tf.Tensor) -> tf.Tensor:
    """Cross-entropy in nats of tokens[:, 1:] given those before: tokens int [B, T] -> [T - 1, B].

    Tokens are clipped to the vocabulary, as inputs and as targets. Embedding, recurrent core, linear layer to the vocabulary.
    """
    outputs = recurrent.read_tokens(config, config["vocab_size"], tokens[:, :-1])
    linear = snt.Linear(config["vocab_size"], w_init=initializers.from_config(config["w_init"]), name="linear")
    targets = tf.minimum(tf.transpose(tokens[:, 1:]), config["vocab_size"] - 1)
    # By index and not by one-hot vectors: these would take as much memory as the logits, up to gigabytes.
    return tf.nn.sparse_softmax_cross_entropy_with_logits(targets, snt.BatchApply(linear)(outputs))


def mean_loss(config: dict[str, Any]) -> Loss:
    """`loss(batch, key)`: the mean over all positions and the batch, padding included (as published for the sampled families)."""
    return lambda batch, key: tf.reduce_mean(next_token_losses(config, batch["tokens"]))


def masked_mean_loss(config: dict[str, Any]) -> Loss:
    """`loss(batch, key)`: the mean over the positions of the batch whose next token is not padding."""

    def loss(batch, key):
        mask = tf.transpose(batch["mask"][:, 1:])
        return tf.math.divide_no_nan(tf.reduce_sum(mask * next_token_losses(config, batch["tokens"])), tf.reduce_sum(mask))

    return loss
