"""Exported optimizers: the one file that needs NumPy alone, against TensorFlow."""

import copy
import importlib
import json
import subprocess
import sys
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from learned import optimizers
from learned.deploy import numpy_update
from learned.deploy.export import export, load_weights
from taskset.errors import StoreError, UnknownName
from tests.learned.deploy.exports import saved
from tests.learned.rules import ANOTHER_WAY, EVERY, FEW, HORIZON, SHAPES, STEPS, Inputs, flat, weights, without_last_layer


def without_counts(state):
    """A state as it was saved before tensors counted their own steps."""
    return {key: without_counts(x) if isinstance(x, dict) else x for key, x in state.items() if key != "step"}


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_a_reader_without_its_framework_says_what_to_install(framework, monkeypatch):
    monkeypatch.setitem(sys.modules, framework, None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, f"learned.deploy.{framework}_update", raising=False)
    with pytest.raises(ModuleNotFoundError, match=f"{framework}_update.py needs .*: pip install {framework}"):
        importlib.import_module(f"learned.deploy.{framework}_update")


def run(optimizer, inputs, dtype):
    params = {path: p.astype(dtype) for path, p in inputs.params.items()}
    state = optimizer.init(params)
    for step, g, loss, validation in zip(inputs.times, inputs.grads, inputs.losses, inputs.validation):
        state = without_counts(state)  # the steps of these inputs leap
        params, state = optimizer.update(g, state, params, step, loss, validation)
    return params


@EVERY
def test_the_exported_file_equals_tensorflow(name, tmp_path):
    theta = saved(tmp_path / "checkpoint.npz", name)
    exported, _ = export(tmp_path / "checkpoint.npz", tmp_path / "out" / "weights.npz")
    inputs, optimizer = Inputs(SHAPES), numpy_update.load(exported, steps=int(HORIZON))
    assert optimizer.name == name and len(inputs.times) == STEPS
    for dtype, tolerance in ((np.float64, 1e-9), (np.float32, 1e-5)):
        expected = inputs.moved(inputs.run(optimizers.get(name), theta, tf.as_dtype(dtype)))
        found = run(optimizer, inputs, dtype)
        assert {path: (p.dtype, p.shape) for path, p in found.items()} == {path: (dtype, s) for path, s in SHAPES.items()}
        assert np.abs(expected).max() > 1e-3
        np.testing.assert_allclose(inputs.moved(found), expected, rtol=0, atol=tolerance * max(1, np.abs(expected).max()))


@ANOTHER_WAY
def test_equal_to_tensorflow_where_it_takes_another_way(name, make):
    inputs, learned = make(), optimizers.get(name)
    found = run(numpy_update.LearnedOptimizer(name, weights(learned), int(HORIZON)), inputs, np.float64)
    expected = inputs.moved(inputs.run(learned, weights(learned), tf.float64))
    np.testing.assert_allclose(inputs.moved(found), expected, rtol=0, atol=1e-9 * np.abs(expected).max())


def test_a_network_whose_last_layer_is_0_is_left_out(monkeypatch):
    theta, inputs = without_last_layer(), Inputs(SHAPES)
    optimizer = numpy_update.LearnedOptimizer("anchored", theta, int(HORIZON))
    monkeypatch.setattr(numpy_update, "_Network", None)
    expected = inputs.moved(inputs.run(optimizers.get("anchored"), theta, tf.float64))
    np.testing.assert_allclose(inputs.moved(run(optimizer, inputs, np.float64)), expected, rtol=0, atol=1e-9)
    assert optimizer.theta.keys() == theta.keys()


def test_learned_decays_beyond_their_bounds():
    """Offsets that would make decays negative: those of second moments stop at 0, those of m don't."""
    theta, inputs = weights(optimizers.get("adafac_mlp")), Inputs(SHAPES)
    theta |= {path: np.full_like(w, 0.25) for path, w in theta.items() if path.startswith("decay_offsets")}
    expected = inputs.moved(inputs.run(optimizers.get("adafac_mlp"), theta, tf.float64))
    found = inputs.moved(run(numpy_update.LearnedOptimizer("adafac_mlp", theta), inputs, np.float64))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * max(1, np.abs(expected).max()))


