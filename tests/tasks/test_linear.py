"""The product with the fast weight gradient: the same function and derivatives as `tf.matmul`."""

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf

from taskset.random import stateless
from taskset.tasks import linear
from taskset.tasks.functional import Functional
from taskset.tasks.initializers import lecun_normal

WIDTHS = (1024, 1536, 1000, 256)  # the first two take the fast path
BATCH, UNITS = 5, 7


def operands(width, dtype=tf.float32):
    x, w = stateless.normal(1, [BATCH, width], dtype), stateless.normal(2, [width, UNITS], dtype)
    return x, w / width**0.5


def derivatives(product, x, w):
    """Value, first derivatives, and second derivatives of a function that is not linear in either."""
    with tf.GradientTape() as outer:
        outer.watch((x, w))
        with tf.GradientTape() as inner:
            inner.watch((x, w))
            y = tf.reduce_sum(tf.tanh(product(x, w)))
        first = inner.gradient(y, (x, w))
        length = tf.add_n([tf.reduce_sum(g**2) for g in first])
    return y, first, outer.gradient(length, (x, w))


@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("width", WIDTHS)
def test_value_and_derivatives_are_those_of_matmul(width, compiled):
    x, w = operands(width)
    found = tf.function(lambda: derivatives(linear.product, x, w), jit_compile=compiled, autograph=False)()
    expected = derivatives(tf.matmul, x, w)
    for a, b in zip(tf.nest.flatten(found), tf.nest.flatten(expected)):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * float(tf.reduce_max(tf.abs(b))))


def test_gradient_in_double_precision_is_exact():
    x, w = operands(1024, tf.float64)
    for a, b in zip(tf.nest.flatten(derivatives(linear.product, x, w)), tf.nest.flatten(derivatives(tf.matmul, x, w))):
        # a sum of terms that cancel is exact to the rounding of its terms, not of itself
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14 * float(tf.reduce_max(tf.abs(b))))


def test_non_finite_numbers_stay_where_they_are():
    x, w = operands(1024)
    x = tf.tensor_scatter_nd_update(x, [[0, 3], [1, 1023]], [float("inf"), float("nan")])
    with tf.GradientTape() as tape:
        tape.watch(w)
        y = tf.reduce_sum(linear.product(x, w))
    finite = np.isfinite(tape.gradient(y, w)).all(axis=1)
    assert set(np.flatnonzero(~finite)) == {3, 1023}


def test_many_weights_at_once():
    x, w = operands(1024)
    several = tf.stack([w, 2 * w, w - 1])

    def gradient(one):
        with tf.GradientTape() as tape:
            tape.watch(one)
            y = tf.reduce_sum(tf.tanh(linear.product(x, one)))
        return tape.gradient(y, one)

    together = tf.vectorized_map(gradient, several, fallback_to_while_loop=False)
    alone = np.stack([gradient(one) for one in several])
    # Sums of a thousand terms that cancel: their rounding is that of the largest.
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-6 * np.abs(alone).max())


def test_mlp_is_sonnets():
    """The same parameters by name, shape and value, and the same function."""
    spec, key = tf.TensorSpec([BATCH, 9]), tf.TensorSpec([2], tf.int32)
    given = {"w_init": lecun_normal(), "activation": tf.nn.relu, "name": "mlp"}
    ours, theirs = (Functional(lambda x, key, m=m: m([8, 6], **given)(x), spec, key) for m in (linear.MLP, snt.nets.MLP))
    assert ours.shapes == theirs.shapes
    params, x = ours.init(3), stateless.normal(4, [BATCH, 9])
    for path, value in theirs.init(3).items():
        np.testing.assert_array_equal(params[path], value)
    np.testing.assert_array_equal(ours.apply(params, x, key), theirs.apply(params, x, key))
