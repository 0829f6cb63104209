"""jax_update.py: exported weights as Optax's (init, update), against the rules in TensorFlow."""

import functools
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from learned import optimizers
from learned.deploy.export import export
from tests.learned.deploy.exports import refused, saved
from tests.learned.rules import ANOTHER_WAY, HORIZON, SHAPES, Inputs, flat, weights, without_last_layer

pytestmark = pytest.mark.elsewhere
jax = pytest.importorskip("jax", reason="JAX is not installed")
from learned.deploy import jax_update  # noqa: E402

EVERY = pytest.mark.parametrize("name", jax_update.RULES)
PLANNED = pytest.mark.parametrize("name", ["anchored", "anchored_muon"])


def made(name="anchored", steps=100):
    return jax_update.learned_optimizer(name, weights(optimizers.get(name)), steps)


def trees(inputs, dtype):
    cast = lambda tree: {path: x.astype(dtype) for path, x in tree.items()}  # noqa: E731
    return cast(inputs.params), [cast(g) for g in inputs.grads]


def stepper(optimizer):
    """One step, compiled: (params, state), of which the state's memory is used again."""

    @functools.partial(jax.jit, donate_argnums=1)
    def step(params, state, gradients, value):
        updates, state = optimizer.update(gradients, state, params, value=value)
        return jax.tree.map(lambda p, u: p + u, params, updates), state

    return step


def run(optimizer, params, grads, losses, state=None):
    state, step = optimizer.init(params) if state is None else state, stepper(optimizer)
    for g, loss in zip(grads, losses):
        params, state = step(params, state, g, np.float64(loss))
    return {path: np.asarray(p, np.float64) for path, p in params.items()}, state


@EVERY
@pytest.mark.parametrize("dtype, times, tolerance", [("float32", 1, 1e-5), ("float64", 10, 1e-9)])
def test_equal_to_tensorflow(name, dtype, times, tolerance, x64):
    inputs = Inputs(SHAPES)
    inputs.grads, inputs.losses, inputs.validation = inputs.grads * times, inputs.losses * times, inputs.validation * times
    equal_to_tensorflow(name, inputs, dtype, tolerance)


@pytest.mark.parametrize("name", ["anchored", "anchored_muon"])
def test_losses_whose_sums_overflow_count_as_not_finite(name, x64):
    del x64
    inputs = Inputs(SHAPES)
    inputs.losses[0], inputs.losses[2] = 3e38, -3e38
    equal_to_tensorflow(name, inputs, "float32", 1e-5)


def test_matrices_of_one_shape_are_made_orthogonal_together(x64):
    """Lying and standing ones; one without a gradient at first; matrices of one row or one column, which are none."""
    inputs = Inputs({"again": (7, 5), "b": (5,), "column": (6, 1), "lying": (5, 7), "row": (1, 6), "w": (7, 5), "z": (7, 1, 5)})
    for g in inputs.grads[:2]:
        g["again"] *= 0
    equal_to_tensorflow("anchored_muon", inputs, "float64", 1e-9)


@ANOTHER_WAY
def test_equal_to_tensorflow_where_it_takes_another_way(name, make, x64):
    equal_to_tensorflow(name, make(), "float64", 1e-9)


def equal_to_tensorflow(name, inputs, dtype, tolerance):
    learned = optimizers.get(name)
    inputs.times = range(len(inputs.grads))
    found, _ = run(made(name, int(HORIZON)), *trees(inputs, dtype), inputs.losses)
    update = tf.function(learned.update, autograph=False, reduce_retracing=True)
    expected = inputs.moved(inputs.run(learned, weights(learned), tf.as_dtype(dtype), update))
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(inputs.moved(found), expected, rtol=0, atol=tolerance * max(1, np.abs(expected).max()))


def test_a_network_whose_last_layer_is_0_is_left_out(x64, monkeypatch):
    inputs, theta = Inputs(SHAPES), without_last_layer()
    inputs.times = range(len(inputs.grads))
    monkeypatch.setattr(jax_update, "_network", None)
    found, _ = run(jax_update.learned_optimizer("anchored", theta, int(HORIZON)), *trees(inputs, "float64"), inputs.losses)
    expected = inputs.moved(inputs.run(optimizers.get("anchored"), theta, tf.float64))
    np.testing.assert_allclose(inputs.moved(found), expected, rtol=0, atol=1e-9)