@EVERY
def test_the_first_step_from_rest_is_finite_and_changes_nothing_in_place(name, tmp_path):
    theta = saved(tmp_path / "checkpoint.npz", name)
    optimizer = numpy_update.LearnedOptimizer(name, theta, steps=10)
    params = {path: np.zeros(shape, np.float32) for path, shape in FEW.items()}
    state = optimizer.init(params)
    moved, state = optimizer.update(params, state, params, 0, 1.0, 1.0)
    moved, _ = optimizer.update(params, state, moved, 1, 1.0, 1.0)
    assert all(np.isfinite(p).all() for p in moved.values()) and not any(p.any() for p in params.values())


def test_no_dependency_but_numpy(tmp_path):
    """The two files, alone in a directory, used by a process that can import neither this package nor TensorFlow."""
    theta = saved(tmp_path / "checkpoint.npz", "mlp")
    export(tmp_path / "checkpoint.npz", tmp_path / "alone" / "mlp.npz")
    code = """
import builtins, sys
real = builtins.__import__
def guarded(name, *rest, **more):
    assert name.split(".")[0] not in ("learned", "taskset", "tensorflow", "scipy"), name
    return real(name, *rest, **more)
builtins.__import__ = guarded
import numpy as np
import numpy_update
optimizer = numpy_update.load("mlp.npz")
params = {"w": np.ones((3, 2), np.float32)}
params, state = optimizer.update({"w": np.full((3, 2), 0.5)}, optimizer.init(params), params, 0)
print(params["w"][0, 0])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path / "alone", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    optimizer, params = optimizers.get("mlp"), {"w": tf.ones([3, 2])}
    arguments = {"w": tf.fill([3, 2], 0.5)}, optimizer.init(theta, params), params, tf.constant(0), None, None
    assert float(done.stdout) == pytest.approx(float(optimizer.update(theta, *arguments)[0]["w"][0, 0]), abs=1e-6)


def test_an_export_tells_what_it_is_and_is_read_as_weights(tmp_path):
    theta = saved(tmp_path / "checkpoint.npz", "lstm", options={"seed": 3})
    exported, reader = export(tmp_path / "checkpoint.npz", tmp_path / "lstm.npz")
    assert reader == tmp_path / "numpy_update.py" and reader.read_text() == Path(numpy_update.__file__).read_text()
    with np.load(exported) as file:
        assert {name for name in file.files if name != "meta"} == {f"theta/{w}" for w in theta}
        meta = json.loads(str(file["meta"]))
    assert meta["options"] == {"seed": 3} and meta["step"] == 7 and "slots" not in meta
    again = load_weights(exported)
    assert again.optimizer == "lstm" and all(np.array_equal(again.theta[w], a) for w, a in theta.items())


def test_what_can_not_be_exported(tmp_path):
    path = tmp_path / "checkpoint.npz"
    saved(path, "mlp", optimizer="mlp2019")
    with pytest.raises(StoreError, match="'mlp2019' is .31, 32."):
        export(path, tmp_path / "out.npz")
    saved(path, "mlp", optimizer="mlpp")
    with pytest.raises(UnknownName, match="did you mean 'mlp'"):
        export(path, tmp_path / "out.npz")
    saved(path, "mlp")
    with pytest.raises(StoreError, match="an .npz file"):
        export(path, tmp_path / "out.pt")
    np.savez(path, meta=np.array(json.dumps({"format": 1})))
    with pytest.raises(StoreError, match="no checkpoint of a learned optimizer"):
        export(path, tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()


def test_losses_that_are_missing_and_names_that_are_not_there(tmp_path):
    optimizer = numpy_update.LearnedOptimizer("hierarchical", saved(tmp_path / "c.npz", "hierarchical"))
    params = {path: np.zeros(shape, np.float32) for path, shape in FEW.items()}
    with pytest.raises(ValueError, match="reads losses"):
        optimizer.update(params, optimizer.init(params), params, 0, loss=1.0)
    with pytest.raises(ValueError, match="allowed are learnable_sgd"):
        numpy_update.LearnedOptimizer("mpl", {})


PLAIN = {"w": np.ones((3,), np.float32), "n": np.full((2, 2), 0.5, np.float32)}


@EVERY
def test_what_has_no_gradient_stays(name):
    """None or missing, in the first step and later: the others move as if they were alone."""
    optimizer = numpy_update.LearnedOptimizer(name, weights(optimizers.get(name)), 100)
    for grads in ({"w": np.ones(3), "n": None}, {"w": np.ones(3)}):
        params, state, alone = PLAIN, optimizer.init(PLAIN), {"w": PLAIN["w"]}
        own = optimizer.init(alone)
        for step in range(3):
            params, state = optimizer.update(grads, state, params, step, 1.0, 1.0)
            alone, own = optimizer.update({"w": np.ones(3)}, own, alone, step, 1.0, 1.0)
        np.testing.assert_array_equal(params["w"], alone["w"])
        assert (params["w"] != 1).all() and np.array_equal(params["n"], PLAIN["n"])
        params, _ = optimizer.update({"n": np.ones((2, 2))}, state, params, 3, 1.0, 1.0)  # its state is still there
        assert (params["n"] != 0.5).all() and np.array_equal(params["w"], alone["w"])
    assert optimizer.update({}, state, PLAIN, 0, 1.0, 1.0) == (PLAIN, state)


@EVERY
def test_a_parameter_may_be_called_what_a_state_is_called(name):
    optimizer = numpy_update.LearnedOptimizer(name, weights(optimizers.get(name)), 100)
    params = {path: np.ones(2, np.float32) for path in ("w", "m", "h", "tensors", "lstm_0")}
    moved, state = optimizer.update({"w": np.ones(2)}, optimizer.init(params), params, 0, 1.0, 1.0)
    moved, _ = optimizer.update(dict.fromkeys(params, np.ones(2)), state, moved, 1, 1.0, 1.0)
    assert all((moved[path] != 1).all() for path in params)


@EVERY
@pytest.mark.parametrize(
    "change, message",
    [
        ({"grads": {"w": np.ones((3, 1))}}, r"'w' is float64 \(3, 1\): .*\(3,\)"),
        ({"grads": {"w": np.ones(())}}, r"'w' is float64 \(\)"),
        ({"grads": {"w": np.array(["a", "b", "c"])}}, "'w' is <U1"),
        ({"grads": {"w": np.array([True, False, True])}}, "'w' is bool"),
        ({"grads": {"v": np.ones(3)}}, "gradient of 'v': allowed are those of the parameters, 'w', 'n'"),
        ({"params": {"n": np.array(7), "w": np.ones(3)}}, "'n' is of dtype int64: allowed are floats"),
        ({"params": {}}, "params is empty"),
        ({"params": [np.ones(3)]}, "params is empty or no dict"),
        ({"grads": [np.ones(3)]}, "grads is a list"),
        ({"state": {}}, "state or theta doesn't fit"),
        ({"state": None}, "state or theta doesn't fit"),
        ({"step": -1}, "step -1: allowed is an integer"),
        ({"step": 0.5}, "step 0.5"),
        ({"step": True}, "step True"),
        ({"loss": np.ones(2)}, r"loss has shape \(2,\)"),
    ],
)
def test_what_does_not_fit_is_refused(name, change, message):
    optimizer = numpy_update.LearnedOptimizer(name, weights(optimizers.get(name)), 100)
    given = {"grads": {"w": np.ones(3)}, "state": optimizer.init(PLAIN), "params": PLAIN, "step": 0, "loss": 1.0} | change
    with pytest.raises(ValueError, match=message) as error:
        optimizer.update(**given, validation_loss=1.0)
    assert "\n" not in str(error.value)
    if "params" in change:
        with pytest.raises(ValueError, match=message):
            optimizer.init(change["params"])


@pytest.mark.parametrize("name", sorted(set(numpy_update.RULES) - {"learnable_sgd"}))  # which keeps nothing
def test_a_state_of_other_shapes_or_of_another_rule_is_refused(name):
    optimizer = numpy_update.LearnedOptimizer(name, weights(optimizers.get(name)), 100)
    other = "lstm" if name != "lstm" else "mlp"
    states = [numpy_update.LearnedOptimizer(other, weights(optimizers.get(other))).init(PLAIN), optimizer.init({"w": np.ones(5)})]
    for state in states:
        with pytest.raises(ValueError, match="the state or theta doesn't fit .*: take the state from `init`"):
            optimizer.update({"w": np.ones(3)}, state, {"w": np.ones(3)}, 0, 1.0, 1.0)


@pytest.mark.parametrize("theta", [[], {}, {"w": "x"}, {"w": np.array(np.inf)}])
def test_weights_that_are_none(theta):
    params = {"w": np.ones(2)}

    def use():
        optimizer = numpy_update.LearnedOptimizer("mlp", theta)
        optimizer.update(params, optimizer.init(params), params, 0)

    with pytest.raises(ValueError, match="weight|theta|state") as error:
        use()
    assert "\n" not in str(error.value)


def test_every_dtype_comes_back_as_it_was():
    optimizer = numpy_update.LearnedOptimizer("mlp", weights(optimizers.get("mlp")))
    params = {"a": np.ones(2, np.float64), "b": np.ones(2, np.float32)}
    moved, _ = optimizer.update(params, optimizer.init(params), params, 0)
    assert [p.dtype for p in moved.values()] == [np.float64, np.float32]


@EVERY
def test_precision_does_not_depend_on_the_order(name):
    """State and computation are float64 if any parameter is, with a gradient or without."""
    optimizer = numpy_update.LearnedOptimizer(name, weights(optimizers.get(name)), 100)
    params = {"a": np.linspace(-1, 1, 5).astype(np.float32), "b": np.ones(2, np.float64), "c": np.ones(3, np.float32)}
    found = []
    for order in ("abc", "bca"):
        ordered = {path: params[path] for path in order}
        state, moved = optimizer.init(ordered), ordered
        for step, given in enumerate((order, order.replace("b", ""))):
            moved, state = optimizer.update({path: np.ones_like(params[path]) for path in given}, state, moved, step, 1.0, 1.0)
        assert {x.dtype for x in tf.nest.flatten(state) if isinstance(x, np.ndarray)} <= {np.dtype(np.float64)}
        found.append(moved)
    for path, p in params.items():
        np.testing.assert_allclose(found[0][path], found[1][path], rtol=1e-12 if p.dtype == np.float64 else 1e-6)


@EVERY
def test_what_has_no_numbers_is_left_out(name):
    optimizer = numpy_update.LearnedOptimizer(name, weights(optimizers.get(name)), 100)
    alone = {"w": np.ones((3, 2), np.float32)}
    params = {"none": np.ones((0, 3), np.float32), **alone}
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for given in (params, alone):
            moved, _ = optimizer.update({path: 2 * p for path, p in given.items()}, optimizer.init(given), given, 0, 1.0, 1.0)
            found.append(moved)
    assert found[0]["none"].shape == (0, 3) and np.array_equal(found[0]["w"], found[1]["w"])


def test_gradients_of_higher_precision_than_their_parameters():
    """A loss scaled for half precision has such gradients: 7e4 is infinite in float16, 1e-8 is 0."""
    optimizer = numpy_update.LearnedOptimizer("learnable_adam", optimizers.get("learnable_adam").init_theta(0))
    for size in (7e4, 1e-8):
        moved = []
        for dtype in (np.float16, np.float32):
            params = {"w": np.full(3, 0.0625, dtype)}
            new, _ = optimizer.update({"w": np.full(3, size, np.float32)}, optimizer.init(params), params, 0)
            moved.append(new["w"])
        np.testing.assert_array_equal(moved[0], moved[1].astype(np.float16))
        assert np.all(moved[0] != 0.0625)


@pytest.mark.parametrize("name", ["anchored", "learnable_adam"])
def test_averages_of_a_late_parameter_are_corrected_by_its_own_steps(name):
    """With weights that read no time (NAdam, Adam), its steps from step 1000 on are those of another one from step 0 on."""
    optimizer = numpy_update.LearnedOptimizer(name, optimizers.get(name).init_theta(0), 2000)
    grads = list(np.random.default_rng(0).normal(size=(4, 50)))
    alone, params = {"late": np.ones(50)}, {"w": np.ones(50), "late": np.ones(50)}
    own, state = optimizer.init(alone), optimizer.init(params)
    params, state = optimizer.update({"w": grads[0]}, state, params, 0, 1.0)
    for i, g in enumerate(grads):
        alone, own = optimizer.update({"late": g}, own, alone, i, 1.0)
        params, state = optimizer.update({"w": g, "late": g}, state, params, 1000 + i, 1.0)
    np.testing.assert_allclose(params["late"], alone["late"], rtol=1e-12)


def test_a_trainings_checkpoint_is_not_written_over(tmp_path):
    np.savez(tmp_path / "checkpoint.npz", **{"adam/x": np.zeros(3)})
    before = (tmp_path / "checkpoint.npz").read_bytes()
    with pytest.raises(StoreError, match="is the checkpoint of a training, which resumes from it: give another output"):
        export("mlp_pes", tmp_path / "checkpoint.npz")
    assert (tmp_path / "checkpoint.npz").read_bytes() == before
    for _ in range(2):  # weights alone may be written again
        export("mlp_pes", tmp_path / "weights.npz")


def test_late_gradients_of_hierarchical_are_clipped_by_their_own_average():
    """From the tensor's second gradient on, a hundred times the first, both count by half in the average that clips."""
    optimizer = numpy_update.LearnedOptimizer("hierarchical", weights(optimizers.get("hierarchical")))
    params = {"w": np.ones(4), "late": np.ones(4)}
    state = optimizer.init(params)
    for step in range(50):
        params, state = optimizer.update({"w": np.ones(4)}, state, params, step, 1.0, 1.0)
    for step, size in ((50, 1.0), (51, 100.0)):
        grads = {"w": np.ones(4), "late": np.full(4, size)}
        params, state = optimizer.update(grads, state, params, step, 1.0, 1.0)
    np.testing.assert_allclose(state["tensors"]["late"]["clip"], (0.99 * 1 + 100) / 1.99, rtol=1e-12)
    np.testing.assert_allclose(state["tensors"]["w"]["clip"], 1, rtol=1e-12)


