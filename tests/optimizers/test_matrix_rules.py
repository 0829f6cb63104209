"""Muon, relative Muon and SOAP against their formulas in plain NumPy, and what their matrices do."""

import math
import sys

import numpy as np
import pytest
import tensorflow as tf

import learned  # noqa: F401 (registers the task)
import taskset
from taskset import optimizers
from taskset.errors import ConfigError
from taskset.execution.copies import CopiesLoop
from taskset.execution.loop import Loop
from taskset.optimizers.muon import orthogonalized
from tests.optimizers.problem import DTYPES, RTOL, STEPS, Problem, distance, run

TASK = "Digits_mlp32_bs128"
SHAPES = {"tall": (6, 3), "wide": (3, 7), "kernel": (2, 3, 3, 4), "column": (5, 1), "bias": (4,), "scale": ()}


def twin_orthogonalized(m):
    a, b, c = 3.4445, -4.7750, 2.0315
    x = m.T if m.shape[0] > m.shape[1] else m
    x = x / (np.linalg.norm(x) + 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = a * x + b * gram @ x + c * gram @ gram @ x
    return x.T if m.shape[0] > m.shape[1] else x


def twin_muon(problem, lr, mu, decay, adam_lr, b1, b2, eps):
    params, m, v = dict(problem.start), dict.fromkeys(problem.start, 0.0), dict.fromkeys(problem.start, 0.0)
    for step in range(STEPS):
        for p, g in problem.gradients(params, step).items():
            w, t = params[p], step + 1
            if w.ndim < 2:
                m[p], v[p] = b1 * m[p] + (1 - b1) * g, b2 * v[p] + (1 - b2) * g**2
                direction = m[p] / (1 - b1**t) / (np.sqrt(v[p] / (1 - b2**t)) + eps)
                params[p] = w - adam_lr * (direction + decay * w)
            else:
                m[p] = mu * m[p] + (1 - mu) * g
                o = twin_orthogonalized(((1 - mu) * g + mu * m[p]).reshape(-1, w.shape[-1]))
                params[p] = w - lr * (max(1, o.shape[1] / o.shape[0]) ** 0.5 * o.reshape(w.shape) + decay * w)
    return params


def twin_by_blocks(m, high):
    lying = m.T if m.shape[0] > m.shape[1] else m
    o = np.concatenate([twin_orthogonalized(lying[first : first + high]) for first in range(0, len(lying), high)])
    return o.T if m.shape[0] > m.shape[1] else o


def twin_relative_muon(problem, lr, orthogonal, b1, b2, eps, share, high=128):
    params, m, v = dict(problem.start), dict.fromkeys(problem.start, 0.0), dict.fromkeys(problem.start, 0.0)
    for t in range(1, STEPS + 1):
        whole = np.mean(np.concatenate([np.ravel(w) for w in params.values()]) ** 2)
        for p, g in problem.gradients(params, t - 1).items():
            m[p], v[p] = b1 * m[p] + (1 - b1) * g, b2 * v[p] + (1 - b2) * g**2
            n = b1 * m[p] / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)
            if p in ("tall", "wide", "kernel"):
                o = twin_by_blocks(n.reshape(-1, n.shape[-1]), high)
                n = orthogonal * math.sqrt(max(o.shape)) * o.reshape(n.shape)
            else:
                n = n / (np.sqrt(v[p] / (1 - b2**t)) + eps)
            size = math.sqrt(np.mean(params[p] ** 2) + share**2 * whole + 1e-8)
            params[p] = params[p] - lr * (1 - (t - 1) / STEPS) * size * n
    return params


def rotated(x, bases, back=False):
    for axis, basis in bases.items():
        x = np.moveaxis(np.tensordot(x, basis.T if back else basis, [[axis], [0]]), -1, axis)
    return x


def twin_soap(problem, lr, b1, b2, eps, decay, frequency, most):
    params = dict(problem.start)
    m, v = ({p: np.zeros_like(w) for p, w in params.items()} for _ in range(2))
    axes = {p: [i for i, n in enumerate(w.shape) if 1 < n <= most and w.ndim > 1] for p, w in params.items()}
    bases = {p: {i: np.eye(params[p].shape[i]) for i in each} for p, each in axes.items()}
    seen = {p: {i: np.zeros_like(q) for i, q in each.items()} for p, each in bases.items()}
    for t in range(STEPS):
        for p, g in problem.gradients(params, t).items():
            if t:
                w, m[p] = params[p], b1 * m[p] + (1 - b1) * g
                v[p] = b2 * v[p] + (1 - b2) * rotated(g, bases[p]) ** 2
                rate = lr * math.sqrt(1 - b2**t) / (1 - b1**t)
                params[p] = w - rate * rotated(rotated(m[p], bases[p]) / (np.sqrt(v[p]) + eps), bases[p], True) - lr * decay * w
            for i in axes[p]:
                rows = np.moveaxis(g, i, 0).reshape(g.shape[i], -1)
                seen[p][i] = b2 * seen[p][i] + (1 - b2) * rows @ rows.T
                if t < frequency or t % frequency == 0:
                    q = bases[p][i]
                    order = np.argsort(-np.diag(q.T @ seen[p][i] @ q), kind="stable")
                    q, v[p] = q[:, order], np.take(v[p], order, axis=i)
                    bases[p][i] = np.linalg.qr(seen[p][i] @ q)[0]
    return params


