"""Large draws in programs for XLA on a CPU: the integers of TensorFlow's operation, the floats of eager mode."""

import numpy as np
import pytest
import tensorflow as tf

from taskset.errors import ConfigError
from taskset.execution.program import Program
from taskset.random import philox, stateless

MANY = 5000  # words: beyond what TensorFlow's operation draws faster


def given_by_tensorflow(key, n):
    return tf.random.stateless_uniform([n], key, None, None, tf.uint32, alg="philox")


def test_a_seed_in_a_tensor_is_not_cut_to_32_bits():
    assert stateless.as_key(tf.constant(3, tf.int64)).numpy().tolist() == [0, 3]
    with pytest.raises(ConfigError, match="seed 4294967299: allowed in a tensor are integers that int32 holds"):
        stateless.as_key(tf.constant(2**32 + 3, tf.int64))


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("n", [1, 4, 7, 1001])
def test_words_are_tensorflows(n, xla):
    words = tf.function(lambda key: philox.words(key, n), jit_compile=xla, autograph=False)
    for numbers in ([0, 0], [1, -2], [2**31 - 1, -(2**31)], [-123456, 987654]):
        key = tf.constant(numbers, tf.int32)
        np.testing.assert_array_equal(words(key), given_by_tensorflow(key, n))


@pytest.mark.parametrize("draw", [stateless.uniform, stateless.normal], ids=["uniform", "normal"])
@pytest.mark.parametrize("shape", [(MANY,), (61, 83), (2, 1, 4097)], ids=str)
def test_large_draws_in_compiled_programs(draw, shape):
    key = stateless.as_key(11)
    compiled = Program(lambda key: draw(key, shape), xla=True)(key)
    plain = draw(key, shape)
    assert compiled.shape == shape
    np.testing.assert_allclose(compiled, plain, rtol=1e-6, atol=1e-6)


def test_bits_in_compiled_programs_are_equal(monkeypatch):
    taken = []
    monkeypatch.setattr(philox, "words", lambda key, n, words=philox.words: taken.append(n) or words(key, n))
    key = stateless.as_key(12)
    compiled = Program(lambda key: (stateless.bits(key, [MANY]), stateless.bits(key, [3])), xla=True)(key)
    assert taken == [MANY]  # the three are drawn by TensorFlow's operation
    np.testing.assert_array_equal(compiled[0], stateless.bits(key, [MANY]))
    np.testing.assert_array_equal(compiled[1], stateless.bits(key, [3]))


def test_only_what_is_traced_for_xla_takes_the_other_way(monkeypatch):
    """Elsewhere TensorFlow's operation draws."""

    def never(*_):
        pytest.fail("drawn by philox.words")

    monkeypatch.setattr(philox, "words", never)
    plain = stateless.bits(stateless.as_key(1), [MANY])
    in_a_graph = Program(lambda key: stateless.bits(key, [MANY]), xla=False)(stateless.as_key(1))
    np.testing.assert_array_equal(in_a_graph, plain)


@pytest.mark.parametrize("dtype, tolerance", [(tf.float32, 2e-6), (tf.float64, 1e-13)])
def test_normals_are_box_and_mullers(dtype, tolerance):
    key = stateless.as_key(13)
    u = stateless.uniform(key, [2, 500], tf.float64 if dtype == tf.float64 else tf.float32).numpy().astype(np.float64)
    radius, angle = np.sqrt(-2 * np.log(1 - u[0])), 2 * np.pi * u[1]
    expected = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])
    np.testing.assert_allclose(stateless.normal(key, [1000], dtype), expected, rtol=0, atol=tolerance)
