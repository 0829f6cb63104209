"""Losses shared by several families."""

import tensorflow as tf


def cross_entropy(logits, labels):
    """Mean softmax cross-entropy in nats; logits [.., classes], labels int [..]."""
    return tf.reduce_mean(cross_entropies(logits, labels))


def cross_entropies(logits, labels):
    """Softmax cross-entropy of each example in nats; logits [.., classes], labels int [..] -> [..]."""
    one_hot = tf.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    return tf.nn.softmax_cross_entropy_with_logits(one_hot, logits)


def accuracy(logits, labels):
    """Share of examples whose largest logit is the label's."""
    hits = tf.equal(tf.argmax(logits, -1, output_type=tf.int32), tf.cast(labels, tf.int32))
    return tf.reduce_mean(tf.cast(hits, logits.dtype))