@DTYPES
def test_muon_agrees_with_its_formula(dtype):
    problem = Problem(shapes=SHAPES)
    expected = twin_muon(problem, 0.05, 0.9, 0.02, 0.03, 0.8, 0.95, 1e-6)
    assert distance(run(optimizers.muon(0.05, 0.9, 0.02, 0.03, 0.8, 0.95, 1e-6), problem, dtype), expected) < 10 * RTOL[dtype]


@DTYPES
def test_relative_muon_agrees_with_its_formula(dtype):
    problem, settings = Problem(shapes=SHAPES), (0.3, 0.8, 0.99, 1e-3, 0.2)
    expected = twin_relative_muon(problem, 0.1 * math.sqrt(3 / STEPS), *settings)
    found = run(optimizers.relative_muon(0.1, *settings[:-1], share=settings[-1]), problem, dtype, horizon=STEPS)
    assert distance(found, expected) < 10 * RTOL[dtype]
    assert min(np.max(np.abs(expected[p] - w)) for p, w in problem.start.items()) > 0.001  # all have moved


def test_relative_muon_takes_blocks_of_wide_matrices(monkeypatch):
    monkeypatch.setattr(sys.modules["taskset.optimizers.muon"], "BLOCK", 2)  # three rows are two blocks, filled up
    problem, settings = Problem(shapes=SHAPES), (0.3, 0.8, 0.99, 1e-3, 0.2)
    rate, rule = 0.1 * math.sqrt(3 / STEPS), optimizers.relative_muon(0.1, *settings[:-1], share=settings[-1])
    found, expected = (
        run(rule, problem, tf.float64, horizon=STEPS, wrap=lambda optimizer: optimizer.update),
        twin_relative_muon(problem, rate, *settings, high=2),
    )
    assert distance(found, expected) < 10 * RTOL[tf.float64]
    assert distance(found, twin_relative_muon(problem, rate, *settings)) > 0.001


@pytest.mark.parametrize("shape", [(8, 8), (20, 5), (5, 20), (3, 4, 9)])
def test_muons_directions_are_nearly_orthogonal(shape):
    matrices = np.random.default_rng(1).normal(size=shape)
    found = orthogonalized(tf.constant(matrices)).numpy()
    for m, o in zip(matrices.reshape(-1, *shape[-2:]), found.reshape(-1, *shape[-2:])):
        u, s, v = np.linalg.svd(m, full_matrices=False)
        inside = u.T @ o @ v.T  # diagonal: the singular vectors are those of m
        np.testing.assert_allclose(inside, np.diag(np.diag(inside)), atol=1e-12)
        assert s[-1] / np.linalg.norm(s) > 0.02 and np.diag(inside).min() > 0.65 and np.diag(inside).max() < 1.25
    assert not orthogonalized(tf.zeros([3, 4])).numpy().any()


@pytest.mark.parametrize("size", [1e13, 1e20, 1e37])
def test_muons_directions_of_gradients_whose_squares_are_infinite(size):
    matrices = np.random.default_rng(1).normal(size=(2, 5, 4)).astype(np.float32)
    usual, large = (orthogonalized(tf.constant(scale * matrices)).numpy() for scale in (np.float32(1), np.float32(size)))
    np.testing.assert_allclose(large, usual, atol=1e-5)
    for other in (np.inf, np.nan):
        matrices[0, 0, 0] = other
        found = orthogonalized(tf.constant(matrices)).numpy()
        assert np.isnan(found[0]).any() and np.isfinite(found[1]).all()  # not a step that looks as if nothing were wrong


def test_a_tensor_of_no_matrices_has_no_directions():
    assert orthogonalized(tf.zeros([0, 3, 4])).shape == (0, 3, 4)


# Covariances of full rank but one: a basis of a larger null space is what rounding makes it.
DETERMINED = {"square": (3, 3), "wide": (3, 4), "kernel": (2, 2, 3, 5), "column": (2, 1), "bias": (4,), "scale": ()}


@pytest.mark.parametrize("frequency, most", [(1, 100), (3, 100), (3, 4), (4, 0)])
def test_soap_agrees_with_its_formula(frequency, most):
    problem = Problem(shapes=DETERMINED)
    expected = twin_soap(problem, 0.1, 0.8, 0.9, 1e-3, 0.02, frequency, most)
    found = run(optimizers.soap(0.1, 0.8, 0.9, 1e-3, 0.02, frequency, most), problem, tf.float64)
    assert distance(found, expected) < 1e-9


