"""Sonnet code as pure functions, stateless draws, initializers."""

import itertools
import math

import keras
import numpy as np
import pytest
import scipy.stats
import sonnet as snt
import tensorflow as tf

from taskset.errors import ConfigError
from taskset.random import stateless
from taskset.tasks import initializers
from taskset.tasks.functional import Functional


def modes(function):
    return {
        "eager": function,
        "graph": tf.function(function, autograph=False),
        "xla": tf.function(function, autograph=False, jit_compile=True),
    }


def mlp(x, key):
    net = snt.nets.MLP([4, 3], w_init=initializers.lecun_normal(), name="net")
    return tf.reduce_sum(snt.LayerNorm(-1, True, True, name="norm")(net(x)) ** 3)


@pytest.fixture
def functional():
    return Functional(mlp, tf.TensorSpec([2, 5]), tf.TensorSpec([2], tf.int32))


def test_paths_shapes_and_order(functional):
    assert list(functional.shapes.items()) == [
        ("net/linear_0/w", (5, 4)),
        ("net/linear_0/b", (4,)),
        ("net/linear_1/w", (4, 3)),
        ("net/linear_1/b", (3,)),
        ("norm/scale", (3,)),
        ("norm/offset", (3,)),
    ]
    assert not functional.uses_last_input


def test_the_result_is_that_of_the_sonnet_modules(functional):
    params = functional.init(3)
    net, norm = snt.nets.MLP([4, 3], name="net"), snt.LayerNorm(-1, True, True, name="norm")
    x = tf.random.stateless_normal([2, 5], [1, 2])
    norm(net(x))
    for variable, value in zip(
        [*net.variables, norm.scale, norm.offset],
        [params[f"net/linear_{i}/{v}"] for i in (0, 1) for v in "bw"] + [params["norm/scale"], params["norm/offset"]],
    ):
        assert variable.shape == value.shape
        variable.assign(value)
    expected = tf.reduce_sum(norm(net(x)) ** 3)
    for name, run in modes(functional.apply).items():
        np.testing.assert_allclose(run(params, x, tf.zeros([2], tf.int32)), expected, rtol=1e-5, err_msg=name)


def test_same_seed_same_parameters_and_each_from_its_own_stream(functional):
    one, two, other = functional.init(3), functional.init(3), functional.init(4)
    for path in ("net/linear_0/w", "net/linear_1/w"):
        assert np.array_equal(one[path], two[path])
        assert not np.allclose(one[path], other[path])
    assert one["net/linear_0/w"].dtype == tf.float32
    assert functional.init(3, tf.float64)["net/linear_0/w"].dtype == tf.float64


def test_moving_averages_are_no_parameters_and_are_dropped():
    def forward(x):
        return snt.BatchNorm(True, True, name="norm")(x, is_training=True)

    functional = Functional(forward, tf.TensorSpec([8, 3]))
    assert list(functional.shapes) == ["norm/scale", "norm/offset"]
    x = tf.random.stateless_normal([8, 3], [0, 1])
    first = functional.apply(functional.init(0), x)
    np.testing.assert_allclose(functional.apply(functional.init(0), x), first)
    np.testing.assert_allclose(tf.reduce_mean(first, 0), 0, atol=1e-6)


def test_initial_values_and_losses_that_draw_from_global_state_are_refused():
    def own_variable(x):
        return x + tf.Variable(tf.random.normal([5]), name="shift")

    def dropout(x):
        return snt.Dropout(0.5)(x, is_training=True)

    def in_a_loop(x):
        return tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x + tf.random.uniform([])), (0, x))[1]

    with pytest.raises(ConfigError, match="'shift'.*taskset.tasks.initializers"):
        Functional(own_variable, tf.TensorSpec([2, 5]))
    for loss in (dropout, in_a_loop):
        with pytest.raises(ConfigError, match="global random state.*taskset.random.stateless"):
            Functional(loss, tf.TensorSpec([2, 5]))


COUNTED, ITERATED, RNG = [0], itertools.count(1), np.random.default_rng(0)


def counted(x):
    COUNTED[0] += 1
    return x * COUNTED[0]


@pytest.mark.parametrize(
    "loss, where",
    [
        (counted, r"COUNTED\[0\]"),
        (lambda x: x * next(ITERATED), "ITERATED"),
        (lambda x: x * RNG.uniform(), "RNG"),
    ],
)
def test_losses_that_keep_something_in_python_are_refused(loss, where):
    with pytest.raises(ConfigError, match=f"the loss changes {where} in each call, so that the same arguments"):
        Functional(loss, tf.TensorSpec([2]))


