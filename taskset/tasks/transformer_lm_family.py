"""Causal transformers as language models."""

from typing import Any

import sonnet as snt
import tensorflow as tf

from taskset.datasets.text import LanguageModelData
from taskset.random.stateless import Key
from taskset.registry import register_builder
from taskset.tasks import initializers, transformers
from taskset.tasks.base import Model


def next_token_losses(config: dict[str, Any], tokens: tf.Tensor, key: Key) -> tf.Tensor:
    """Cross-entropy in nats of tokens[:, 1:] given those before: tokens int [B, T] -> [B, T - 1].

    Tokens are clipped to the vocabulary, as inputs and as targets. Embedding, layers, and a linear layer to the vocabulary, whose
    matrix is that of the embeddings if they are `tied`.
    """
    size, width = config["vocab_size"], config["width"]
    tokens = tf.minimum(tokens, size - 1)
    embed = snt.Embed(size, width, initializer=initializers.random_normal(config["embed_stddev"]), name="embed")
    x = tf.reshape(transformers.encode(embed(tokens[:, :-1]), config, key, causal=True), [-1, width])
    if config["tied"]:
        logits = tf.matmul(x, embed.embeddings, transpose_b=True)
    else:
        logits = snt.Linear(size, w_init=initializers.from_config(config["w_init"]), name="linear")(x)
    # Padding follows the text, so that no position with a target sees it.
    targets = tf.reshape(tokens[:, 1:], [-1])
    return tf.reshape(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits), [-1, tokens.shape[1] - 1])


@register_builder("transformer_lm_family")
def build(config: dict[str, Any], data: LanguageModelData) -> Model:
    """Cross-entropy of the next token, the mean over the positions of the batch whose next token is not padding."""

    def loss(batch, key):
        mask = batch["mask"][:, 1:]
        losses = next_token_losses(config, batch["tokens"], key)
        return tf.math.divide_no_nan(tf.reduce_sum(mask * losses), tf.reduce_sum(mask))

    return Model(loss, data)
