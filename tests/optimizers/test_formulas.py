"""The hand-designed optimizers against their formulas in plain NumPy and double precision."""

import math

import numpy as np
import pytest
import tensorflow as tf

from taskset import optimizers
from taskset.optimizers.nadamw import schedule
from tests.optimizers.problem import DTYPES, RTOL, STEPS, Problem, distance, run


def one_minus_power(b, t):
    """1 - b^t as a geometric series, which does not cancel."""
    return (1 - b) * sum(b**i for i in range(t))


def twin_schedule(k, lr, T, warmup_fraction, constant_fraction, min_learning_rate_mult):
    k = min(k, T)
    warmup, c, low = min(warmup_fraction, constant_fraction) * T, constant_fraction * T, min_learning_rate_mult * lr
    if k < warmup:
        return k / warmup * lr
    if k <= c:
        return lr
    return (lr - low) * (math.cos(math.pi * (k - c) / (T - c)) / 2 + 0.5) + low


def twin_adam_decays(w, g, m, v, t, T, lr, b1, b2, eps, l1, l2, linear, exponential, scaled):
    s = (t - 1) * 10000 / T if scaled else t - 1
    g = g + 2 * l2 * w + l1 * np.sign(w)
    m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
    mh, vh = m / one_minus_power(b1, t), v / one_minus_power(b2, t)
    return w - lr * max(1 - linear * s, 0) * math.exp(-exponential * s) * mh / (np.sqrt(vh + 1e-10) + eps), m, v


def twin_nadamw(w, g, m, v, t, T, lr, b1, b2, eps, adamw, l2, fractions, corrected, nesterov):
    g = g + l2 * w if corrected else g - l2 * w
    m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
    rate = twin_schedule(t - 1, lr, T, *fractions) * math.sqrt(one_minus_power(b2, t)) / one_minus_power(b1, t)
    n = b1 * m + (1 - b1) * g if corrected and nesterov else m
    return w - rate * (n / (np.sqrt(v) + eps) + adamw * w), m, v


def run_twin(formula, problem, horizon, **hparams):
    params = dict(problem.start)
    m, v = ({p: np.zeros_like(w) for p, w in params.items()} for _ in range(2))
    for step in range(STEPS):
        gradients = problem.gradients(params, step)
        for p, g in gradients.items():
            params[p], m[p], v[p] = formula(params[p], g, m[p], v[p], step + 1, horizon, **hparams)
    return params


# learning rate, beta1, beta2, epsilon, and the size of the gradients: 1e-5 is where the 1e-10 under the root matters
ADAMS = [
    (0.07, 0.9, 0.999, 1e-8, 1.0),
    (0.07, 0.0, 1 - 1e-6, 1e-10, 1.0),
    (70.0, 0.5, 0.2, 1e3, 1.0),
    (0.07, 1 - 1e-4, 0.99, 1e-10, 1e-5),
]
DECAYS = [(0.0, 0.0), (0.02, 0.05), (0.08, 0.01)]  # the last stops within 20 steps


@DTYPES
@pytest.mark.parametrize("adam", ADAMS)
@pytest.mark.parametrize("linear, exponential", DECAYS)
def test_adam6p_agrees_with_its_formula(adam, linear, exponential, dtype):
    *moments, size = adam
    lr, b1, b2, eps = moments
    scale = 40 / 10000  # a horizon of 40 steps: the decays as of 10000
    ours = optimizers.adam6p(lr, b1, b2, eps, linear * scale, exponential * scale)
    expected = run_twin(
        twin_adam_decays,
        Problem(size),
        40,
        lr=lr,
        b1=b1,
        b2=b2,
        eps=eps,
        l1=0,
        l2=0,
        linear=linear * scale,
        exponential=exponential * scale,
        scaled=True,
    )
    assert distance(run(ours, Problem(size), dtype, horizon=40), expected) < RTOL[dtype]


@DTYPES
@pytest.mark.parametrize("adam", ADAMS)
@pytest.mark.parametrize("linear, exponential", DECAYS)
@pytest.mark.parametrize("l1, l2", [(0.3, 0.0), (0.0, 0.2), (0.1, 0.05)])
def test_adam8p_agrees_with_its_formula(adam, linear, exponential, l1, l2, dtype):
    *moments, size = adam
    lr, b1, b2, eps = moments
    l1, l2 = l1 * size, l2 * size
    ours = optimizers.adam8p(lr, b1, b2, eps, l1, l2, linear, exponential)
    expected = run_twin(
        twin_adam_decays,
        Problem(size),
        40,
        lr=lr,
        b1=b1,
        b2=b2,
        eps=eps,
        l1=l1,
        l2=l2,
        linear=linear,
        exponential=exponential,
        scaled=False,
    )
    assert distance(run(ours, Problem(size), dtype, horizon=40), expected) < RTOL[dtype]


# (warm-up, constant, lowest) with horizons shorter and longer than the 20 steps
FRACTIONS = [
    (0.0, 1.0, 0.5),
    (0.0, 0.0, 0.0),
    (0.0, 0.0, 0.1),
    (0.3, 0.6, 0.0),
    (0.6, 0.2, 0.01),
    (0.01, 0.5, 0.2),
    (1.0, 1.0, 0.0),
    (0.1, 0.95, 0.3),
]