def test_soap_without_bases_is_adam():
    """But for its first gradient, which SOAP only looks at."""
    problem = Problem(shapes=SHAPES)
    found = run(optimizers.soap(0.1, 0.8, 0.9, 1e-3, max_dimension=0), problem, tf.float64)
    later = Problem(shapes=SHAPES)
    later.noise = later.noise[1:]
    adam = run(optimizers.adam(0.1, 0.8, 0.9, 1e-3), later, tf.float64, steps=STEPS - 1)
    assert distance(found, adam) < 1e-12
    assert distance(run(optimizers.soap(0.1, 0.8, 0.9, 1e-3), problem, tf.float64), adam) > 0.01


def test_soaps_bases_are_eigenvectors():
    optimizer, rng = optimizers.soap(0.1, frequency=1), np.random.default_rng(0)
    g = rng.normal(size=(4, 3)) * [[8], [4], [2], [1]]
    params = {"w": tf.constant(rng.normal(size=(4, 3)))}
    state = optimizer.init(params)
    for step in range(40):
        params, state = optimizer.update({"w": tf.constant(g)}, state, params, step, optimizer.hparams(40))
    for axis, covariance in (("0", g @ g.T), ("1", g.T @ g)):
        q = state["basis"]["w"][axis].numpy()
        np.testing.assert_allclose(q.T @ q, np.eye(len(q)), atol=1e-12)
        np.testing.assert_allclose(q.T @ covariance @ q, np.diag(np.linalg.eigvalsh(covariance)[::-1]), atol=1e-8)


BOTH = pytest.mark.parametrize("make", [optimizers.muon, optimizers.soap], ids=["muon", "soap"])


@BOTH
@DTYPES
def test_dtypes_and_structure_are_kept(make, dtype):
    optimizer = make()
    params = {p: tf.constant(w, dtype) for p, w in Problem(shapes=SHAPES).start.items()}
    state = optimizer.init(params)
    new, new_state = optimizer.update(params, state, params, tf.constant(3, tf.int64), optimizer.hparams(10))
    tf.nest.assert_same_structure((params, state), (new, new_state))
    for a, b in zip(tf.nest.flatten((params, state)), tf.nest.flatten((new, new_state))):
        assert a.dtype == b.dtype == dtype and a.shape == b.shape


@BOTH
def test_runs_side_by_side_equal_runs_alone_in_each_mode(make):
    """Several rates in one program, under XLA; each alone, in TensorFlow's own loop."""
    task, rates = taskset.get_task(TASK, source="synthetic"), (3e-4, 3e-3)
    both = [make(rate) for rate in rates]
    together, each = CopiesLoop(task, both[0], 2, interval=6), [o.hparams(6) for o in both]
    side_by_side = together.start(1)
    assert together.mode == "xla_loop"
    losses = together.train(side_by_side, {name: [h[name] for h in each] for name in each[0]}, 6)
    for i, hparams in enumerate(each):
        loop = Loop(task, both[i], 6, mode="graph_loop")
        np.testing.assert_allclose(losses[:, i], loop.train(loop.start(1), hparams, 6), rtol=2e-3)
    assert abs(losses[-1, 0] - losses[-1, 1]) > 0.01


def test_settings_of_programs():
    assert optimizers.soap(frequency=5).rule != optimizers.soap().rule == optimizers.soap(0.1).rule
    for settings, says in (({"frequency": 0}, "integer >= 1"), ({"max_dimension": 2.5}, "integer >= 0")):
        with pytest.raises(ConfigError, match=says):
            optimizers.soap(**settings)
    with pytest.raises(ConfigError, match="horizon 0"):
        optimizers.muon().hparams(0)


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e9, 1e15])
def test_soaps_bases_do_not_depend_on_the_scale_of_gradients(scale):
    """The covariance is squared on the way to them, and gradients to the fourth power are beyond float32."""
    rng = np.random.default_rng(0)
    optimizer = optimizers.soap(0.1, epsilon=1e-30, frequency=1)
    params = {"w": tf.constant(rng.normal(size=(6, 4)), tf.float32)}
    state, hparams, grad = optimizer.init(params), optimizer.hparams(30), rng.normal(size=(30, 6, 4))
    start = params["w"]
    for step in range(30):
        params, state = optimizer.update({"w": tf.constant(scale * grad[step], tf.float32)}, state, params, step, hparams)
    for axis, basis in state["basis"]["w"].items():
        np.testing.assert_allclose(tf.transpose(basis) @ basis, np.eye(basis.shape[0]), atol=1e-5)
        rotated = tf.transpose(basis) @ state["covariance"]["w"][axis] @ basis / tf.linalg.trace(state["covariance"]["w"][axis])
        assert np.abs(rotated - np.diag(np.diag(rotated))).max() < 0.1
    moved = np.abs(params["w"] - start)
    assert np.isfinite(moved).all() and 0.1 < moved.max() < 10
