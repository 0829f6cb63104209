"""Programs: nested tensors in and out, compiled as asked."""

import numpy as np
import pytest
import tensorflow as tf

from taskset.execution.program import Program


def swap(first, second):
    return {"b": second["y"] + 1.0, "a": (first, {"c": second["x"] * 2.0, "empty": {}})}


@pytest.mark.parametrize("xla", [False, True])
def test_structures_come_back_as_they_are(xla):
    program = Program(swap, xla)
    for value in (1.0, 5.0):
        args = tf.constant([value]), {"y": tf.constant(value), "x": tf.constant([[value, 2.0]])}
        got, expected = program(*args), swap(*args)
        tf.nest.assert_same_structure(got, expected)
        assert list(got) == ["b", "a"]
        for a, b in zip(tf.nest.flatten(got), tf.nest.flatten(expected)):
            assert np.array_equal(a, b)


def test_it_is_traced_once():
    traces = []
    program = Program(lambda x: traces.append(1) or x + 1, xla=True)
    assert [int(program(tf.constant(i))) for i in range(3)] == [1, 2, 3]
    assert len(traces) == 1


def test_xla_is_used_where_asked_for():
    length = lambda x: tf.strings.length(tf.strings.as_string(x))  # noqa: E731  an operation that XLA does not have
    assert int(Program(length, xla=False)(tf.constant(123))) == 3
    with pytest.raises(tf.errors.InvalidArgumentError):
        Program(length, xla=True)(tf.constant(123))


def test_captured_tensors_are_passed_on():
    matrix = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    assert np.array_equal(Program(lambda x: tf.linalg.matvec(matrix, x), xla=True)(tf.constant([1.0, 1.0])), [3.0, 7.0])
