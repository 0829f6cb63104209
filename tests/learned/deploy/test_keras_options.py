"""What users of Keras combine with an optimizer, each with a learned one: it works, or is refused in one line."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from learned.deploy.keras import LearnedOptimizer
from taskset.errors import ConfigError
from tests.learned.deploy.keras_models import fit, made, model, refused
from tests.learned.rules import weights as perturbed

NAMES = pytest.mark.parametrize("name", ["anchored", "anchored_muon", "mlp"])
G = np.array([3.0, -4.0, 12.0], np.float32)


def moved(name, gradients, values, **options):
    """Variables after one step."""
    variables, optimizer = [keras.Variable(np.float32(v)) for v in values], made(name, **options)
    optimizer.scale_loss(tf.constant(1.0))
    optimizer.apply([tf.constant(g) for g in gradients], variables)
    return [np.array(v) for v in variables]


@NAMES
def test_weight_decay_is_decoupled(name):
    """Variables are multiplied by 1 - weight_decay, then the rule moves them."""
    start = np.array([0.5, -1.0, 2.0], np.float32)
    np.testing.assert_allclose(
        *(moved(name, [G], [s], **o) for s, o in ((start, {"weight_decay": 0.1}), (0.9 * start, {}))), rtol=1e-6
    )
    assert not np.allclose(moved(name, [G], [start], weight_decay=0.1), moved(name, [G], [start]), rtol=1e-3)


def test_weight_decay_leaves_out_what_has_no_gradient_or_is_excluded():
    free, still, bias = (keras.Variable(np.ones(3, np.float32), name=name) for name in ("free", "still", "bias"))
    optimizer, alone = made("mlp", weight_decay=0.5), keras.Variable(np.ones(3, np.float32))
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    optimizer.apply([tf.constant(G), None, tf.constant(G)], [free, still, bias])
    made("mlp").apply([tf.constant(G)], [alone])
    assert (np.array(still) == 1).all() and np.array_equal(bias, alone) and np.all(np.array(free) < 0.6)


@pytest.mark.parametrize(
    "name, option, expected",
    [
        ("mlp", {"clipvalue": 5.0}, [[3, -4, 5], [1, 0, 0]]),
        ("mlp", {"clipnorm": 6.5}, [[1.5, -2, 6], [1, 0, 0]]),
        ("anchored", {"clipnorm": 6.5}, [[1.5, -2, 6], [1, 0, 0]]),
        ("anchored_muon", {"clipnorm": 6.5}, [[1.5, -2, 6], [1, 0, 0]]),
        ("mlp", {"global_clipnorm": 17.0**0.5 * 10**0.5}, [G, [1, 0, 0]]),
        ("mlp", {"global_clipnorm": 170**0.5 / 2}, [G / 2, [0.5, 0, 0]]),
    ],
)
def test_gradients_are_clipped_before_the_rule_sees_them(name, option, expected):
    gradients, values = [G, np.array([1, 0, 0], np.float32)], [np.ones(3), np.ones(3)]
    found = moved(name, gradients, values, **option)
    np.testing.assert_allclose(found, moved(name, np.asarray(expected, np.float32), values), rtol=1e-5)


def test_saved_they_are_kept(tmp_path):
    options = {"weight_decay": 0.01, "clipnorm": 0.5}
    whole, half = model(), model()
    for one in (whole, half):
        one.compile(optimizer=made("anchored_muon", **options), loss="mse", jit_compile=False)
    fit(whole, "anchored_muon")
    fit(half, "anchored_muon", steps=7)
    half.save(tmp_path / "half.keras")
    loaded = keras.models.load_model(tmp_path / "half.keras")
    assert {key: loaded.optimizer.get_config()[key] for key in options} == options
    fit(loaded, "anchored_muon", first=7, steps=6)
    plain = model()
    fit(plain, "anchored_muon")
    for found, expected, other in zip(loaded.get_weights(), whole.get_weights(), plain.get_weights()):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
        assert np.abs(expected - other).max() > 1e-4


def test_frozen_layers_of_a_rule_that_reads_the_loss():
    """`anchored` keeps one state for all tensors: the frozen part of it stays."""
    keras_model = model()
    fit(keras_model, "anchored", steps=3)
    optimizer, first = keras_model.optimizer, keras_model.layers[0]
    first.trainable = False
    keras_model.compile(optimizer=optimizer, loss="mse", jit_compile=False)
    before, state = keras_model.get_weights(), {v.path: np.array(v) for v in optimizer.variables}
    fit(keras_model, "anchored", first=3, steps=4)
    after = keras_model.get_weights()
    assert [np.array_equal(a, b) for a, b in zip(before, after)] == [True, True, False, False]
    averages = [v for v in optimizer.variables if v.shape == (sum(w.size for w in after),)]
    frozen = after[0].size + after[1].size
    assert len(averages) == 5
    for v in averages:
        assert np.array_equal(v[:frozen], state[v.path][:frozen]) and not np.array_equal(v[frozen:], state[v.path][frozen:])


@NAMES
def test_mixed_bfloat16(name):
    """Variables and state are float32, and the loss falls."""
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        keras_model = model()
        keras_model.compile(optimizer=made(name), loss="mse", jit_compile=False)
        fit(keras_model, name)
        assert {v.dtype for v in keras_model.optimizer.variables if "float" in v.dtype} == {"float32"}
        assert all(np.isfinite(w).all() and w.dtype == np.float32 for w in keras_model.get_weights())
    finally:
        keras.mixed_precision.set_global_policy("float32")


def test_what_is_refused():
    """float16 with scaled losses where the rule reads them; weights that are bfloat16 themselves; options that can't be."""
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        keras_model = model()
        keras_model.compile(optimizer=made("anchored"), loss="mse", jit_compile=False)
        with pytest.raises(ConfigError, match="anchored reads the train loss: .*mixed_bfloat16") as error:
            fit(keras_model, "anchored")
        assert "\n" not in str(error.value)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    if hasattr(keras.Variable(0.0), "overwrite_with_gradient"):  # since Keras 3.4
        scale = keras.Variable(1.0, name="inputs_scale")
        scale.overwrite_with_gradient = True
        refused("inputs_scale is given its next value as its gradient", lambda: made("mlp").build([scale]))
    half = keras.Variable(np.ones(3), dtype="bfloat16")
    refused("is bfloat16: allowed is float32", lambda: made("anchored").build([half]))
    refused("weight decay 1.0: allowed is at least 0 and below 1", lambda: made("mlp", weight_decay=1.0))
    for wrong in ("0.1", -0.1, float("nan"), True, [0.1]):
        refused("weight decay .*: allowed is at least 0 and below 1", lambda wrong=wrong: made("mlp", weight_decay=wrong))
    for option in ("clipnorm", "clipvalue", "global_clipnorm"):
        for wrong in ("1", -1.0, 0, float("inf"), float("nan"), True):
            refused(f"{option} .*: allowed is a finite number > 0", lambda o=option, w=wrong: made("mlp", **{o: w}))
    refused("clipnorm and clipvalue: allowed is one of them", lambda: made("mlp", clipnorm=1.0, clipvalue=1.0))
    assert made("mlp", clipnorm=np.float32(0.5), weight_decay=0).get_config()["clipnorm"] == 0.5
    refused("argument 'use_ema' of mlp: allowed are", lambda: LearnedOptimizer("mlp", perturbed, use_ema=True))