@pytest.mark.parametrize("bad", [np.inf, np.nan, 1e20])
def test_one_bad_loss_does_not_end_a_run_of_hierarchical(bad):
    """In both, it counts as the average so far."""
    theta, inputs = weights(optimizers.get("hierarchical")), Inputs(SHAPES)
    inputs.times = range(len(inputs.grads))
    for losses in (inputs.losses, inputs.validation):
        losses[1] = bad
    exported, params = numpy_update.LearnedOptimizer("hierarchical", theta), inputs.params
    state = exported.init(params)
    for step, (g, loss, validation) in enumerate(zip(inputs.grads, inputs.losses, inputs.validation)):
        params, state = exported.update(g, state, params, step, loss, validation)
    found = inputs.moved(params)
    assert np.isfinite(found).all() and np.abs(found).max() > 0
    np.testing.assert_allclose(found, inputs.moved(inputs.run(optimizers.get("hierarchical"), theta, tf.float64)), atol=1e-9)


def test_a_state_without_counts_takes_that_of_the_run():
    inputs, theta = Inputs(SHAPES), weights(optimizers.get("anchored"))
    optimizer, params, found = numpy_update.LearnedOptimizer("anchored", theta, 100), inputs.params, []
    state = optimizer.init(params)
    for step in range(3):
        params, state = optimizer.update(inputs.grads[step], state, params, step, 1.0)
    assert {tensor["step"] for tensor in state["tensors"].values()} == {3}
    for given in (state, without_counts(state)):
        found.append(inputs.moved(optimizer.update(inputs.grads[3], given, params, 3, 1.0)[0]))
    assert np.array_equal(*found)


