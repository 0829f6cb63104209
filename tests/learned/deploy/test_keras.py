"""A learned optimizer in Keras against its plain functional loop."""

import contextlib
import functools
import gc
import warnings
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

from learned import optimizers
from learned.deploy.keras import LearnedOptimizer, ValidationLoss, from_checkpoint
from learned.deploy.keras_state import Frozen, key
from learned.optimizers import features
from learned.outer_training import checkpoint
from taskset.errors import ConfigError, TasksetError
from tests.learned.deploy.keras_models import BATCH, MODES, STEPS, batch, data, fit, made, model, refused
from tests.learned.rules import tensors, weights


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
        planned = learned.planned(STEPS, tf.float32)
        params, state = learned.update(theta, gradients, state, params, tf.constant(step), loss, held, **planned)
    return [np.asarray(p) for p in params.values()]


@pytest.mark.parametrize(
    "name, mode",
    [("mlp", mode) for mode in MODES]
    + [("hierarchical", mode) for mode in MODES]
    + [("adafac_mlp", "graph"), ("lstm", "graph")]
    + [("anchored", "graph"), ("anchored", "xla")],
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


@pytest.mark.parametrize("name", ["mlp", "hierarchical", "anchored"])
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


def test_a_training_that_goes_on_for_longer_is_given_the_new_number_of_steps():
    """`steps` set on a compiled model acts at the next step, without compiling again."""
    found = []
    for later in (STEPS, 40 * STEPS):
        keras_model = model()
        fit(keras_model, "anchored", steps=7)
        keras_model.optimizer.steps = later
        fit(keras_model, "anchored", first=7, steps=3)
        assert keras_model.optimizer.steps == later == float(keras_model.optimizer._horizon.value)
        found.append(np.concatenate([w.ravel() for w in keras_model.get_weights()]))
    assert np.abs(found[0] - found[1]).max() > 1e-4


def test_steps_are_those_that_it_was_made_with(tmp_path):
    """Loaded weights leave them as they are, in what `apply` reads, too; a loaded model has the saved ones."""
    keras_model, longer, earlier = (model() for _ in range(3))
    fit(keras_model, "anchored", steps=7)
    keras_model.save(tmp_path / "m.keras")
    keras_model.save_weights(tmp_path / "m.weights.h5")
    for other in (longer, earlier):
        other.compile(optimizer=made("anchored", steps=1000), loss="mse", jit_compile=False)
        other.optimizer.build(other.trainable_variables)
    longer.load_weights(tmp_path / "m.weights.h5")
    store = {}
    keras_model.optimizer.save_own_variables(store)
    earlier.optimizer.load_own_variables({**store, str(len(store)): np.float32(STEPS)})  # as files had it before
    for other, steps in ((longer, 1000), (earlier, 1000), (keras.models.load_model(tmp_path / "m.keras"), STEPS)):
        optimizer = other.optimizer
        assert optimizer.steps == float(optimizer._horizon.value) == optimizer.get_config()["steps"] == steps
        assert int(optimizer.iterations) == 7
        for v, w in zip(optimizer.variables, keras_model.optimizer.variables, strict=True):
            np.testing.assert_array_equal(v, w)


@pytest.mark.parametrize("mode", ["eager", "graph"])
def test_beyond_the_planned_steps_it_warns_once(mode):
    """A step of its own in eager mode, `fit` at its end."""
    keras_model = model()
    keras_model.compile(optimizer=made("anchored", steps=5), loss="mse", **MODES[mode])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(keras_model, "anchored", steps=5)
        with pytest.raises(UserWarning, match=r"step \d of a training planned for steps=5: .*set optimizer.steps"):
            fit(keras_model, "anchored", first=5, steps=2)
        fit(keras_model, "anchored", first=7, steps=2)
        keras_model.optimizer.steps = 20
        fit(keras_model, "anchored", first=9, steps=2)


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
    assert from_checkpoint(tmp_path / "c.npz", steps=9).get_config() == made("mlp", steps=9).get_config()


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


def test_a_step_that_is_refused_changes_nothing():
    ones, variable = tf.ones([3]), keras.Variable(np.ones(3, np.float32))
    refused("reads the train loss", lambda: made("anchored", weight_decay=0.1).apply([ones], [variable]))
    np.testing.assert_array_equal(variable, np.ones(3))


def test_losses_that_are_no_scalar_and_models_without_gradients():
    ones, variable = tf.ones([3]), keras.Variable(np.ones(3, np.float32))
    for shape in ([4], [2, 1]):
        refused(
            r"loss of shape \(.*\) under anchored: allowed is a scalar",
            lambda shape=shape: made("anchored").scale_loss(tf.ones(shape)),
        )
    optimizer = made("anchored")
    optimizer.scale_loss(tf.ones([1]))
    optimizer.apply([ones], [variable])
    assert int(optimizer.iterations) == 1
    optimizer.scale_loss(tf.constant(1.0))
    refused("no variable has a gradient", lambda: optimizer.apply([None], [variable]))
    assert int(optimizer.iterations) == 1


def test_a_loss_is_that_of_its_step():
    """No step takes a loss that was given for another one, whether that was refused, or traced into a compiled function."""
    ones, variable = tf.ones([3]), keras.Variable(np.ones(3, np.float32))
    optimizer = made("anchored_muon")
    optimizer.build([variable])
    for gradients in ([None], [tf.ones([4])], [ones, ones], []):
        optimizer.scale_loss(tf.constant(1.0))
        with contextlib.suppress(ConfigError):
            optimizer.apply(gradients, [variable])
        with pytest.raises(ValueError, match="reads the train loss"):
            optimizer.apply([ones], [variable])

    @tf.function
    def step(loss=None):
        if loss is not None:
            optimizer.scale_loss(loss)
        optimizer.apply([ones], [variable])

    optimizer.scale_loss(tf.constant(1.0))
    with pytest.raises(ValueError, match="was called outside the compiled function of apply: call"):
        step()
    with pytest.raises(ValueError, match="reads the train loss: call"):
        step()
    step(tf.constant(2.0))
    assert int(optimizer.iterations) == 1
    with pytest.raises(ValueError, match="reads the train loss"):
        optimizer.apply([ones], [variable])

    @tf.function
    def loss_of_a_batch():
        return optimizer.scale_loss(tf.constant(1.0))

    loss_of_a_batch()
    with pytest.raises(ValueError, match="was called inside a compiled function, and apply outside: call"):
        optimizer.apply([ones], [variable])


def test_what_is_refused():
    ones, variable = tf.ones([3]), keras.Variable(np.ones([3], np.float32))
    refused("scale_loss", lambda: made("hierarchical").apply([ones], [variable]))

    def without_validation():
        optimizer = made("hierarchical")
        optimizer.scale_loss(tf.constant(1.0))
        optimizer.apply([ones], [variable])

    refused("ValidationLoss", without_validation)
    refused("reads the train loss", lambda: made("anchored").apply([ones], [variable]))
    refused("steps None of anchored: allowed is an integer", lambda: made("anchored", steps=None))
    refused("steps 0 of mlp", lambda: made("mlp", steps=0))
    refused("steps 2.5 of anchored", lambda: setattr(made("anchored"), "steps", 2.5))
    refused("remove the callback", lambda: made("mlp").expect_validation_losses())
    refused("argument 'learning_rate' of mlp: .*it has no learning rate", lambda: made("mlp", learning_rate=0.1))
    refused(r"shape \(0, 3\): freeze", lambda: made("mlp").build([keras.Variable(np.ones([0, 3], np.float32))]))
    refused("has none to set", lambda: setattr(made("mlp"), "learning_rate", 0.1))
    refused("allowed is float32", lambda: made("mlp").build([keras.Variable(np.ones([3]), dtype="float64")]))
    refused("weights of 'mlp2019'", lambda: LearnedOptimizer("mlp2019", weights(optimizers.get("mlp"))))

    def new():
        optimizer = made("mlp")
        optimizer.build([variable])
        optimizer.apply([ones], [keras.Variable(np.ones([3], np.float32))])

    refused("is new to the optimizer", new)
    refused(r"has the shape \(1,\): allowed is its own, \(3,\)", lambda: made("mlp").apply([ones[:1]], [variable]))
    refused("2 gradients for 1 variables", lambda: made("mlp").apply([ones, ones], [variable]))
    keras_model = model()
    keras_model.compile(optimizer=made("hierarchical"), loss="mse", jit_compile=False)
    with pytest.raises(ConfigError, match="ValidationLoss"):
        keras_model.fit(*data(), verbose=0)


# Freezing layers, and training again.


def test_states_without_some_variables():
    params = {key: tf.zeros([n]) for key, n in zip("abcd", (3, 1, 4, 2))}
    whole = {"m": {key: p + 1 for key, p in params.items()}, "columns": tf.constant([[0, 1, 2, 3]]), "one": tf.constant(5)}
    moving = {key: params[key] for key in "db"}
    rest, order = Frozen(params, moving), features.tensor_order(params)
    like = {"m": moving, "columns": tf.constant([[0, 0]]), "one": tf.constant(0)}
    part = rest.part(whole, like)
    assert set(part["m"]) == {"b", "d"} and int(part["one"]) == 5
    assert part["columns"].numpy().tolist() == [[order.index(key) for key in features.tensor_order(moving)]]
    back = rest.whole(whole, {"m": part["m"], "columns": part["columns"] + 10, "one": tf.constant(6)})
    assert back["columns"].numpy().tolist() == [[i + 10 * (order[i] in "bd") for i in range(4)]] and int(back["one"]) == 6
    assert set(back["m"]) == set("abcd")


@pytest.mark.parametrize("name", ["mlp", "hierarchical"])
def test_layers_are_frozen_and_trained_again(name):
    """The others move as if they had always been alone with their states; what is frozen stays, and so does its state."""
    keras_model = model()
    fit(keras_model, name, steps=3)
    optimizer, first = keras_model.optimizer, keras_model.layers[0]
    keras_model.layers[0].trainable = False
    keras_model.compile(optimizer=optimizer, loss="mse", jit_compile=False)
    still = [np.array(v) for v in first.get_weights()]
    momenta = {v.path: np.array(v) for v in optimizer.variables}
    moving = {v.path: np.array(v) for v in keras_model.trainable_variables}
    fit(keras_model, name, first=3, steps=4)
    assert all(np.array_equal(v, s) for v, s in zip(first.get_weights(), still))
    assert all(not np.array_equal(v, moving[v.path]) for v in keras_model.trainable_variables)
    changed = [v.path for v in optimizer.variables if not np.array_equal(v, momenta[v.path])]
    assert {one for one in map(key, range(4)) if any(one in path for path in changed)} == {key(2), key(3)}
    first.trainable = True
    keras_model.compile(optimizer=optimizer, loss="mse", jit_compile=False)
    fit(keras_model, name, first=7, steps=2)
    assert all(not np.array_equal(v, s) for v, s in zip(first.get_weights(), still)) and int(optimizer.iterations) == 9


def test_frozen_layers_leave_the_others_to_their_rule():
    """Two steps of all, two of one variable, against the functional rule of that variable alone (mlp: tensors are apart)."""
    a, b = (keras.Variable(np.full([3], x, np.float32)) for x in (0.5, -0.5))
    optimizer, alone, other = made("mlp"), made("mlp"), keras.Variable(np.full([3], -0.5, np.float32))
    for step in range(4):
        g = tf.constant([1.0, 2.0, 3.0]) * (step + 1)
        optimizer.apply([g, g], [a, b]) if step < 2 else optimizer.apply([g], [b])
        alone.apply([g], [other])
        if step == 1:
            kept = np.array(a)
    np.testing.assert_array_equal(b, other)
    np.testing.assert_array_equal(a, kept)


# The callback.


def trained_by(batches, steps=25, **compiled):
    keras_model = model()
    keras_model.compile(optimizer=made("hierarchical"), loss="mse", jit_compile=False, **compiled)
    callback = ValidationLoss(batches)
    history = keras_model.fit(*data(batches=steps), batch_size=BATCH, shuffle=False, verbose=0, callbacks=[callback])
    return keras_model, history


def validation(count):
    return [batch(data(9), i) for i in range(count)]


def test_batches_are_gone_through_again_and_again():
    expected, _ = trained_by(validation(2))  # steps 0, 10, 20: the first one twice
    repeated = tf.data.Dataset.from_generator(
        lambda: iter(validation(2)), output_signature=(tf.TensorSpec([BATCH, 5]), tf.TensorSpec([BATCH, 2]))
    )
    for batches in (tuple(validation(2)), repeated, repeated.repeat(), iter([*validation(2), validation(1)[0]])):
        found, _ = trained_by(batches)
        assert int(found.optimizer.iterations) == 25
        for v, w in zip(found.get_weights(), expected.get_weights()):
            np.testing.assert_array_equal(v, w)


def test_validation_losses_of_several_outputs_are_none_of_the_train_losses():
    given = keras.Input((5,))
    outputs = {name: keras.layers.Dense(1, name=name)(given) for name in ("a", "b")}
    keras_model = keras.Model(given, outputs)
    keras_model.compile(optimizer=made("hierarchical"), loss={"a": "mse", "b": "mse"}, jit_compile=False)
    x = data(batches=1)[0]
    train, valid = ({name: np.full((BATCH, 1), value, np.float32) for name in outputs} for value in (0.0, 1000.0))
    history = keras_model.fit(x, train, batch_size=BATCH, verbose=0, callbacks=[ValidationLoss([(x, valid)])]).history
    assert history["loss"][0] == pytest.approx(history["a_loss"][0] + history["b_loss"][0], rel=1e-5)


@pytest.mark.parametrize("batches, after", [([], 0), (iter(validation(2)), 2), (iter([]), 0)])
def test_batches_that_end_are_an_error_and_not_fewer_steps(batches, after):
    refused(f"came to their end after {after}", lambda: trained_by(batches))


def test_batches_are_not_kept():
    class Batch:
        """Something that can be looked at when it is gone."""

        def __iter__(self):
            return iter(validation(1)[0])

    made_up = weakref.WeakSet()

    def endless():
        while True:
            one = Batch()
            made_up.add(one)
            yield one
            del one

    callback = ValidationLoss(endless())
    for _ in range(5):
        callback._batch()
    gc.collect()
    assert len(made_up) <= 1


def test_a_second_fit_without_the_callback_is_refused():
    keras_model, _ = trained_by(validation(2), steps=5)
    before = keras_model.get_weights()
    refused("each time", lambda: keras_model.fit(*data(), batch_size=BATCH, verbose=0))
    assert all(np.array_equal(v, w) for v, w in zip(keras_model.get_weights(), before))
    keras_model.fit(*data(), batch_size=BATCH, verbose=0, callbacks=[ValidationLoss(validation(2))])
    assert int(keras_model.optimizer.iterations) == 5 + STEPS


def test_mixed_precision():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        refused("auto_scale_loss=False", lambda: trained_by(validation(2)))
        keras_model, history = trained_by(validation(2), auto_scale_loss=False)
        assert int(keras_model.optimizer.iterations) == 25 and np.isfinite(history.history["loss"]).all()
    finally:
        keras.mixed_precision.set_global_policy("float32")


def test_the_callback_is_for_learned_optimizers():
    keras_model = model()
    keras_model.compile(optimizer="adam", loss="mse")
    refused("Adam reads no", lambda: keras_model.fit(*data(), verbose=0, callbacks=[ValidationLoss(validation(1))]))


@pytest.mark.parametrize(
    "change",
    [
        {"learned": "mpl"}, {"learned": 3}, {"learned": ["mlp"]}, {"theta": 3}, {"theta": {}}, {"theta": None},
        {"theta": {"mlp/linear_0/w": 3}},
    ],
)  # fmt: skip
def test_a_config_that_is_wrong(change):
    config = made("mlp").get_config() | change
    with pytest.raises(TasksetError) as error:
        LearnedOptimizer.from_config(config)
    assert "\n" not in str(error.value)
    for text in ("AAAA", "%", "x" * 10**6):
        config = made("mlp").get_config()
        config["theta"]["mlp/linear_0/b"] = text
        refused("damaged", functools.partial(LearnedOptimizer.from_config, config))