@DTYPES
@pytest.mark.parametrize("fractions", FRACTIONS)
@pytest.mark.parametrize("horizon", [7, 20, 33])
def test_schedule_agrees_with_its_formula(fractions, horizon, dtype):
    optimizer = optimizers.nadamw_published(
        0.3, warmup_fraction=fractions[0], constant_fraction=fractions[1], min_learning_rate_mult=fractions[2]
    )
    names = ("learning_rate", "min_learning_rate_mult", "horizon", "warmup_steps", "decay_steps")
    h = {k: tf.constant(v, dtype) for k, v in optimizer.hparams(horizon).items() if k in names}
    steps = [0, 1, 2, 3, 5, 6, 7, 8, 19, 20, 21, 32, 33, 34, 1000]
    ours = np.array([schedule(tf.constant(k, dtype), **h).numpy() for k in steps])
    expected = np.array([twin_schedule(k, 0.3, horizon, *fractions) for k in steps])
    np.testing.assert_allclose(ours, expected, rtol=0, atol=0.3 * RTOL[dtype] / 8)
    assert np.all(np.isfinite(ours))


def test_the_warm_up_takes_the_lesser_of_both_fractions():
    h = optimizers.nadamw_published(1.0, warmup_fraction=0.6, constant_fraction=0.2).hparams(100)
    assert h["warmup_steps"] == pytest.approx(20)


@DTYPES
@pytest.mark.parametrize("which", ["published", "corrected", "corrected_nesterov"])
@pytest.mark.parametrize("adam", ADAMS[:3])
@pytest.mark.parametrize("adamw, l2", [(0.1, 0.0), (0.0, 0.2), (0.05, 0.1)])
@pytest.mark.parametrize("fractions, horizon", [(FRACTIONS[3], 12), (FRACTIONS[4], 33)])
def test_nadamw_agrees_with_its_formula(which, adam, adamw, l2, fractions, horizon, dtype):
    lr, b1, b2, eps, size = adam
    adamw = adamw * min(1, 1 / lr)  # rate times decay below 1, also for the large rate: the decay is not to overshoot
    shared = dict(zip(("warmup_fraction", "constant_fraction", "min_learning_rate_mult"), fractions))
    shared.update(learning_rate=lr, beta1=b1, beta2=b2, epsilon=eps, adamw_weight_decay=adamw, l2_weight_decay=l2)
    nesterov = which == "corrected_nesterov"
    corrected = which != "published"
    ours = optimizers.nadamw_corrected(use_nesterov=nesterov, **shared) if corrected else optimizers.nadamw_published(**shared)
    expected = run_twin(
        twin_nadamw,
        Problem(size),
        horizon,
        lr=lr,
        b1=b1,
        b2=b2,
        eps=eps,
        adamw=adamw,
        l2=l2,
        fractions=fractions,
        corrected=corrected,
        nesterov=nesterov,
    )
    assert distance(run(ours, Problem(size), dtype, horizon=horizon), expected) < RTOL[dtype]


def test_the_published_l2_pushes_away_from_zero_and_the_corrected_one_towards_it():
    params = {"x": tf.constant([2.0, -3.0])}
    for optimizer, direction in (
        (optimizers.nadamw_published(0.1, l2_weight_decay=0.1), 1),
        (optimizers.nadamw_corrected(0.1, l2_weight_decay=0.1, use_nesterov=False), -1),
    ):
        new, _ = optimizer.update({"x": tf.zeros(2)}, optimizer.init(params), params, 0, optimizer.hparams(10))
        assert np.all(np.sign(np.abs(new["x"]) - np.abs(params["x"])) == direction)


def test_adam6p_follows_the_horizon_and_adam8p_does_not():
    both = optimizers.adam6p(0.1, exponential_decay=1e-3), optimizers.adam8p(0.1, exponential_decay=1e-3)
    short, long = ({o.rule: run(o, Problem(), horizon=horizon) for o in both} for horizon in (50, 500))
    assert distance(short["adam6p"], long["adam6p"]) > 0.01
    assert distance(short["adam8p"], long["adam8p"]) == 0


@pytest.mark.parametrize("t", [1, 2, 1000, 10**6])
@pytest.mark.parametrize("beta1, beta2", [(0.0, 0.0), (0.9, 0.999), (1 - 1e-4, 1 - 1e-6)])
def test_bias_corrections_keep_float32_precision_for_betas_near_one(t, beta1, beta2):
    optimizer, w, m, v, g = optimizers.adam(1.0, beta1, beta2), 0.5, 0.25, 0.75, 2.0
    state = {"m": {"x": tf.constant(m)}, "v": {"x": tf.constant(v)}}
    hparams = {k: tf.constant(h, tf.float32) for k, h in optimizer.hparams(10).items()}
    new, _ = optimizer.update({"x": tf.constant(g)}, state, {"x": tf.constant(w)}, t - 1, hparams)
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    weight1, weight2 = (-math.expm1(t * math.log(b)) if b else 1.0 for b in (beta1, beta2))
    expected = w - math.sqrt(weight2) / weight1 * m / (math.sqrt(v) + 1e-8)
    assert abs(new["x"].numpy() - expected) < 6e-7 * max(abs(w), abs(expected - w))


def test_averages_weigh_the_new_value_rightly_for_betas_near_one():
    # 1 - beta in float32 is 1.013e-6 for beta = 1 - 1e-6: the new value would get 1.3 per cent too much weight.
    h = optimizers.adam(0.0, beta2=1 - 1e-6).hparams(10)
    _, state = optimizers.adam(0.0).update(
        {"x": tf.constant(1.0)},
        {"m": {"x": tf.constant(0.0)}, "v": {"x": tf.constant(0.0)}},
        {"x": tf.constant(1.0)},
        0,
        {k: tf.constant(x, tf.float32) for k, x in h.items()},
    )
    assert state["v"]["x"].numpy() == pytest.approx(1e-6, rel=1e-6)