def test_beyond_the_planned_steps_it_warns_once():
    optimizer, params = numpy_update.LearnedOptimizer("anchored", weights(optimizers.get("anchored")), 2), {"w": np.ones(3)}
    state = optimizer.init(params)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for step in (0, 1):
            optimizer.update(params, state, params, step, 1.0)
        with pytest.raises(UserWarning, match="step 3 of a training planned for steps=2: .*load it with the steps of the whole"):
            optimizer.update(params, state, params, 2, 1.0)
        optimizer.update(params, state, params, 3, 1.0)


@EVERY
@pytest.mark.parametrize("dtype", [np.float16, "bfloat16"])
def test_weights_of_half_precision_have_a_state_of_float32(name, dtype):
    dtype = tf.as_dtype(dtype).as_numpy_dtype
    optimizer = numpy_update.LearnedOptimizer(name, weights(optimizers.get(name)), 100)
    half, g = {"w": np.linspace(-1, 1, 40).astype(dtype)}, {"w": np.linspace(1, 2, 40).astype(dtype)}
    full, as_floats = ({"w": x["w"].astype(np.float32)} for x in (half, g))
    state, moved = optimizer.init(half), half
    assert all(x.dtype != dtype for x in tf.nest.flatten(state) if isinstance(x, np.ndarray))
    moved, _ = optimizer.update(g, state, half, 0, 1.0, 1.0)
    expected, _ = optimizer.update(as_floats, optimizer.init(full), full, 0, 1.0, 1.0)
    assert moved["w"].dtype == dtype and np.array_equal(moved["w"], expected["w"].astype(dtype))


