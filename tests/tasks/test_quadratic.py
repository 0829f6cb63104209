"""quadratic_family: the loss, its matrices, and the noise that is drawn at every evaluation."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from taskset import catalogue
from taskset.catalogue import make_task
from taskset.random import stateless
from taskset.tasks import matrix_noise
from taskset.tasks.quadratic_family import matrix

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "quadratic_family.json").read_text())
DISTRIBUTIONS = {
    "normal": ["normal", {"mean": 0.3, "std": 0.7}],
    "uniform": ["uniform", {"min": -0.5, "max": 1.5}],
    "linspace_eigen": ["linspace_eigen", {"min": 2.0, "max": 10.0}],
    "logspace_eigen": ["logspace_eigen", {"min": 1e-5, "max": 50.0}],
}
NOISES = {
    "normal": ["normal", {"mean": 0.05, "std": 0.2}],
    "uniform": ["uniform", {"min": -0.1, "max": 0.4}],
    "linspace_eigen": ["linspace_eigen", {"min": 0.5, "max": 3.0}],
    "logspace_eigen": ["logspace_eigen", {"min": 1e-5, "max": 5.0}],
}


def config(noise=None, dims=6, A_dist="normal", output_fn="identity", initial=("normal", {"mean": 1.0, "std": 0.5})):
    return {
        "A_dist": DISTRIBUTIONS[A_dist],
        "initial_dist": list(initial),
        "output_fn": output_fn,
        "dims": dims,
        "seed": 4711,
        "loss_scale": 0.37,
        "noise": noise and {"A_noise": NOISES[noise]},
    }


def task_of(*args, **kwargs):
    return make_task("quadratic_family", config(*args, **kwargs))


def drawn(noise, n, key):
    """E [n, n] of one key: what it makes of the unit vectors."""
    apply = matrix_noise.perturbed(tf.zeros([n, n], tf.float64), noise, stateless.as_key(key))
    return np.stack([apply(unit) for unit in tf.eye(n, dtype=tf.float64)], axis=1)


@pytest.mark.parametrize("output_fn", ["identity", "log"])
@pytest.mark.parametrize("noise", [None, *NOISES])
def test_loss_is_the_formula(noise, output_fn):
    described = config(noise, output_fn=output_fn)
    task = make_task("quadratic_family", described)
    params = task.init(2)
    a = matrix(described["A_dist"], 6, 4711) + (drawn(NOISES[noise], 6, 8) if noise else 0)
    square = np.sum((a @ np.asarray(params["x"], float)) ** 2)
    expected = 0.37 * (square if output_fn == "identity" else math.log(square + 1e-8))
    np.testing.assert_allclose(task.loss(params, {}, 8), expected, rtol=1e-5)


@pytest.mark.parametrize("noise", [None, *NOISES])
def test_gradients_are_those_of_finite_differences(noise):
    task = task_of(noise, dims=7)
    x = task.init(2, tf.float64)["x"]
    loss, gradients = task.value_and_gradients({"x": x}, {}, 8)
    assert loss.dtype == tf.float64
    for i, unit in enumerate(np.eye(7)):
        up, down = (float(task.loss({"x": x + sign * 1e-5 * unit}, {}, 8)) for sign in (1, -1))
        np.testing.assert_allclose(gradients["x"][i], (up - down) / 2e-5, rtol=1e-6, atol=1e-6)


def test_second_derivatives_pass_through_the_noise():
    task, x = task_of("linspace_eigen", dims=4), tf.constant([0.3, -1.0, 2.0, 0.1], tf.float64)
    with tf.GradientTape(persistent=True) as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            loss = task.loss({"x": x}, {}, 8)
        slope = inner.gradient(loss, x)
    a = matrix(DISTRIBUTIONS["normal"], 4, 4711).astype(np.float32) + drawn(NOISES["linspace_eigen"], 4, 8)
    np.testing.assert_allclose(outer.jacobian(slope, x, experimental_use_pfor=False), 2 * 0.37 * a.T @ a, rtol=1e-5)


@pytest.mark.parametrize("noise", [None, *NOISES])
def test_eager_graph_and_compiled_agree(noise):
    task = task_of(noise, dims=37)
    params = task.init(0)
    loss, gradients = task.value_and_gradients(params, {}, 3)
    for jit in (False, True):
        run = tf.function(task.value_and_gradients, autograph=False, jit_compile=jit)
        other_loss, other = run(params, {}, stateless.as_key(3))
        np.testing.assert_allclose(other_loss, loss, rtol=1e-5)
        np.testing.assert_allclose(other["x"], gradients["x"], rtol=1e-5, atol=1e-5 * np.abs(gradients["x"]).max())


def test_starts():
    far = task_of(dims=3000, initial=("normal", {"mean": -4.0, "std": 0.2})).init(0)["x"].numpy()
    assert far.mean() == pytest.approx(-4, abs=0.02) and far.std() == pytest.approx(0.2, rel=0.1)
    box = task_of(dims=3000, initial=("uniform", {"min": 2.0, "max": 3.5})).init(0)["x"].numpy()
    assert 2 <= box.min() < 2.02 and 3.48 < box.max() < 3.5
    assert not np.array_equal(box, task_of(dims=3000, initial=("uniform", {"min": 2.0, "max": 3.5})).init(1)["x"])


# --- A --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, spectrum", [("linspace_eigen", np.linspace(2, 10, 40)), ("logspace_eigen", np.geomspace(1e-5, 50, 40))]
)
def test_fixed_matrix_has_its_spectrum(name, spectrum):
    a = matrix(DISTRIBUTIONS[name], 40, 5)
    np.testing.assert_allclose(a, a.T, atol=1e-12)
    np.testing.assert_allclose(np.linalg.eigvalsh(a), spectrum, rtol=1e-6, atol=1e-12)


def test_fixed_matrix_has_its_moments():
    normal, uniform = matrix(DISTRIBUTIONS["normal"], 300, 5), matrix(DISTRIBUTIONS["uniform"], 300, 5)
    assert normal.mean() == pytest.approx(0.3, abs=0.01) and normal.std() == pytest.approx(0.7, abs=0.01)
    assert -0.5 <= uniform.min() < -0.49 and 1.49 < uniform.max() < 1.5 and uniform.mean() == pytest.approx(0.5, abs=0.01)


def test_fixed_matrix_follows_the_seed():
    for distribution in DISTRIBUTIONS.values():
        np.testing.assert_array_equal(matrix(distribution, 9, 5), matrix(distribution, 9, 5))
        assert not np.array_equal(matrix(distribution, 9, 5), matrix(distribution, 9, 6))


# --- E --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 8, 33, 64, 65, 130])  # up to three blocks of reflections
@pytest.mark.parametrize("name", ["linspace_eigen", "logspace_eigen"])
def test_spectral_noise_is_symmetric_with_its_spectrum(name, n):
    noise = drawn(NOISES[name], n, 3)
    np.testing.assert_allclose(noise, noise.T, atol=1e-12)
    np.testing.assert_allclose(np.linalg.eigvalsh(noise), matrix_noise.spectrum(*NOISES[name], n), rtol=1e-9, atol=1e-12)


def _applied(mirrors, vector):
    """H_1 H_2 .. vector, the last reflection first."""
    for mirror in mirrors[::-1]:
        vector = vector - 2 * mirror * (mirror @ vector)
    return vector


@pytest.mark.parametrize("n", [5, 64, 65, 130])
def test_blocks_of_reflections_are_their_product(n):
    mirrors = matrix_noise._mirrors(stateless.as_key(3), n, tf.float64)
    np.testing.assert_allclose(np.sum(mirrors**2, axis=1), np.ones(n))
    x = np.cos(np.arange(n))
    result = tf.constant(x)
    for block in reversed(matrix_noise._blocks(mirrors)):
        result = matrix_noise._reflected(result, *block, transpose=False)
    np.testing.assert_allclose(result, _applied(mirrors.numpy(), x), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 7, 24])
def test_small_noise_is_the_decomposition_of_a_uniform_matrix(n):
    """Against NumPy's QR of the very entries."""
    key = stateless.as_key(3)
    entries = 2 * stateless.uniform(key, [n, n]).numpy().astype(float) - 1 + 2.0**-24
    assert entries.min() > -1 and entries.max() < 1 and np.all(entries)
    q = np.linalg.qr(entries)[0]
    eigenvalues = np.linspace(0.5, 3.0, n)
    apply = matrix_noise.spectral(tf.zeros([n, n], tf.float64), key, eigenvalues)
    x = np.cos(np.arange(n))
    np.testing.assert_allclose(apply(tf.constant(x)), q @ (eigenvalues * (q.T @ x)), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("noise", NOISES)
def test_compiled_noise_is_the_same(noise):
    """130 x 130 entries: enough for the ways that large draws take under XLA for a CPU."""

    def applied(key):
        return matrix_noise.perturbed(tf.zeros([130, 130]), NOISES[noise], key)(tf.cos(tf.range(130.0)))

    key = stateless.as_key(5)
    with stateless.for_xla_cpu():
        compiled = tf.function(applied, autograph=False, jit_compile=True)(key)
    np.testing.assert_allclose(compiled, applied(key), rtol=1e-4, atol=1e-4)


def test_dense_noise_has_its_moments():
    normal, uniform = drawn(NOISES["normal"], 200, 3), drawn(NOISES["uniform"], 200, 3)
    standard = (normal - 0.05) / 0.2
    assert abs(standard.mean()) < 0.02 and standard.std() == pytest.approx(1, abs=0.015)
    assert np.mean(standard**4) == pytest.approx(3, abs=0.15) and 3.5 < np.abs(standard).max() < 5.5
    assert -0.1 <= uniform.min() < -0.099 and 0.399 < uniform.max() < 0.4 and uniform.mean() == pytest.approx(0.15, abs=0.003)


@pytest.mark.parametrize("noise", NOISES)
def test_every_evaluation_draws_again(noise):
    task = task_of(noise)
    params = task.init(0)
    losses = [float(task.loss(params, {}, key)) for key in range(20)]
    assert len(set(losses)) == 20 and losses[3] == float(task.loss(params, {}, 3))


def _many(noise, x, r, draws):
    """(E x, E r) of many keys, [draws, 2, n]."""
    n = len(x)

    def one(key):
        apply = matrix_noise.perturbed(tf.zeros([n, n]), noise, stateless.as_key(key))
        return tf.stack([apply(tf.constant(x, tf.float32)), apply(tf.constant(r, tf.float32))])

    run = tf.function(lambda keys: tf.map_fn(one, keys, fn_output_signature=tf.float32), autograph=False, jit_compile=True)
    return run(tf.range(draws)).numpy()


def _many_by_qr(spectrum, x, r, draws, entries):
    """The same by NumPy; entries(rng, shape): what is decomposed."""
    n = len(x)
    q = np.linalg.qr(entries(np.random.default_rng(0), (draws, n, n)))[0]
    e = (q * spectrum) @ np.swapaxes(q, 1, 2)
    return np.stack([e @ x, e @ r], axis=1)


def uniform_entries(rng, shape):
    return rng.uniform(-1, 1, shape)


def entries_with_a_mean(rng, shape):
    return rng.uniform(0, 1, shape)


def normal_entries(rng, shape):
    """Their rotations are uniform over all (Haar)."""
    return rng.normal(size=shape)


def _distance(ours, theirs):
    """The largest difference of the first four moments (joint ones of second order) of two samples, in standard errors."""
    scale, draws = theirs.std(0), len(ours)

    def products(v):
        return np.einsum("di,dj->dij", v, v).reshape(draws, -1)

    worst = 0.0
    for moment in (lambda v: v, products, lambda v: v**3, lambda v: v**4):
        a, b = moment(ours / scale), moment(theirs / scale)
        error = np.sqrt((a.var(0) + b.var(0)) / draws) + 1e-5
        worst = max(worst, np.max(np.abs(a.mean(0) - b.mean(0)) / error))
    return worst


# Eigenvalues 1 .. 5, a million decompositions by NumPy of U(-1, 1): (dims, stddev of |E e_1|^2, mean and stddev of 1^T E 1 / n).
# Haar rotations differ in the first number (4.62 and 8.48), a decomposition of U(0, 1) in the others (1.39, .20 and 1.62, .60).
PUBLISHED = [(5, 4.017, 3.001, 0.797), (2, 7.860, 3.000, 1.511)]


@pytest.mark.parametrize("n, spread, mean, along", PUBLISHED)
def test_spectral_noise_has_the_published_moments(n, spread, mean, along):
    unit, ones = np.eye(n)[0], np.ones(n) / math.sqrt(n)
    first, second = np.moveaxis(_many(["linspace_eigen", {"min": 1.0, "max": 5.0}], unit, ones, 40000).astype(float), 1, 0)
    assert np.std(np.sum(first**2, axis=1)) == pytest.approx(spread, rel=0.02)
    assert np.mean(second @ ones) == pytest.approx(mean, abs=0.03) and np.std(second @ ones) == pytest.approx(along, rel=0.02)


@pytest.mark.long
@pytest.mark.parametrize("n", [2, 5, 18])
@pytest.mark.parametrize("name", ["linspace_eigen", "logspace_eigen"])
def test_small_noise_has_the_law_of_the_published_decomposition(name, n):
    x, r = np.linspace(-1, 2, n), np.cos(3.0 * np.arange(n))
    ours = _many(NOISES[name], x, r, 10000).reshape(10000, -1)
    theirs = _many_by_qr(matrix_noise.spectrum(*NOISES[name], n), x, r, 10000, uniform_entries).reshape(10000, -1)
    assert _distance(ours, theirs) < 5


@pytest.mark.parametrize("n", [2, 5, 18])
def test_large_noise_has_the_law_of_uniform_rotations(n, monkeypatch):
    """Its law is exact at any size."""
    monkeypatch.setattr(matrix_noise, "EXACT_DIMS", 0)
    x, r, spectrum = np.linspace(-1, 2, n), np.cos(3.0 * np.arange(n)), np.linspace(0.5, 3.0, n)
    ours = _many(["linspace_eigen", {"min": 0.5, "max": 3.0}], x, r, 10000).reshape(10000, -1)
    theirs = _many_by_qr(spectrum, x, r, 10000, normal_entries).reshape(10000, -1)
    assert _distance(ours, theirs) < 5


def test_beyond_the_decomposition_spread_out_vectors_tell_no_difference():
    """At 40 dims: the law of uniform rotations and that of the published decomposition, on vectors whose entries are alike."""
    n = 40
    x, r = np.cos(np.arange(n)), np.ones(n)
    ours = _many(NOISES["linspace_eigen"], x, r, 4000)
    theirs = _many_by_qr(np.linspace(0.5, 3.0, n), x, r, 4000, uniform_entries)
    along = [np.einsum("dvi,vi->dv", each, np.stack([x, r])) for each in (ours, theirs)]
    assert _distance(*along) < 5


@pytest.mark.parametrize(
    "wrong, x", [(normal_entries, np.eye(5)[0]), (entries_with_a_mean, np.linspace(-1, 2, 5))], ids=["Haar", "with a mean"]
)
def test_that_comparison_tells_a_wrong_law(wrong, x):
    draws, spectrum = 20000, np.linspace(0.5, 3.0, 5)
    others = _many_by_qr(spectrum, x, x, draws, wrong)[:, 0]
    assert _distance(others, _many_by_qr(spectrum, x, x, draws, uniform_entries)[:, 0]) > 8


# --- published tasks ------------------------------------------------------------------------------------------------------------


def _by_size():
    """Large ones take seconds each: the QR decomposition of A, and thousands of reflections."""
    dims = {name: entry[0]["dims"] for name, entry in GOLDEN.items()}
    return [pytest.param(name, marks=pytest.mark.slow if n > 1000 else ()) for name, n in dims.items()]


@pytest.mark.parametrize("name", _by_size())
def test_published_problems_start_finite(name):
    family, described = catalogue.resolve(name)
    task = make_task(family, described)
    assert task.parameter_shapes == catalogue.facts(family, described).parameter_shapes == {"x": (described["dims"],)}
    assert task.source == "none" and next(task.batches("test", 0)) == {}
    loss, gradients = task.value_and_gradients(task.init(0), {}, 0)
    assert loss.dtype == tf.float32 and np.isfinite(loss) and np.isfinite(gradients["x"]).all()
