"""tools/weights/gpu/: what is substituted computes the same; a truncation is the package's; programs run under JAX."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import exported
from learned import optimizers
from learned.deploy.weights import load_weights
from learned.outer_training import checkpoint, objectives
from learned.unrolling.problem import Problem
from learned.unrolling.unroll import Unroll
from taskset.catalogue import get_task
from taskset.tasks import recurrent_loops
from tools.weights.gpu import checkpoint as gpu_checkpoint
from tools.weights.gpu import programs, train

pytestmark = pytest.mark.elsewhere

ROOT = Path(__file__).parents[2]
PAIRS, STEPS, SIGMA = 3, 4, 0.1


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("size, kernel, stride", [(8, 3, 1), (8, 3, 2), (7, 3, 2), (9, 5, 3), (6, 1, 2), (5, 2, 1)])
def test_products_of_patches_are_the_convolution(padding, size, kernel, stride):
    rng = np.random.default_rng(0)
    x = tf.constant(rng.standard_normal((2, size, size + 1, 3)))
    w = tf.constant(rng.standard_normal((kernel, kernel, 3, 4)))

    def both(convolution):
        with tf.GradientTape() as tape:
            tape.watch((x, w))
            y = convolution(x, w, strides=stride, padding=padding)
            value = tf.reduce_sum(tf.sin(y))
        return y, *tape.gradient(value, (x, w))

    for ours, theirs in zip(both(programs._convolution), both(tf.nn.convolution)):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize("cell, widths", [("vrnn", (5, 5)), ("gru", (15, 10)), ("lstm", (20, 20))])
def test_loops_that_are_written_out_give_the_same(cell, widths, monkeypatch):
    rng = np.random.default_rng(0)
    normal = lambda *shape: tf.constant(rng.standard_normal(shape))  # noqa: E731
    weights = {
        "vrnn": lambda: [normal(5, 5), normal(2, 5)],
        "gru": lambda: [normal(5, 10), normal(5, 5), normal(2, 5)],
        "lstm": lambda: [normal(5, 20), normal(2, 5), normal(2, 5)],
    }[cell]()
    given = [normal(6, 2, widths[0]), *weights]
    more = [tf.tanh] if cell == "vrnn" else []

    def both():
        with tf.GradientTape() as tape:
            tape.watch(given)
            y = getattr(recurrent_loops, cell)(*given, *more)
            value = tf.reduce_sum(tf.sin(y))
        return y, *tape.gradient(value, given)

    plain = both()
    monkeypatch.setattr(recurrent_loops, "_loop", programs._written_out)
    for ours, theirs in zip(both(), plain):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_constants_of_booleans_are_listed():
    mask = np.random.default_rng(0).random((13, 7)) < 0.5
    x = tf.constant(np.ones(mask.shape, np.float32))
    text = exported.Compiled(tf.function(lambda x: tf.where(mask, x, 2.0), jit_compile=True), [x]).stablehlo()
    assert str(mask.tolist()).lower() in text and '"0x' not in text


@pytest.fixture(scope="module")
def truncation():
    task = get_task("TwoD_Rosenbrock")
    examples, starts = {}, {path: tf.constant(np.stack([w] * programs.STARTS)) for path, w in task.init(0).items()}
    scale = objectives.LossScale(float(task.loss(task.init(0), {}, 0)), 0.0)
    problem = programs.RowsProblem({}, task, optimizers.get("anchored"), objectives.get("train"), scale)
    settings = argparse.Namespace(pairs=PAIRS, steps=STEPS, sigma=SIGMA, rescaled=0.5)
    made = programs.Truncation(problem, settings, 1, 1)
    return task, problem, made, starts, examples


@pytest.mark.slow
def test_an_estimate_is_that_of_es_single(truncation):
    """g = 1 / (2 sigma^2 N) sum_n D_n e_n, from the losses of the two signs, over two truncations of an episode."""
    _, problem, made, starts, _ = truncation
    seen = []
    run = made.unroll._run
    made.unroll._run = lambda before, *rest: seen.append((before, run(before, *rest))) or seen[-1][1]
    try:
        state, lengths, theta = made.empty(), tf.constant([2, 2]), tf.constant(problem.theta(0))
        drawn = []
        for number in range(2):
            gradient, mean, _, state = made(theta, state, lengths, starts, tf.constant([1, number]))
            copies, (losses, _) = seen[-1]
            e = (copies[:PAIRS] - theta).numpy()
            np.testing.assert_allclose((copies[PAIRS:] - theta).numpy(), -e, atol=1e-6)
            drawn.append(e)
            d = (losses[:, :PAIRS] - losses[:, PAIRS:]).numpy().mean(0)
            np.testing.assert_allclose(gradient, d @ e / (2 * SIGMA**2 * PAIRS), rtol=2e-4, atol=1e-4)
            np.testing.assert_allclose(mean, losses.numpy().mean(), rtol=1e-5)
            np.testing.assert_array_equal(state["taken"], [number + 1] * PAIRS)
        assert e.std() == pytest.approx(SIGMA, rel=0.1)
        np.testing.assert_allclose(drawn[1], drawn[0], atol=1e-6)
        again = made(theta, state, lengths, starts, tf.constant([1, 2]))[3]  # all episodes are over: new ones
        np.testing.assert_array_equal(again["taken"], [1] * PAIRS)
        assert np.abs(again["e"] - drawn[0]).min() > 1e-6
    finally:
        made.unroll._run = run


@pytest.mark.slow
def test_a_copy_is_trained_as_by_the_package(truncation):
    """Without rescaling, losses are those of `learned.unrolling.unroll` from the same start."""
    task, problem, made, starts, _ = truncation
    made._scales = lambda starts, *keys: {path: tf.ones([PAIRS]) for path in starts}
    try:
        seen, run = [], made.unroll._run
        made.unroll._run = lambda before, *rest: seen.append((before, run(before, *rest))) or seen[-1][1]
        theta = tf.constant(problem.theta(0))
        made(theta, made.empty(), tf.constant([3]), starts, tf.constant([1, 0]))
        copies, (losses, _) = seen[0]
    finally:
        made.unroll._run = run
        del made._scales
    plain = Problem(task, optimizers.get("anchored"), objectives.get("train"), problem.scale)
    unroll = Unroll(plain, PAIRS, 2, STEPS, "graph_loop", "batched")
    fresh = {path: tf.stack([w] * PAIRS) for path, w in task.init(0).items()}
    zeros, horizons = tf.zeros([PAIRS], tf.int32), tf.fill([PAIRS, 2], 3 * STEPS)
    expected, _ = unroll.run(copies, copies, unroll.empty(), fresh, zeros, zeros, horizons, {}, tf.constant([0, 0]))
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    assert np.ptp(losses[1].numpy()) > 0.01  # perturbations are seen


@pytest.mark.slow
def test_a_sign_that_diverges_stays_and_both_start_again(truncation):
    _, problem, made, starts, _ = truncation
    theta = tf.constant(problem.theta(0))
    state = made(theta, made.empty(), tf.constant([9]), starts, tf.constant([1, 0]))[3]
    lost = np.zeros(2 * PAIRS, bool)
    lost[[0, 1, PAIRS]] = True  # both signs of pair 0, one of pair 1
    nan = lambda w: tf.where(tf.reshape(lost, [-1] + [1] * (w.shape.rank - 1)), np.nan, w)  # noqa: E731
    state["inner"]["params"] = {path: nan(w) for path, w in state["inner"]["params"].items()}
    gradient, _, over, after = made(theta, state, tf.constant([9]), starts, tf.constant([1, 1]))
    assert np.isfinite(gradient).all()
    assert float(over) == pytest.approx(0.5)
    np.testing.assert_array_equal(after["taken"], [9, 2, 2])


LAWS = {
    "normal": ({"name": "normal", "mean": 1.0, "stddev": 2.0, "shape": [40, 30]}, 1.0, 2.0),
    "truncated normal": ({"name": "truncated normal", "bounds": [-1.0, 1.0], "shape": [40, 30]}, 0.0, 0.8796 / 2),
    "uniform": ({"name": "uniform", "bounds": [1.0, 3.0], "shape": [40, 30]}, 2.0, 2 / 12**0.5),
    "orthogonal": ({"name": "orthogonal", "stddev": 3 / 40**0.5, "shape": [40, 30]}, 0.0, 3 / 40**0.5),
    "wide": ({"name": "orthogonal", "stddev": 3 / 40**0.5, "shape": [30, 40]}, 0.0, 3 / 40**0.5),
}


@pytest.mark.parametrize("name", LAWS)
def test_starts_have_their_law(name):
    law, mean, stddev = LAWS[name]
    drawn = train.start(law, np.random.default_rng(0), None)
    assert drawn.shape == (train.STARTS, *law["shape"]) and drawn.dtype == np.float32
    assert drawn.mean() == pytest.approx(mean, abs=0.02) and drawn.std() == pytest.approx(stddev, rel=0.02)
    if law["name"] == "orthogonal":
        one = drawn[0] if law["shape"][0] > law["shape"][1] else drawn[0].T
        np.testing.assert_allclose(one.T @ one, 9 * np.eye(30), atol=1e-4)
    assert np.ptp(drawn[:, 0, 0]) > 0


def test_a_checkpoint_knows_its_tasks(tmp_path, monkeypatch):
    """Those that were compiled and fast enough, and those of the weights that the training went on from."""
    from taskset.scoring import suites

    names = [f"quadratic_family_seed{seed}" for seed in (3, 4, 12)]
    suites.save(suites.make("few", names[:2], None, "synthetic", 2000, 10.0, 1e6), tmp_path / "suite.json")
    theta = {path: np.asarray(w) + 1 for path, w in optimizers.get("anchored_muon").init_theta(0).items()}
    before = {"task": names[2], "family": "quadratic_family", "split": "train", "scales": {"train": [1.0, 0.0]}}
    meta = {"optimizer": "anchored_muon", "shapes": {}, "options": {}, "step": 7, "suite": {"tasks": [before]}}
    checkpoint.save(tmp_path / "start.npz", meta, {f"theta/{path}": w for path, w in theta.items()})
    np.savez(tmp_path / "theta-000009.npz", **theta)
    (tmp_path / "log.jsonl").write_text(json.dumps({"ms": dict.fromkeys(names[:2], 1.0), "left_out": names[:1]}) + "\n{}\n")
    facts = {"optimizer": "anchored_muon", "pairs": 2, "steps": 5, "sigma": 0.01, "rescaled": 0.25}
    (tmp_path / train.MANIFEST).write_text(json.dumps(facts))
    given = [tmp_path / "theta-000009.npz", tmp_path / "suite.json", "--programs", tmp_path, "--from", tmp_path / "start.npz"]
    monkeypatch.setattr(sys, "argv", ["checkpoint", *map(str, given), "--out", str(tmp_path / "made.npz")])
    gpu_checkpoint.main()
    found = load_weights(tmp_path / "made.npz")
    assert found.trained_on == (names[2], names[1]) and found.meta["step"] == 9
    assert found.meta["options"]["lengths"] == "log_uniform:10:200"
    assert all(np.array_equal(found.theta[path], w) for path, w in theta.items())
    assert "on 1 task of 1 family (synthetic data)" in found.meta["about"]


def test_outer_training_under_jax(tmp_path):
    """Programs of an MLP, a convolution, a recurrent net, a transformer and a quadratic, in a process without TensorFlow."""
    pytest.importorskip("jax", reason="JAX is not installed")
    from taskset.scoring import suites

    names = [
        "mlp_family_seed12",
        "conv_pooling_family_seed226",
        "char_rnn_language_model_family_seed628",
        "transformer_lm_family_seed34",
        "quadratic_family_seed3",
    ]
    suite = suites.make("few", names, None, "synthetic", 2000, 10.0, 1e6)
    suites.save(suite, tmp_path / "suite.json")
    made = [
        sys.executable,
        "-m",
        "tools.weights.gpu.programs",
        tmp_path / "suite.json",
        "--out",
        tmp_path / "p",
        "--pairs",
        "2",
        "--steps",
        "5",
        "--optimizer",
        "anchored_muon",
    ]
    subprocess.run(list(map(str, made)), cwd=ROOT, check=True)
    listed = json.loads((tmp_path / "p/programs.json").read_text())["tasks"]
    shapes = {path: tuple(shape) for path, shape in listed[0]["theta"].items()}
    np.savez(tmp_path / "start.npz", **optimizers.get("anchored_muon").init_theta(0))
    given = [tmp_path / "out", tmp_path / "p", "--from", tmp_path / "start.npz", "--seconds", "3", "--slowest", "100"]
    blocked = "import sys; sys.modules['tensorflow'] = None; from tools.weights.gpu import train; train.main()"
    subprocess.run([sys.executable, "-c", blocked, *map(str, given)], cwd=ROOT, check=True)
    (path,) = (tmp_path / "out").glob("theta-*.npz")
    with np.load(path) as saved:
        assert {name: saved[name].shape for name in saved.files} == shapes
        start = optimizers.get("anchored_muon").init_theta(0)
        moved = [float(np.abs(saved[name] - np.asarray(w)).max()) for name, w in start.items()]
    assert max(moved) > 0