HIDDEN = {"set": set(), "dict": {}}
CYCLE = itertools.cycle([1.0, 2.0])


def in_a_set(x):
    HIDDEN["set"].add(len(HIDDEN["set"]))
    return x * len(HIDDEN["set"])


def by_another_function(x):
    return x * called()


def called():
    HIDDEN["dict"]["n"] = HIDDEN["dict"].get("n", 0) + 1
    return HIDDEN["dict"]["n"]


class FirstCall:
    done = False

    def __call__(self, x):
        scale, self.done = 2.0 if self.done else 1.0, True
        return x * scale


def of_another_start(x):
    HIDDEN["set"].add(len(HIDDEN["set"]))
    return snt.Linear(1, w_init=snt.initializers.RandomNormal(stddev=float(len(HIDDEN["set"]))))(x[None])


def of_another_name(x):
    HIDDEN["set"].add(len(HIDDEN["set"]))
    return snt.Linear(1, name=f"linear_{len(HIDDEN['set'])}")(x[None])  # starts are drawn by the names of parameters


@pytest.mark.parametrize(
    "loss", [in_a_set, by_another_function, lambda x: x * next(CYCLE), FirstCall(), of_another_start, of_another_name]
)
def test_losses_that_are_others_when_called_again_are_refused(loss):
    with pytest.raises(ConfigError, match="the loss is another one in its second call"):
        Functional(loss, tf.TensorSpec([2]))


def test_what_is_called_otherwise_in_each_call_is_the_same_loss():
    """Keras numbers its layers, and TensorFlow its calls of Python functions, as they are made."""

    def loss(x):
        relu = tf.keras.layers.Activation("relu")(snt.Linear(1)(x[None]))
        return relu * tf.ensure_shape(tf.numpy_function(lambda: np.float32(2), [], tf.float32), [])

    assert list(Functional(loss, tf.TensorSpec([2])).shapes) == ["linear/w", "linear/b"]


def test_a_loss_that_fails_when_called_again_is_refused():
    left = map(float, [3])
    with pytest.raises(ConfigError, match="the loss can be called once only: .*; compute it from"):
        Functional(lambda x: x * next(left), tf.TensorSpec([2]))


def averaged(x):
    KEPT["m"] = 0.9 * KEPT.get("m", 0.0) + tf.reduce_sum(x)
    return KEPT["m"]


def compared(x):
    KEPT.setdefault("all", []).append(tf.reduce_sum(x))
    return KEPT["all"][-1] + KEPT["all"][0]


class Once:
    made = None

    def __call__(self, x):
        if self.made is None:
            self.made = tf.ones(2) * 3
        return x * self.made


KEPT: dict = {}


@pytest.mark.parametrize("loss, where", [(averaged, r"KEPT\['m'\]"), (compared, r"KEPT\['all'\]\[0\]"), (Once(), "self.made")])
def test_losses_that_compute_with_a_tensor_of_an_earlier_call_are_refused(loss, where):
    KEPT.clear()
    with pytest.raises(ConfigError, match=f"the loss changes {where} in each call"):
        Functional(loss, tf.TensorSpec([2]))


class Prepared:
    """A loss that remembers sizes and looks at what it computed."""

    size = 0

    def __call__(self, x):
        if not self.size:
            self.size = x.shape[0]
        self.logits = x * self.size
        return self.logits


def test_a_loss_may_prepare_something_and_keep_what_it_computed():
    functional = Functional(Prepared(), tf.TensorSpec([2]))
    assert functional.apply({}, tf.ones(2)).numpy().tolist() == [2, 2]


@pytest.mark.parametrize("value, dtype", [(3, "int32"), (True, "bool"), (np.int64(2), "int64")])
def test_parameters_that_are_no_floats_are_refused(value, dtype):
    def forward(trainable):
        return lambda x: x * tf.cast(tf.Variable(value, name="n", trainable=trainable), tf.float32)

    with pytest.raises(ConfigError, match=f"parameter 'n' is {dtype}: allowed are floats"):
        Functional(forward(True), tf.TensorSpec([2]))
    assert Functional(forward(False), tf.TensorSpec([2])).shapes == {}


