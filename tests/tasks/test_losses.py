"""The losses that families share, against TensorFlow's and with what they promise at the edges."""

import numpy as np
import tensorflow as tf

from taskset.tasks import losses

RNG = np.random.default_rng(0)
Z, LABELS, W = RNG.normal(size=(5, 3, 7)) * 4, RNG.integers(0, 7, (5, 3)), RNG.normal(size=(5, 3, 7))


def by_tensorflow(logits, labels):
    return tf.nn.softmax_cross_entropy_with_logits(tf.one_hot(labels, logits.shape[-1], dtype=logits.dtype), logits)


def value_gradient_and_second_derivative(function):
    z = tf.constant(Z)
    with tf.GradientTape() as outer:
        outer.watch(z)
        with tf.GradientTape() as inner:
            inner.watch(z)
            values = function(z, tf.constant(LABELS))
            total = tf.reduce_sum(values**2)
        gradient = inner.gradient(total, z)
        along = tf.reduce_sum(gradient * W)
    return values, gradient, outer.gradient(along, z)


def test_cross_entropy_and_its_derivatives_are_those_of_tensorflow():
    ours, theirs = map(value_gradient_and_second_derivative, (losses.cross_entropies, by_tensorflow))
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_cross_entropy_of_large_and_infinite_logits():
    z, labels = tf.constant([[0.0, -np.inf, 1.0], [1e8, 0.0, 0.0], [1e8, 0.0, 0.0]]), tf.constant([0, 0, 1])
    np.testing.assert_allclose(losses.cross_entropies(z, labels), [np.log1p(np.e), 0.0, 1e8], rtol=1e-6)
    with tf.GradientTape() as tape:
        tape.watch(z)
        loss = losses.cross_entropy(z, labels)
    assert np.isfinite(tape.gradient(loss, z)).all()
    assert np.isnan(losses.cross_entropies(tf.constant([[np.inf, 0.0]]), [0])[0])  # diverged: not a loss


def test_accuracy():
    assert losses.accuracy(tf.constant([[0.0, 1.0], [2.0, 1.0], [0.0, 3.0]]), tf.constant([1, 1, 1])) == np.float32(2 / 3)