@PLANNED
def test_resumed_for_as_long_and_for_longer(name):
    inputs = Inputs(SHAPES)
    params, grads = trees(inputs, np.float32)
    whole, _ = run(made(name), params, grads, inputs.losses)
    half, state = run(made(name), params, grads[:5], inputs.losses[:5])
    half = {path: p.astype(np.float32) for path, p in half.items()}
    copies = (jax.tree.map(np.array, state) for _ in range(2))  # a step takes the memory of its state
    found = [run(made(name, n), half, grads[5:], inputs.losses[5:], next(copies))[0] for n in (100, 4000)]
    assert all(np.array_equal(found[0][path], whole[path]) for path in whole)
    assert np.abs(inputs.moved(found[1]) - inputs.moved(whole)).max() > 1e-4


@PLANNED
def test_weights_of_half_precision_have_a_state_of_float32(name):
    params = {"w": jax.numpy.linspace(-1, 1, 40).reshape(8, 5).astype(jax.numpy.bfloat16)}
    g, optimizer = {"w": jax.numpy.linspace(1, 2, 40).reshape(8, 5).astype(jax.numpy.bfloat16)}, made(name)
    updates, state = optimizer.update(g, optimizer.init(params), params, value=1.0)
    full = jax.tree.map(lambda x: x.astype(np.float32), params)
    expected, _ = optimizer.update(jax.tree.map(lambda x: x.astype(np.float32), g), optimizer.init(full), full, value=1.0)
    assert updates["w"].dtype == params["w"].dtype and {x.dtype for x in (*state["m"], *state["v"])} == {np.dtype("float32")}
    assert (updates["w"] == expected["w"].astype(params["w"].dtype)).all()


def test_what_has_no_numbers_is_left_out():
    for name in ("anchored", "anchored_muon", "adafac_mlp"):
        found = []
        for params in (
            {"none": np.ones((0, 3), np.float32), "w": np.ones((3, 2), np.float32)},
            {"w": np.ones((3, 2), np.float32)},
        ):
            optimizer = made(name)
            updates, _ = jax.jit(optimizer.update)(params, optimizer.init(params), params, value=1.0)
            found.append(updates)
        assert found[0]["none"].shape == (0, 3) and np.array_equal(found[0]["w"], found[1]["w"]) and found[0]["w"].all()


@PLANNED
def test_where_there_is_nothing_to_train(name):
    """As with a mask that lets nothing through, which one of `optax.partition` may be."""
    optimizer = made(name)
    for params in ({}, {"w": np.ones((0, 3), np.float32)}):
        state = optimizer.init(params)
        updates, state = jax.jit(optimizer.update)(params, state, params, value=1.0)
        assert jax.tree.structure(updates) == jax.tree.structure(params) and state["step"] == 1


@PLANNED
def test_what_is_refused(name):
    params = {"w": np.ones(3, np.float32)}
    optimizer = made(name)
    state = optimizer.init(params)
    refused("reads the train loss: call update", lambda: optimizer.update(params, state, params))
    refused("reads the parameters", lambda: optimizer.update(params, state, value=1.0))
    refused(r"value has shape \(2,\)", lambda: optimizer.update(params, state, params, value=np.ones(2)))
    refused("structure or shapes", lambda: optimizer.update({"w": np.ones(2)}, state, params, value=1.0))
    refused("structure or shapes", lambda: optimizer.update({"v": np.ones(3)}, state, params, value=1.0))
    other = optimizer.init({"w": np.ones(5, np.float32)})
    refused(r"has shape \(5,\), expected is \(3,\): take it", lambda: optimizer.update(params, other, params, value=1.0))
    for of_another in (made("mlp").init(params), {"step": state["step"]}):
        refused("the state is none of this rule", lambda state=of_another: optimizer.update(params, state, params, value=1.0))
    refused("dtype int32: allowed are floats", lambda: optimizer.init({"w": np.ones(3, np.int32)}))
    for loss in ("0.5", np.array("0.5"), 1 + 1j, np.complex64(1), object(), {}):
        refused("value .*: allowed is a real number", lambda loss=loss: optimizer.update(params, state, params, value=loss))
    refused("a gradient is no array of real", lambda: optimizer.update({"w": 1j * np.ones(3)}, state, params, value=1.0))
    for none in (None, (), {**state, "step": 3.7}, {key: x for key, x in state.items() if key != "step"}):
        refused("the state is none of this rule", lambda none=none: optimizer.update(params, none, params, value=1.0))
    refused(f"steps None of {name}: allowed is an integer", lambda: made(name, steps=None))
    refused("unknown learned optimizer 'hierarchical'", lambda: jax_update.learned_optimizer("hierarchical", {}))