def test_what_counts_as_a_vector_moves_as_one_of_one_axis(tmp_path):
    """Also where another variable is frozen, and after the optimizer was saved in a model."""
    rng = np.random.default_rng(0)
    start, gradients = rng.normal(size=[4, 3]).astype(np.float32), rng.normal(size=[3, 4, 3]).astype(np.float32)

    def run(shape, frozen=False, **options):
        variable, bias = keras.Variable(start.reshape(shape), name="table"), keras.Variable(G, name="bias")
        optimizer = made("anchored_muon", **options)
        optimizer.build([variable, bias])
        for g in gradients:
            optimizer.scale_loss(tf.constant(1.0))
            moving = [variable] if frozen else [variable, bias]
            optimizer.apply([tf.reshape(g, shape), tf.constant(G)][: len(moving)], moving)
        return np.array(variable).ravel()

    for frozen in (False, True):
        marked = run([4, 3], frozen, vectors=["tab*"])
        np.testing.assert_allclose(marked, run([12], frozen), rtol=1e-5)
        assert np.abs(marked - run([4, 3], frozen)).max() > 1e-3


def test_vectors_are_kept_in_the_config_and_checked():
    optimizer = made("anchored_muon", vectors=["*embedding*"])
    again = LearnedOptimizer.from_config(optimizer.get_config())
    assert again.get_config() == optimizer.get_config() and again.get_config()["vectors"] == ["*embedding*"]
    older = {key: value for key, value in optimizer.get_config().items() if key != "vectors"}
    assert LearnedOptimizer.from_config(older).get_config()["vectors"] == []
    with pytest.raises(ConfigError, match=r"vectors '\*embedding\*': no variable has such a path; there are "):
        optimizer.build([keras.Variable(G, name="bias")])
    with pytest.raises(ConfigError, match="vectors of anchored: allowed of anchored_muon alone"):
        made("anchored", vectors=["*"])
    with pytest.raises(ConfigError, match="vectors 'w'?.*allowed is a list of globs"):
        made("anchored_muon", vectors="w")


@pytest.mark.long
@pytest.mark.parametrize("eager", [False, True])
def test_a_strategy_of_one_replica(eager):
    """It ends as a training without one does."""
    ends = []
    for strategy in (tf.distribute.MirroredStrategy(["CPU:0"]), tf.distribute.get_strategy()):
        with strategy.scope():
            keras.utils.set_random_seed(0)
            net = keras.Sequential([keras.layers.Dense(3)])
            net.compile(made("anchored", steps=2), "mse", run_eagerly=eager)
        ends.append(net.fit(np.ones((4, 2)), np.ones((4, 3)), epochs=2, verbose=0).history["loss"])
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-5)
