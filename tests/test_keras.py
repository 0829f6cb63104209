"""A learned optimizer in Keras against its plain functional loop."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from learned import checkpoint, optimizers
from learned.keras import LearnedOptimizer, ValidationLoss, from_checkpoint
from taskset.errors import ConfigError
from tests.test_learned_optimizers import tensors, weights

STEPS, BATCH = 13, 8
MODES = {"eager": {"run_eagerly": True}, "graph": {"jit_compile": False}, "xla": {"jit_compile": True}}


def data(seed=0, batches=STEPS):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(batches * BATCH, 5)).astype(np.float32), rng.normal(size=(batches * BATCH, 2)).astype(np.float32)


def model(seed=1):
    layers = [keras.layers.Dense(7, "tanh", kernel_initializer=keras.initializers.GlorotUniform(seed)), keras.layers.Dense(2)]
    layers[1].kernel_initializer = keras.initializers.GlorotUniform(seed + 1)
    return keras.Sequential([keras.Input((5,)), *layers])


def made(name, **changes):
    return LearnedOptimizer(name, weights(optimizers.get(name)), **changes)


def batch(arrays, i):
    return tuple(tf.constant(a[i * BATCH : (i + 1) * BATCH]) for a in arrays)


def loss_of(params, x, y):
    hidden = tf.tanh(x @ params["w0"] + params["b0"])
    return tf.reduce_mean(tf.square(hidden @ params["w1"] + params["b1"] - y))


def functional(name, start, steps=STEPS):
    """Parameters behind some steps of the pure functions."""
    learned = optimizers.get(name)
    theta = tensors(weights(learned), tf.float32)
    params = dict(zip(("w0", "b0", "w1", "b1"), map(tf.constant, start)))
    state = learned.init(theta, params)
    for step in range(steps):
        if step % 10 == 0:
            held = loss_of(params, *batch(data(9), step // 10))
        with tf.GradientTape() as tape:
            tape.watch(params)
            loss = loss_of(params, *batch(data(), step))
        gradients = tape.gradient(loss, params)
        params, state = learned.update(theta, gradients, state, params, tf.constant(step), loss, held)
    return [np.asarray(p) for p in params.values()]


def fit(keras_model, name, mode="graph", first=0, steps=STEPS):
    if not keras_model.compiled:
        keras_model.compile(optimizer=made(name), loss="mse", **MODES[mode])
    x, y = (a[first * BATCH : (first + steps) * BATCH] for a in data())
    told = [batch(data(9), i) for i in range(-(-first // 10), 2)]
    callbacks = [ValidationLoss(told)] if name == "hierarchical" else []
    return keras_model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0, callbacks=callbacks)


@pytest.mark.parametrize(
    "name, mode",
    [("mlp", mode) for mode in MODES] + [("hierarchical", mode) for mode in MODES] + [("adafac_mlp", "graph"), ("lstm", "graph")],
)
def test_equal_to_the_functional_loop(name, mode):
    keras_model = model()
    start = keras_model.get_weights()
    fit(keras_model, name, mode)
    expected = functional(name, start)
    assert max(np.abs(e - s).max() for e, s in zip(expected, start)) > 3e-3
    for found, e in zip(keras_model.get_weights(), expected):
        np.testing.assert_allclose(found, e, rtol=0, atol=2e-5)
    assert int(keras_model.optimizer.iterations) == STEPS


@pytest.mark.parametrize("name", ["mlp", "hierarchical"])
def test_saved_and_loaded_it_goes_on(name, tmp_path):
    whole, half = model(), model()
    start = whole.get_weights()
    fit(whole, name)
    fit(half, name, steps=7)
    half.save(tmp_path / "half.keras")
    loaded = keras.models.load_model(tmp_path / "half.keras")
    assert int(loaded.optimizer.iterations) == 7 and loaded.optimizer.name == name
    for v, w in zip(loaded.optimizer.variables, half.optimizer.variables, strict=True):
        np.testing.assert_array_equal(v, w)
    fit(loaded, name, first=7, steps=STEPS - 7)
    for found, expected, s in zip(loaded.get_weights(), whole.get_weights(), start):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
        assert np.abs(expected - s).max() > 1e-4


@pytest.mark.smoke
def test_its_state_is_in_keras_variables():
    keras_model = model()
    fit(keras_model, "mlp", steps=2)
    momenta = [v for v in keras_model.optimizer.variables if v.shape[:1] == (6,)]
    assert [tuple(v.shape) for v in momenta] == [(6, *w.shape) for w in keras_model.trainable_variables]
    assert all(np.asarray(v).any() for v in momenta)


def test_config_is_json_and_has_the_weights():
    optimizer = made("mlp2019")
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert isinstance(again, LearnedOptimizer) and again.get_config() == optimizer.get_config()
    assert again.get_config() != LearnedOptimizer("mlp2019", optimizers.get("mlp2019").init_theta(0)).get_config()


@pytest.mark.smoke
def test_from_a_checkpoint(tmp_path):
    theta = {path: w.astype(np.float32) for path, w in weights(optimizers.get("mlp")).items()}
    shapes = {path: list(w.shape) for path, w in theta.items()}
    checkpoint.save(tmp_path / "c.npz", {"optimizer": "mlp", "shapes": shapes}, {f"theta/{w}": a for w, a in theta.items()})
    assert from_checkpoint(tmp_path / "c.npz").get_config() == made("mlp").get_config()


def test_what_has_no_gradient_stays_and_constraints_hold():
    optimizer = made("mlp")
    free, still, bound = (keras.Variable(np.full([3], 0.5, np.float32)) for _ in range(3))
    bound.constraint = keras.constraints.MaxNorm(0.1, axis=0)
    ones = tf.ones([3])
    optimizer.apply([ones, None, ones], [free, still, bound])
    assert (np.asarray(free) != 0.5).all() and (np.asarray(still) == 0.5).all()
    assert np.linalg.norm(bound) == pytest.approx(0.1, abs=1e-5)


def test_sparse_gradients_are_those_of_the_dense_ones():
    table = [keras.Variable(np.ones([4, 2], np.float32)) for _ in range(2)]
    sparse = tf.IndexedSlices(tf.ones([2, 2]), tf.constant([1, 1]), tf.constant([4, 2]))
    for v, g in zip(table, (sparse, tf.convert_to_tensor(sparse))):
        made("mlp").apply([g], [v])
    np.testing.assert_array_equal(*table)


def refused(message, function):
    with pytest.raises(ConfigError, match=message) as error:
        function()
    assert "\n" not in str(error.value)


def test_what_is_refused():
    ones, variable = tf.ones([3]), keras.Variable(np.ones([3], np.float32))
    refused("scale_loss", lambda: made("hierarchical").apply([ones], [variable]))

    def without_validation():
        optimizer = made("hierarchical")
        optimizer.scale_loss(tf.constant(1.0))
        optimizer.apply([ones], [variable])

    refused("ValidationLoss", without_validation)
    refused("take the callback away", lambda: made("mlp").expect_validation_losses())
    refused("has none to set", lambda: setattr(made("mlp"), "learning_rate", 0.1))
    refused("allowed is float32", lambda: made("mlp").build([keras.Variable(np.ones([3]), dtype="float64")]))
    refused("weights of 'mlp2019'", lambda: LearnedOptimizer("mlp2019", weights(optimizers.get("mlp"))))

    def some():
        optimizer = made("mlp")
        optimizer.build([variable, keras.Variable(np.ones([3], np.float32))])
        optimizer.apply([ones], [variable])

    refused("all 2 at once", some)
    with pytest.raises(ConfigError, match="ValidationLoss"):
        keras_model = model()
        keras_model.compile(optimizer=made("hierarchical"), loss="mse", jit_compile=False)
        keras_model.fit(*data(), verbose=0)