def test_an_empty_parameter():
    functional = Functional(lambda x: x + tf.reduce_sum(tf.Variable(tf.zeros([0]), name="none")), tf.TensorSpec([2]))
    params = functional.init(0)
    assert params["none"].shape == [0] and functional.apply(params, tf.ones(2)).numpy().tolist() == [1, 1]


def test_two_parameters_of_one_name_are_refused():
    def forward(x):
        for _ in range(2):
            tf.Variable(tf.zeros([3]), name="same")
        return x

    with pytest.raises(ConfigError, match="two parameters"):
        Functional(forward, tf.TensorSpec([2]))


@pytest.mark.parametrize("draw", [stateless.uniform, stateless.normal])
def test_draws_are_the_same_in_every_mode(draw):
    results = {name: run(stateless.as_key(5)).numpy() for name, run in modes(lambda key: draw(key, [1001])).items()}
    np.testing.assert_allclose(results["graph"], results["eager"], atol=2e-6)
    np.testing.assert_allclose(results["xla"], results["eager"], atol=2e-6)


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_distributions(dtype):
    n = 40_000
    uniform = stateless.uniform(stateless.as_key(1), [n], dtype).numpy()
    normal = stateless.normal(stateless.as_key(2), [n], dtype).numpy()
    scaled = stateless.normal(stateless.as_key(2), [n], dtype, 1.0, 2.0).numpy()
    assert scipy.stats.kstest(uniform, "uniform").pvalue > 1e-3
    assert scipy.stats.kstest(normal, "norm").pvalue > 1e-3
    assert scipy.stats.kstest(scaled, "norm", (1, 2)).pvalue > 1e-3
    assert abs(float(tf.reduce_mean(stateless.bernoulli(stateless.as_key(3), [n], 0.2))) - 0.2) < 0.01


def test_keys_of_different_words_draw_different_numbers():
    key = stateless.as_key(1)
    draws = [
        stateless.normal(k, [50]).numpy()
        for k in (key, stateless.as_key(2), stateless.fold(key, 0), *stateless.split(key, 2)[1:])
    ]
    correlations = np.corrcoef(draws) - np.eye(len(draws))
    assert np.abs(correlations).max() < 0.6


SHAPE = (3, 3, 40, 50)


@pytest.mark.parametrize(
    "config, twin",
    [
        (["he_normal", None], keras.initializers.HeNormal(seed=1)),
        (["he_uniform", None], keras.initializers.HeUniform(seed=1)),
        (["glorot_normal", None], keras.initializers.GlorotNormal(seed=1)),
        (["glorot_uniform", None], keras.initializers.GlorotUniform(seed=1)),
        (["random_uniform", 0.7], keras.initializers.RandomUniform(-0.7, 0.7, seed=1)),
        (["random_normal", 0.7], keras.initializers.RandomNormal(0, 0.7, seed=1)),
        (["truncated_normal", 0.7], keras.initializers.RandomNormal(0, 0.7, seed=1)),  # the published slip
        (["variance_scaling", 3.0], keras.initializers.VarianceScaling(3.0, seed=1)),
    ],
)
def test_initializers_have_the_distribution_of_their_names(config, twin):
    deferred = initializers.from_config(config)(SHAPE, tf.float32)
    ours = deferred.draw(stateless.as_key(7), SHAPE, tf.float32).numpy().ravel()
    theirs = np.asarray(twin(SHAPE)).ravel()
    assert scipy.stats.ks_2samp(ours, theirs).pvalue > 1e-3
    assert math.isclose(ours.std(), theirs.std(), rel_tol=0.03)


@pytest.mark.parametrize("shape", [(12, 7), (7, 12), (3, 3, 4, 6)])
def test_orthogonal(shape):
    deferred = initializers.from_config(["orthogonal", 1.5])(shape, tf.float32)
    w = deferred.draw(stateless.as_key(7), shape, tf.float64).numpy().reshape(-1, shape[-1])
    gram = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    np.testing.assert_allclose(gram, 1.5**2 * np.eye(len(gram)), atol=1e-10)


def test_lecun_normal_is_cut_off_at_two_standard_deviations():
    draws = initializers.lecun_normal()((400, 300)).draw(stateless.as_key(7), (400, 300), tf.float32).numpy().ravel()
    assert np.abs(draws).max() <= 2 / 20 + 1e-6
    assert scipy.stats.kstest(draws[:50_000] * 20, scipy.stats.truncnorm(-2, 2).cdf).pvalue > 1e-3
