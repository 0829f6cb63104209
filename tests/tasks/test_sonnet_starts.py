"""Plain Sonnet modules in a loss: their own initializers, seeded by path."""

import numpy as np
import pytest
import scipy.stats
import sonnet as snt
import tensorflow as tf

from taskset.tasks.functional import Functional

SHAPE = (3, 3, 40, 50)
STARTS = [
    snt.initializers.RandomUniform(-0.2, 0.6),
    snt.initializers.RandomNormal(0.5, 0.3),
    snt.initializers.TruncatedNormal(0.5, 0.3),
    *(
        snt.initializers.VarianceScaling(1.7, mode, distribution)
        for mode in ("fan_in", "fan_out", "fan_avg")
        for distribution in ("truncated_normal", "normal", "uniform")
    ),
]


def plain(x, key):
    y = snt.LayerNorm(-1, True, True)(snt.nets.MLP([4, 3])(x))
    first, second = snt.Linear(2), snt.Linear(2, w_init=snt.initializers.Orthogonal())
    return tf.reduce_sum(second(first(snt.GRU(3)(y, tf.zeros([2, 3]))[0])) ** 2)


@pytest.fixture(scope="module")
def functional():
    return Functional(plain, tf.TensorSpec([2, 5]), tf.TensorSpec([2], tf.int32))


def test_paths_are_numbered_where_modules_share_a_name(functional):
    paths = list(functional.shapes)
    assert [path for path in paths if path.startswith("linear")] == ["linear/w", "linear/b", "linear_1/w", "linear_1/b"]
    assert "mlp/linear_0/w" in paths and len(set(paths)) == len(paths)


def test_the_start_follows_from_seed_and_path_whatever_the_global_state(functional):
    tf.random.set_seed(1)
    first = functional.init(3)
    tf.random.set_seed(2)
    again = Functional(plain, tf.TensorSpec([2, 5]), tf.TensorSpec([2], tf.int32)).init(3)
    for path, value in first.items():
        np.testing.assert_array_equal(value, again[path], err_msg=path)
    assert not np.allclose(first["linear/w"], functional.init(4)["linear/w"])
    assert not np.allclose(first["linear/w"][:2], first["linear_1/w"])
    np.testing.assert_allclose(tf.matmul(first["linear_1/w"], first["linear_1/w"], transpose_a=True), np.eye(2), atol=1e-6)


def test_the_loss_is_one_in_all_modes_and_draws_nothing(functional):
    arguments = functional.init(3), tf.random.stateless_normal([2, 5], [1, 2]), tf.zeros([2], tf.int32)
    expected = functional.apply(*arguments)
    for xla in (False, True):
        program = tf.function(functional.apply, autograph=False, jit_compile=xla)
        np.testing.assert_allclose(program(*arguments), expected, rtol=1e-5)
    graph = program.get_concrete_function(*arguments).graph
    assert not [op.type for op in graph.get_operations() if "Random" in op.type or "Normal" in op.type]


@pytest.mark.parametrize("start", STARTS, ids=lambda start: f"{type(start).__name__} {vars(start)}")
def test_the_distribution_is_that_of_sonnet(start):
    theirs = np.asarray(start(SHAPE, tf.float32)).ravel()  # outside, it is as it always was
    functional = Functional(lambda x: x + tf.Variable(start(SHAPE, tf.float32), name="w"), tf.TensorSpec([]))
    ours = functional.init(7)["w"].numpy().ravel()
    assert scipy.stats.ks_2samp(ours, theirs).pvalue > 1e-3
    np.testing.assert_allclose([ours.mean(), ours.std()], [theirs.mean(), theirs.std()], atol=0.02 * theirs.std() + 0.01)