@PLANNED
def test_with_optax_clipping_weight_decay_and_frozen_parameters(name):
    optax = pytest.importorskip("optax", reason="Optax is not installed")
    params = {"a": np.full((2, 2), 0.5, np.float32), "b": np.full(3, -0.5, np.float32)}
    gradients = {"a": np.array([[100, 50], [-20, 80]], np.float32), "b": np.ones(3, np.float32)}
    optimizer, moving = made(name), {"a": True, "b": False}
    assert isinstance(optimizer, optax.GradientTransformationExtraArgs)
    chained = optax.chain(
        optax.clip_by_global_norm(1.0), optax.masked(optimizer, moving), optax.add_decayed_weights(-0.1, moving),
        optax.masked(optax.set_to_zero(), {"a": False, "b": True}),
    )  # fmt: skip
    updates, _ = jax.jit(chained.update)(gradients, chained.init(params), params, value=1.0)
    alone = {"a": params["a"]}
    clipped = {"a": gradients["a"] / optax.global_norm(gradients)}
    expected, _ = optimizer.update(clipped, optimizer.init(alone), alone, value=1.0)
    np.testing.assert_allclose(updates["a"], expected["a"] - 0.1 * params["a"], rtol=1e-5)
    assert not np.any(updates["b"])


def test_the_two_files_are_enough(tmp_path):
    """Alone in a directory, used by a process that can import neither this package nor TensorFlow nor Optax."""
    saved(tmp_path / "checkpoint.npz", "mlp")
    _, reader = export(tmp_path / "checkpoint.npz", tmp_path / "alone" / "mlp.npz", "jax")
    assert reader.name == "jax_update.py"
    code = """
import sys
sys.modules.update(dict.fromkeys(("learned", "taskset", "tensorflow", "torch", "optax")))
import numpy as np, jax_update
optimizer, params = jax_update.load("mlp.npz"), {"w": np.ones((3, 2), np.float32)}
updates, state = optimizer.update({"w": np.full((3, 2), 0.5, np.float32)}, optimizer.init(params), params)
print(float(updates["w"][0, 0]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path / "alone", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    optimizer, params = made("mlp"), {"w": np.ones((3, 2), np.float32)}
    updates, _ = optimizer.update({"w": np.full((3, 2), 0.5, np.float32)}, optimizer.init(params), params)
    assert float(done.stdout) == pytest.approx(float(updates["w"][0, 0]), abs=1e-6)


@pytest.mark.parametrize("mask", ["tree", "function"])
def test_what_counts_as_a_vector_moves_as_one_of_one_axis(mask, x64):
    given = "anchored_muon", weights(optimizers.get("anchored_muon")), 100
    inputs, other = Inputs(SHAPES), flat(Inputs(SHAPES), "w")
    tree = {path: path == "w" for path in SHAPES}
    vectors = tree if mask == "tree" else lambda params: {path: tree[path] for path in params}
    found, _ = run(jax_update.learned_optimizer(*given, vectors=vectors), *trees(inputs, np.float64), inputs.losses)
    expected, _ = run(jax_update.learned_optimizer(*given), *trees(other, np.float64), other.losses)
    for path, p in found.items():
        assert p.shape == SHAPES[path]
        np.testing.assert_allclose(p.ravel(), expected[path].ravel(), rtol=1e-9)
    usual, _ = run(jax_update.learned_optimizer(*given), *trees(inputs, np.float64), inputs.losses)
    assert np.abs(usual["w"] - found["w"]).max() > 1e-3


def test_a_mark_stands_for_a_branch_and_others_are_refused():
    params = {"embedding": {"w": np.ones([4, 3]), "empty": np.ones([0, 2])}, "head": {"w": np.ones([3, 2])}}
    assert jax_update._marked({"embedding": True, "head": False}, params) == [True, True, False]
    assert jax_update._marked(False, params) == [False] * 3
    with pytest.raises(ValueError, match="vectors is no tree like the params"):
        jax_update._marked({"embedding": True}, params)
    with pytest.raises(ValueError, match="vectors has leaves that are no bools"):
        jax_update._marked({"embedding": 1.0, "head": False}, params)
    with pytest.raises(ValueError, match="vectors of anchored: allowed of anchored_muon alone"):
        jax_update.learned_optimizer("anchored", weights(optimizers.get("anchored")), 100, vectors=True)