@pytest.mark.parametrize("name", ["mlp", "mlp2019", "adafac_mlp", "lstm", "hierarchical", "anchored"])
def test_however_the_work_is_divided(name, monkeypatch):
    """Numbers are worked on in pieces; where they are cut doesn't matter."""
    found, shapes = [], {**SHAPES, "row": (1, 30), "many": (2, 3, 11)}
    for width in (1, 7, 32, 8192):
        monkeypatch.setattr(numpy_update, "WIDTH", width)
        inputs = Inputs(shapes)
        found.append(
            inputs.moved(run(numpy_update.LearnedOptimizer(name, weights(optimizers.get(name)), 400), inputs, np.float64))
        )
    assert np.abs(found[0]).max() > 1e-3
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=0, atol=1e-9 * np.abs(found[0]).max())


def rewritten(path, change):
    """The arrays of an .npz, changed and written again."""
    with np.load(path) as file:
        arrays = dict(file)
    change(arrays)
    np.savez(path, **arrays)


def test_an_export_that_lacks_a_layer_is_refused(tmp_path):
    saved(tmp_path / "c.npz", "mlp")
    path, _ = export(tmp_path / "c.npz", tmp_path / "mlp.npz")

    def without(arrays):
        del arrays["theta/mlp/linear_2/w"], arrays["theta/mlp/linear_2/b"]

    def reshaped(arrays):
        arrays["theta/mlp/linear_2/w"] = arrays["theta/mlp/linear_2/w"].T

    def not_a_number(arrays):
        arrays["theta/mlp/linear_0/b"][3] = np.nan

    for change, message in ((without, "'mlp/linear_2/b'"), (reshaped, "'mlp/linear_2/w'"), (not_a_number, "finite")):
        content = path.read_bytes()
        rewritten(path, change)
        with pytest.raises(ValueError, match=message) as error:
            numpy_update.load(path)
        assert "\n" not in str(error.value)
        with pytest.raises(StoreError, match=message):
            load_weights(path)
        path.write_bytes(content)
    assert numpy_update.load(path).name == "mlp"


