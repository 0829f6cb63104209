"""A function that is traced twice is one program, unless it keeps something in Python."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from taskset.optimizers.named import get_optimizer
from taskset.tasks import retracing

RULES = ["adam_lr_-3.00", "lion", "muon", "soap", "prodigy", "schedule_free_adamw", "relative_muon", "muon_mined", "mlp_pes"]


def in_a_loop(x):
    return tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, tf.cond(i > 1, lambda: x, lambda: 2 * x)), (0, x))[1]


@tf.custom_gradient
def with_a_gradient(x):
    return x * 2, lambda upstream: upstream * 3


@tf.function
def compiled(x):
    return x + STEP_SIZE


STEP_SIZE = tf.Variable(0.5)


def derived(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = with_a_gradient(in_a_loop(x))
    return tape.gradient(loss, x)


def in_python(x):
    return tf.ensure_shape(tf.numpy_function(lambda x: 2 * x, [x], tf.float32), x.shape)


NUMBERS = itertools.count()


def of_other_names(x):
    with tf.name_scope(f"call_{next(NUMBERS)}"), tf.control_dependencies([tf.raw_ops.NoOp()]):
        return in_a_loop(tf.keras.layers.Activation("relu")(x))


@pytest.mark.parametrize(
    "function", [in_a_loop, with_a_gradient, compiled, derived, in_python, of_other_names, lambda x: (x, {"count": 3})]
)
def test_what_keeps_nothing_is_one_program(function):
    @tf.function(autograph=False)
    def outer(x):
        first = retracing.program(lambda: function(x))
        assert first is not None and first == retracing.program(lambda: function(x))
        assert first != retracing.program(lambda: function(x + 1))
        return x

    assert outer(tf.ones([2])).numpy().tolist() == [1, 1]
    assert {op.type for op in outer.get_concrete_function(tf.ones([2])).graph.get_operations()} <= {"Placeholder", "Identity"}


def test_numbers_that_are_returned_and_arrays_that_are_captured_count():
    counter, large = itertools.count(), itertools.count()
    assert retracing.program(lambda: next(counter)) != retracing.program(lambda: next(counter))
    captured = lambda: tf.reduce_sum(made)  # noqa: E731
    made = tf.fill([1000], float(next(large)))
    first = retracing.program(captured)
    made = tf.fill([1000], float(next(large)))
    second = retracing.program(captured)
    made = tf.fill([1000], 1.0)
    assert first != second == retracing.program(captured)


def test_arrays_count_by_their_values():
    array = lambda: {"count": np.full([2], next(counter) // 2)}  # noqa: E731
    counter = itertools.count()
    first, second, third = (retracing.program(array) for _ in range(3))
    assert first == second != third


def test_what_fails_is_no_program():
    assert retracing.program(lambda: {}["no such key"]) is None


@pytest.mark.parametrize("name", RULES)
def test_the_packages_rules_are_one_program(name):
    """With their loops, branches and matrix functions: what is the same is not called another step."""
    optimizer = get_optimizer(name)
    params = {"w": tf.ones([3, 2]), "b": tf.zeros([2])}
    also = {"loss": tf.constant(1.0)} if getattr(optimizer, "uses_loss", False) else {}

    @tf.function(autograph=False)
    def step(params):
        state = optimizer.init(params)
        call = lambda: optimizer.update(params, state, params, tf.constant(3), hparams, **also)  # noqa: E731
        first = retracing.program(call)
        assert first is not None and first == retracing.program(call)
        return params

    hparams = optimizer.hparams(10)
    step.get_concrete_function(params)
