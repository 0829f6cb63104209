"""tools/weights/anchored_muon_drawn.py: the rule that is wanted, and the controller that is fitted to it."""

import numpy as np
import pytest
import tensorflow as tf

from learned.optimizers import anchored_muon, tensorwise
from taskset.optimizers import get_optimizer
from tools.weights import anchored_muon_drawn

RULE = anchored_muon.anchored_muon()
SHAPES = {"a/w": (6, 4), "a/b": (4,), "z/w": (4, 9)}


def weights(seed=0, shares=0.0):
    """theta with a controller that does something; shares: added to the output that says how much of a step is orthogonal."""
    rng = np.random.default_rng(seed)
    theta = {path: np.asarray(w) for path, w in RULE.init_theta(0).items()}
    theta["controller/linear_1/w"] = rng.normal(0, 0.1, (tensorwise.HIDDEN, 3)).astype(np.float32)
    theta["controller/linear_1/b"] = np.array([0, 0, shares], np.float32)
    theta |= {"power": np.float32(0.2), "length": np.float32(-0.1)}
    return theta


def run(update, state, steps, horizon):
    """params of two matrices and a bias after steps with gradients that are drawn."""
    rng = np.random.default_rng(1)
    params = {path: tf.constant(rng.normal(0, 0.3, shape), tf.float32) for path, shape in SHAPES.items()}
    state = state(params)
    for step in range(steps):
        grads = {path: tf.constant(rng.normal(0, 1, shape), tf.float32) for path, shape in SHAPES.items()}
        params, state = update(grads, state, params, tf.constant(step), tf.constant(1.0), tf.constant(float(horizon)))
    return params


def of_rule(theta):
    return lambda grads, state, params, step, loss, horizon: RULE.update(
        theta, grads, state, params, step, loss, loss, horizon=horizon
    )


def test_at_the_start_of_a_run_it_is_the_checkpoint():
    theta = weights()
    wanted = run(of_rule(theta), lambda params: RULE.init(None, params), 3, 10**7)
    found = run(anchored_muon_drawn.drawn(theta, ramp=1.0), lambda params: RULE.init(None, params), 3, 10**7)
    for path, w in wanted.items():
        np.testing.assert_allclose(found[path], w, rtol=1e-4, atol=1e-6)


def test_after_the_ramp_a_step_is_that_of_relative_muon():
    by_hand = get_optimizer("relative_muon")
    theta = weights(shares=10.0)  # the whole step is orthogonal, as by hand
    params = {path: tf.random.stateless_normal(shape, [0, 1]) for path, shape in SHAPES.items()}
    grads = {path: tf.random.stateless_normal(shape, [2, 3]) for path, shape in SHAPES.items()}
    for step in (2, 5, 7):
        wanted = by_hand.update(grads, by_hand.init(params), params, tf.constant(step), by_hand.hparams(8))[0]
        update = anchored_muon_drawn.drawn(theta, ramp=0.25)
        given = grads, RULE.init(None, params), params, tf.constant(step), tf.constant(1.0), tf.constant(8.0)
        found = update(*given)[0]
        for path, w in params.items():
            np.testing.assert_allclose(found[path] - w, wanted[path] - w, rtol=2e-3, atol=1e-5)


def test_what_is_seen_makes_the_same_step():
    theta, seen = weights(), []
    update = anchored_muon_drawn.drawn(theta, 0.5, lambda read, outputs: seen.append(outputs))
    params = {path: tf.random.stateless_normal(shape, [0, 1]) for path, shape in SHAPES.items()}
    grads = {path: tf.random.stateless_normal(shape, [2, 3]) for path, shape in SHAPES.items()}
    state = RULE.init(None, params)
    arguments = grads, state, params, tf.constant(30), tf.constant(1.0), tf.constant(100.0)
    moved = update(*arguments)[0]
    observed = anchored_muon.observed(*arguments)
    rates, shares = anchored_muon.rates_and_shares(theta, tf.unstack(seen[0]), observed, tf.constant(100.0))
    for path, w in anchored_muon.moved(params, observed, rates, shares).items():
        np.testing.assert_allclose(moved[path], w, rtol=1e-5, atol=1e-7)


def test_the_size_is_where_the_tool_looks_for_it():
    params = {path: tf.random.stateless_normal(shape, [0, 1]) for path, shape in SHAPES.items()}
    seen = anchored_muon.observed(params, RULE.init(None, params), params, tf.constant(0), tf.constant(1.0), tf.constant(200.0))
    found = anchored_muon_drawn.logarithms(np.asarray(seen.read).T, np.full(3, 200))
    np.testing.assert_allclose(found, np.stack([np.log(seen.s_square) / 2, np.full(3, np.log(0.1))], 1), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("exponents", [(0.2, -0.1), (0.4, 0.1)])
def test_the_fit_finds_another_controller(exponents):
    rng = np.random.default_rng(0)
    read = rng.normal(0, 1, (4000, tensorwise.READ + 1)).astype(np.float32)
    lengths = rng.choice([100, 2000], 4000)
    target = weights(1) | dict(zip(("power", "length"), map(np.float32, exponents)))
    start, said = weights(0), []
    outputs = np.stack(tensorwise.controller(target, tf.constant(read.T)), 1)
    change = [[target[path] - start[path]] for path in ("power", "length")]
    outputs[:, :1] += anchored_muon_drawn.logarithms(read, lengths) @ np.array(change)
    found = anchored_muon_drawn.fitted(start, read, outputs, lengths, np.ones(4000), steps=1500, say=said.append)
    assert [found["power"], found["length"]] == pytest.approx(exponents, abs=0.02)
    before = np.abs(np.stack(tensorwise.controller(start, tf.constant(read.T)), 1) - outputs).mean(axis=0)
    errors = [float(x) for x in said[0].rpartition(": ")[2].split(", ")]
    assert all(error < 0.5 * old for error, old in zip(errors, before))


def test_a_checkpoint_to_ship_knows_the_tasks_of_all_trainings(tmp_path, monkeypatch):
    from learned.deploy import pretrained
    from learned.deploy.weights import load_weights
    from tools.weights import shipped_checkpoint

    out, before = tmp_path / "shipped.npz", ("anchored_controller", "anchored_pes")
    command = ["shipped_checkpoint", "anchored_wide", "--before", *before, "--about", "after much", "--out", str(out)]
    monkeypatch.setattr("sys.argv", command)
    shipped_checkpoint.main()
    found, last = load_weights(out), load_weights("anchored_wide")
    assert set(found.trained_on) == set(last.trained_on) | set(load_weights("anchored_pes").trained_on)
    assert all(np.array_equal(w, last.theta[path]) for path, w in found.theta.items())
    assert out.stat().st_size < pretrained.find("anchored_wide").stat().st_size


def test_a_checkpoint_to_ship_may_be_an_average():
    from tools.weights import shipped_checkpoint

    theta, other = {"w": np.float32([1, 2])}, {"w": np.float32([5, -2])}
    found = shipped_checkpoint.averaged(theta, other, 0.75)
    np.testing.assert_array_equal(found["w"], np.float32([2, 1]))


def test_averages_are_of_one_learned_optimizer(tmp_path, monkeypatch, capsys):
    from tools.weights import shipped_checkpoint

    command = ["shipped_checkpoint", "muon_wide", "--before", "anchored_wide", "--about", "x", "--out", str(tmp_path / "x.npz")]
    monkeypatch.setattr("sys.argv", [*command, "--share", ".5"])
    with pytest.raises(SystemExit):
        shipped_checkpoint.main()
    assert "an average of anchored_muon and anchored" in capsys.readouterr().err