def theta_or_error(load, path):
    """(theta, None), or (None, the error's text)."""
    try:
        return load(path).theta, None
    except (ValueError, StoreError) as error:
        return None, str(error)


@pytest.mark.parametrize("load", [numpy_update.load, load_weights])
def test_no_flipped_bit_of_an_export_is_read_as_right(tmp_path, load):
    saved(tmp_path / "c.npz", "adafac_mlp")
    path, _ = export(tmp_path / "c.npz", tmp_path / "w.npz")
    content, right, rng, refused = path.read_bytes(), load(path).theta, np.random.default_rng(0), 0
    for i in range(400):  # the whole file, then its directory, which sums don't cover
        changed, bit = bytearray(content), int(rng.integers(8 * len(content) if i < 200 else 8 * 1500))
        changed[-1 - bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        found, error = theta_or_error(load, path)
        if found is None:
            refused += 1
            assert "\n" not in error
        else:
            assert set(found) == set(right) and all(np.array_equal(found[w], a) for w, a in right.items())
    assert refused > 250


def test_a_bomb_is_refused_before_it_takes_memory(tmp_path):
    path = tmp_path / "w.npz"
    saved(tmp_path / "c.npz", "mlp")
    export(tmp_path / "c.npz", path)
    with np.load(path) as file:
        arrays = dict(file)
    np.savez_compressed(path, **arrays, **{"theta/x": np.zeros(2**26, np.float32)})
    tracemalloc.start()
    for load, kind in ((numpy_update.load, ValueError), (load_weights, StoreError)):
        with pytest.raises(kind, match="claim"):
            load(path)
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()


def test_a_file_that_is_not_there():
    """A name of the package's weights is no file, though `learned.load` takes it."""
    with pytest.raises(FileNotFoundError, match="no file 'anchored_wide': .*python -m learned export NAME") as error:
        numpy_update.load("anchored_wide", 10)
    assert "\n" not in str(error.value)


def test_steps_that_are_missing(tmp_path):
    theta = saved(tmp_path / "c.npz", "anchored")
    for steps in (None, 0, 2.5):
        with pytest.raises(ValueError, match="steps .* of anchored: allowed is an integer of at least 1") as error:
            numpy_update.load(tmp_path / "c.npz", steps)
        assert "\n" not in str(error.value)
    optimizer, params = numpy_update.LearnedOptimizer("anchored", theta, 10), {"w": np.ones((3, 2), np.float32)}
    with pytest.raises(ValueError, match="steps 0 of anchored: allowed is an integer of at least 1"):
        optimizer.steps = 0
    assert optimizer.steps == 10
    with pytest.raises(ValueError, match="reads the train loss"):
        optimizer.update(params, optimizer.init(params), params, 0)


@pytest.mark.parametrize("name", ["anchored", "anchored_muon"])
def test_resumed_for_as_long_and_for_longer(name):
    """`steps` are those that the new optimizer is made with, or is given while training; the state is that of the first half."""
    inputs, theta = Inputs(SHAPES), weights(optimizers.get(name))

    def run(optimizer, part, params, state=None):
        state = optimizer.init(params) if state is None else state
        for step in part:
            params, state = optimizer.update(inputs.grads[step], state, params, step, inputs.losses[step])
        return params, state

    start = {path: p.astype(np.float64) for path, p in inputs.params.items()}
    whole, _ = run(numpy_update.LearnedOptimizer(name, theta, 100), range(10), start)
    half, state = run(numpy_update.LearnedOptimizer(name, theta, 100), range(5), start)
    set_later = numpy_update.LearnedOptimizer(name, theta, 100)
    set_later.steps = 4000
    resumed = [numpy_update.LearnedOptimizer(name, theta, 100), numpy_update.LearnedOptimizer(name, theta, 4000), set_later]
    found = [run(optimizer, range(5, 10), half, copy.deepcopy(state))[0] for optimizer in resumed]
    for path, expected in whole.items():
        np.testing.assert_array_equal(found[0][path], expected)
        np.testing.assert_array_equal(found[1][path], found[2][path])
    assert np.abs(inputs.moved(found[1]) - inputs.moved(whole)).max() > 1e-4


def test_what_counts_as_a_vector_moves_as_one_of_one_axis():
    given = "anchored_muon", weights(optimizers.get("anchored_muon")), int(HORIZON)
    marked = numpy_update.LearnedOptimizer(*given, vectors=["w"])
    found = run(marked, Inputs(SHAPES), np.float64)
    expected = run(numpy_update.LearnedOptimizer(*given), flat(Inputs(SHAPES), "w"), np.float64)
    for path, p in found.items():
        assert p.shape == SHAPES[path]
        np.testing.assert_allclose(p.ravel(), expected[path].ravel(), rtol=1e-12)
    other = run(numpy_update.LearnedOptimizer(*given), Inputs(SHAPES), np.float64)
    assert np.abs(found["w"] - other["w"]).max() > 1e-3


@pytest.mark.parametrize("name", ["blocks[0].w", "['emb']['kernel']", 3])
def test_vectors_by_their_whole_names(name):
    """Names of other packages have brackets, which a glob takes for a choice of letters."""
    rng, given = np.random.default_rng(0), ("anchored_muon", weights(optimizers.get("anchored_muon")), 10)
    params, grads = ({name: rng.normal(size=(4, 3))} for _ in range(2))
    moved = []
    for vectors in ((), (str(name),)):
        optimizer = numpy_update.LearnedOptimizer(*given, vectors=vectors)
        moved.append(optimizer.update(grads, optimizer.init(params), params, 0, loss=1.0)[0][name])
    assert np.abs(moved[0] - moved[1]).max() > 1e-6
    with pytest.raises(ValueError, match="no parameter has that name"):
        numpy_update.LearnedOptimizer(*given, vectors=["blocks[1].w"]).init(params)


def test_vectors_that_are_none():
    theta = weights(optimizers.get("anchored"))
    with pytest.raises(ValueError, match="vectors of anchored: allowed of anchored_muon alone"):
        numpy_update.LearnedOptimizer("anchored", theta, 10, vectors=["w"])
    theta = weights(optimizers.get("anchored_muon"))
    with pytest.raises(ValueError, match="vectors 'w': allowed is a list"):
        numpy_update.LearnedOptimizer("anchored_muon", theta, 10, vectors="w")
    with pytest.raises(ValueError, match=r"vectors 'emb\*': no parameter has that name; there are b, w"):
        numpy_update.LearnedOptimizer("anchored_muon", theta, 10, vectors=["emb*"]).init({"b": np.ones(2), "w": np.ones([2, 2])})


@pytest.mark.parametrize("loss", ["low", "0.5", object()])
def test_a_loss_that_is_no_number_is_refused(loss):
    optimizer = numpy_update.LearnedOptimizer("anchored", weights(optimizers.get("anchored")), 10)
    params = {"w": np.ones(3, np.float32)}
    with pytest.raises(ValueError, match="loss .*: allowed is a scalar"):
        optimizer.update({"w": np.ones(3, np.float32)}, optimizer.init(params), params, 0, loss)


def test_losses_whose_sums_overflow_count_as_not_finite():
    optimizer, found = numpy_update.LearnedOptimizer("anchored", weights(optimizers.get("anchored")), 10), []
    for huge in (3e38, 1e308, np.nan):
        params = {"w": np.ones(3, np.float32)}
        state = optimizer.init(params)
        for step, loss in enumerate((2.3, huge, -huge, 1.0)):
            params, state = optimizer.update({"w": np.ones(3, np.float32)}, state, params, step, loss)
        found.append(params["w"])
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
