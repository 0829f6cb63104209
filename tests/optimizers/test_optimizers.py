"""The hand-designed optimizers against Keras, Sonnet and plain NumPy, in double and single precision."""

import doctest
import math

import keras
import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf

import taskset
from taskset import optimizers
from taskset.errors import ConfigError, UnknownName
from taskset.execution.loop import train
from taskset.optimizers import base
from taskset.optimizers.nadamw import schedule
from taskset.random import seeds
from taskset.samplers.optimizers import fixed_optimizers, optimizer_families

STEPS = 20
SHAPES = {"linear/w": (3, 4), "linear/b": (4,), "scale": ()}
RTOL = {tf.float32: 4e-6, tf.float64: 1e-12}
DTYPES = pytest.mark.parametrize("dtype", [tf.float32, tf.float64], ids=lambda dtype: dtype.name)


class Problem:
    """A noisy quadratic: gradient = size * (curvature * (w - target) + noise of the step)."""

    def __init__(self, size=1.0, shapes=None):
        rng = np.random.default_rng(7)
        self.size, shapes = size, shapes or SHAPES
        # Numbers of few bits are the same in both precisions, so that both start from the same problem.
        draw = lambda shape: np.round(rng.normal(size=shape), 1).astype(np.float32).astype(np.float64)  # noqa: E731
        self.start, self.target, self.curvature = ({p: draw(s) for p, s in shapes.items()} for _ in range(3))
        self.noise = [{p: draw(s) for p, s in shapes.items()} for _ in range(STEPS)]

    def gradients(self, params, step):
        return {p: self.size * (abs(self.curvature[p]) * (w - self.target[p]) + self.noise[step][p]) for p, w in params.items()}


_GRAPHS = {}


def graph(optimizer):
    """The update as a graph, made once for all optimizers of a rule."""
    return _GRAPHS.setdefault(optimizer.rule, tf.function(optimizer.update, autograph=False))


def run(optimizer, problem, dtype=tf.float64, steps=STEPS, horizon=STEPS, wrap=graph):
    """The parameters after `steps` steps of the update that `wrap(optimizer)` gives, as NumPy arrays."""
    hparams = {k: tf.constant(v, dtype) for k, v in optimizer.hparams(horizon).items()}
    params = {p: tf.constant(w, dtype) for p, w in problem.start.items()}
    state, update = optimizer.init(params), wrap(optimizer)
    for step in range(steps):
        params, state = update(problem.gradients(params, step), state, params, tf.constant(step), hparams)
    return {p: w.numpy() for p, w in params.items()}


def distance(a, b):
    """The largest difference, relative to the largest number of each parameter."""
    return max(np.max(np.abs(a[p] - b[p])) / np.max(np.abs(b[p])) for p in b)


def run_library(apply, problem, variable):
    """`apply(gradients, variables)`, an optimizer of another library, in double precision."""
    variables = {p: variable(w) for p, w in problem.start.items()}
    for step in range(STEPS):
        gradients = problem.gradients({p: tf.convert_to_tensor(v) for p, v in variables.items()}, step)
        apply([gradients[p] for p in variables], list(variables.values()))
    return {p: np.array(v) for p, v in variables.items()}


def run_keras(optimizer, problem):
    return run_library(optimizer.apply, problem, lambda w: keras.Variable(w, dtype="float64"))


def run_sonnet(optimizer, problem):
    return run_library(optimizer.apply, problem, lambda w: tf.Variable(w, dtype=tf.float64))


# ---- against other libraries. They take Python numbers through float32: the ones here are the same in all precisions.

KO, SO = keras.optimizers, snt.optimizers
B2, E8, E10 = 1 - 2**-10, 2**-27, 2**-33
KERAS = {
    "sgd": (optimizers.sgd(0.125), lambda: KO.SGD(0.125)),
    "momentum": (optimizers.momentum(0.0625, 0.75), lambda: KO.SGD(0.0625, momentum=0.75)),
    "nesterov": (optimizers.nesterov(0.0625, 0.75), lambda: KO.SGD(0.0625, momentum=0.75, nesterov=True)),
    "rmsprop": (optimizers.rmsprop(0.125, 0.75, E10), lambda: KO.RMSprop(0.125, rho=0.75, epsilon=E10)),
    "rmsprop_large_epsilon": (optimizers.rmsprop(8.0, 0.75, 1024), lambda: KO.RMSprop(8.0, rho=0.75, epsilon=1024)),
    "adam": (optimizers.adam(0.125, 0.875, B2, E8), lambda: KO.Adam(0.125, 0.875, B2, E8)),
    "adam_betas": (optimizers.adam(0.125, 0.25, 0.75, 0.125), lambda: KO.Adam(0.125, 0.25, 0.75, 0.125)),
    "adam_large_epsilon": (optimizers.adam(4096.0, 0.875, B2, 1024), lambda: KO.Adam(4096.0, 0.875, B2, 1024)),
    "adam_beta_zero": (optimizers.adam(0.125, 0.0, 0.0, 0.125), lambda: KO.Adam(0.125, 0.0, 0.0, 0.125)),
    "adagrad": (optimizers.adagrad(0.25, 0.125), lambda: KO.Adagrad(0.25, 0.125, epsilon=0.0)),
    "adagrad_start": (optimizers.adagrad(8.0, 1024), lambda: KO.Adagrad(8.0, 1024, epsilon=0.0)),
}
SONNET = {
    "sgd": (optimizers.sgd(0.125), lambda: SO.SGD(0.125)),
    "momentum": (optimizers.momentum(0.0625, 0.75), lambda: SO.Momentum(0.0625, 0.75)),
    "nesterov": (optimizers.nesterov(0.0625, 0.75), lambda: SO.Momentum(0.0625, 0.75, use_nesterov=True)),
    "rmsprop": (optimizers.rmsprop(0.125, 0.75, E8), lambda: SO.RMSProp(0.125, decay=0.75, epsilon=E8)),
}


@DTYPES
@pytest.mark.parametrize("case", KERAS)
def test_agrees_with_keras(case, dtype):
    ours, theirs = KERAS[case]
    assert distance(run(ours, Problem(), dtype), run_keras(theirs(), Problem())) < RTOL[dtype]


@DTYPES
@pytest.mark.parametrize("case", SONNET)
def test_agrees_with_sonnet(case, dtype):
    ours, theirs = SONNET[case]
    assert distance(run(ours, Problem(), dtype), run_sonnet(theirs(), Problem())) < RTOL[dtype]


def test_the_place_of_epsilon_makes_a_difference():
    # Sonnet has algorithm 1 of the paper, as adam6p has it (1e-10 aside); adam has the other form.
    theirs = run_sonnet(SO.Adam(128.0, 0.875, B2, 1024), Problem())
    assert distance(run(optimizers.adam6p(128.0, 0.875, B2, 1024), Problem()), theirs) < 1e-9
    assert distance(run(optimizers.adam(128.0, 0.875, B2, 1024), Problem()), theirs) > 0.1


def test_nesterov_momentum_and_sgd_differ():
    ends = [run(o, Problem()) for o in (optimizers.sgd(0.05), optimizers.momentum(0.05, 0.8), optimizers.nesterov(0.05, 0.8))]
    assert min(distance(ends[0], ends[1]), distance(ends[1], ends[2]), distance(ends[0], ends[2])) > 0.01


# ---- against the formulas, in plain NumPy and double precision


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


# ---- one program for many runs

ALL = {o.rule: o for o in (
    optimizers.sgd(0.05), optimizers.momentum(0.05), optimizers.nesterov(0.05), optimizers.rmsprop(0.05),
    optimizers.adagrad(0.05), optimizers.adam(0.05), optimizers.adam6p(0.05, linear_decay=1e-4, exponential_decay=1e-4),
    optimizers.adam8p(0.05, l1=0.01, l2=0.01, linear_decay=1e-2, exponential_decay=1e-2),
    optimizers.nadamw_published(0.05, 0.9, 0.99, 1e-3, 0.01, 0.02, 0.3, 0.1, 0.6),
    optimizers.nadamw_corrected(0.05, 0.9, 0.99, 1e-3, 0.01, 0.02, True, 0.3, 0.1, 0.6),
    optimizers.lion(0.05, 0.8, 0.95, 0.01), optimizers.schedule_free_adamw(0.05, 0.8, 0.99, 1e-3, 0.01, 0.2),
)}  # fmt: skip
EVERY = pytest.mark.parametrize("rule", ALL)


@EVERY
def test_eager_graph_and_compiled_code_agree(rule):
    eager = run(ALL[rule], Problem(), tf.float32, wrap=lambda o: o.update)
    in_graph = run(ALL[rule], Problem(), tf.float32)
    compiled = run(ALL[rule], Problem(), tf.float32, wrap=lambda o: tf.function(o.update, autograph=False, jit_compile=True))
    assert distance(in_graph, eager) < RTOL[tf.float32]
    assert distance(compiled, eager) < RTOL[tf.float32]


@EVERY
def test_one_compiled_loop_serves_all_hyperparameters(rule):
    optimizer, problem = ALL[rule], Problem()
    noise = {p: tf.constant(np.stack([n[p] for n in problem.noise]), tf.float32) for p in problem.start}

    @tf.function(autograph=False, jit_compile=True)
    def train(params, hparams):
        def body(step, params, state):
            gradients = {p: abs(problem.curvature[p]) * (w - problem.target[p]) + noise[p][step] for p, w in params.items()}
            return (step + 1, *optimizer.update(gradients, state, params, step, hparams))

        return tf.while_loop(lambda step, *_: step < STEPS, body, (tf.constant(0), params, optimizer.init(params)))[1]

    start = {p: tf.constant(w, tf.float32) for p, w in problem.start.items()}
    ends = []
    for learning_rate in (0.02, 0.1):
        other = base.Elementwise(
            "other",
            rule,
            optimizer.formula,
            optimizer.slots,
            {**optimizer.settings, "learning_rate": learning_rate},
            optimizer.translate,
        )
        hparams = {k: tf.constant(v, tf.float32) for k, v in other.hparams(STEPS).items()}
        ends.append({p: w.numpy() for p, w in train(start, hparams).items()})
        assert distance(ends[-1], run(other, problem, tf.float32)) < RTOL[tf.float32]
    assert distance(*ends) > 0.01
    assert train.experimental_get_tracing_count() == 1


@EVERY
def test_runs_side_by_side_equal_runs_alone(rule):
    optimizer, problem, rates = ALL[rule], Problem(), [0.02, 0.1, 0.5]
    stacked = {k: tf.constant([v] * 3, tf.float32) for k, v in optimizer.hparams(STEPS).items()}
    stacked["learning_rate"] = tf.constant(rates)
    params = {p: tf.constant(np.stack([w, w + 1, -w]), tf.float32) for p, w in problem.start.items()}
    grads = problem.gradients(params, 0)
    state = optimizer.init(params)
    for step in range(3):  # state other than zero
        before, before_state = params, state
        params, state = optimizer.update(grads, before_state, before, step, stacked)
    by_map = tf.vectorized_map(lambda x: optimizer.update(x[0], x[1], x[2], 2, x[3])[0], (grads, before_state, before, stacked))
    for i in range(3):
        pick = lambda tree: tf.nest.map_structure(lambda x: x[i], tree)  # noqa: E731, B023
        alone, _ = optimizer.update(pick(grads), pick(before_state), pick(before), 2, pick(stacked))
        for p in params:
            np.testing.assert_allclose(params[p][i], alone[p], rtol=1e-6, atol=1e-7)
            np.testing.assert_allclose(by_map[p][i], alone[p], rtol=1e-6, atol=1e-7)


@EVERY
@DTYPES
def test_dtypes_and_structure_are_kept(rule, dtype):
    optimizer = ALL[rule]
    params = {p: tf.ones(shape, dtype) for p, shape in SHAPES.items()}
    state = optimizer.init(params)
    new, new_state = optimizer.update(params, state, params, tf.constant(3, tf.int64), optimizer.hparams(10))
    tf.nest.assert_same_structure((params, state), (new, new_state))
    for a, b in zip(tf.nest.flatten((params, state)), tf.nest.flatten((new, new_state))):
        assert a.dtype == b.dtype == dtype and a.shape == b.shape


@EVERY
def test_a_gradient_that_is_not_finite_is_taken_as_it_is(rule):
    optimizer, params = ALL[rule], {"x": tf.constant([1.0, 2.0, 3.0]), "y": tf.constant([1.0])}
    grads = {"x": tf.constant([math.nan, 1.0, 1.0]), "y": tf.constant([1.0])}
    new, _ = optimizer.update(grads, optimizer.init(params), params, 5, optimizer.hparams(10))
    assert np.isfinite(new["x"].numpy()).tolist() == [False, True, True] and np.isfinite(new["y"]).all()


# ---- names and configs


def test_every_name_is_an_optimizer_with_a_published_rule():
    rules = {
        "adam_lr": "adam",
        "adagrad_lr": "adagrad",
        "adam1p_wide_grid": "adam",
        "adam4p_wide_grid": "adam",
        "adam6p_wide_grid": "adam6p",
        "adam8p_wide_grid": "adam8p",
        "adagrad_wide_grid": "adagrad",
        "nadamw_grid": "nadamw_published",
        "nadamw_corrected": "nadamw_corrected",
    }
    names = fixed_optimizers() + [f"{f}_seed{s}" for f in (*optimizer_families(), "nadamw_corrected") for s in (0, 1, 999)]
    params, found = {"x": tf.constant([0.5, -2.0])}, {}
    for name in names:
        optimizer = optimizers.get_optimizer(name)
        assert optimizer.name == name
        hparams = optimizer.hparams(10000)
        assert all(type(v) is float and not math.isnan(v) for v in hparams.values())
        assert found.setdefault(optimizer.rule, set(hparams)) == set(hparams)  # what one program can be given
        new, _ = optimizer.update(params, optimizer.init(params), params, 7, hparams)
        assert np.isfinite(new["x"]).all()
        assert optimizer.rule == rules[name.rpartition("_")[0]]
    assert set(found) == set(rules.values())


def test_configs_reach_the_update():
    config = optimizers.get_optimizer("adam8p_wide_grid_seed21").settings
    assert set(config) == {"learning_rate", "beta1", "beta2", "epsilon", "l1", "l2", "linear_decay", "exponential_decay"}
    fixed = optimizers.get_optimizer("adam_lr_-3.00").settings
    assert fixed == {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    assert optimizers.get_optimizer("adagrad_lr_-3.00").settings == {"learning_rate": 1e-3, "initial_accumulator_value": 0.1}
    assert {optimizers.get_optimizer(f"nadamw_corrected_seed{s}").settings["use_nesterov"] for s in range(20)} == {True, False}


def test_opt_list_is_in_order_and_follows_the_horizon():
    first = optimizers.opt_list(3)
    assert first[0].name == "nadamw_grid_seed251"
    assert [o.name for o in optimizers.opt_list(10)[:3]] == [o.name for o in first]
    assert all(o.rule == "nadamw_published" for o in first)
    assert first[0].hparams(100)["horizon"] == 100 and first[0].hparams(500)["decay_steps"] == pytest.approx(
        5 * first[0].hparams(100)["decay_steps"]
    )


@pytest.mark.parametrize("act, error, words", [
    (lambda: optimizers.get_optimizer("adam8p_wide_gird_seed2"), UnknownName, "adam8p_wide_grid_seed2"),
    (lambda: optimizers.make_optimizer("adamw", {"learning_rate": 0.1}), UnknownName, "nadamw_grid"),
    (lambda: optimizers.make_optimizer("adam_lr", {"learning_rate": 0.1, "beta": 0.1}), ConfigError, "beta1, beta2, epsilon"),
    (lambda: optimizers.make_optimizer("adam_lr", {}), ConfigError, "learning_rate"),
    (lambda: optimizers.adam("0.1"), ConfigError, "learning_rate '0.1' of adam: allowed is"),
    (lambda: optimizers.adam(math.nan), ConfigError, "learning_rate nan"),
    (lambda: optimizers.adam(0.1, beta2=1.0), ConfigError, "0 <= beta2 < 1"),
    (lambda: optimizers.nadamw_published(0.1, warmup_fraction=1.5), ConfigError, "0 <= warmup_fraction <= 1"),
    (lambda: optimizers.nadamw_corrected(0.1, use_nesterov=0.3), ConfigError, "True or False"),
    (lambda: optimizers.sgd(0.1).hparams(0), ConfigError, "horizon 0"),
    (lambda: optimizers.sgd(0.1).hparams(10.5), ConfigError, "horizon 10.5"),
])  # fmt: skip
def test_bad_input_is_explained_in_one_line(act, error, words):
    with pytest.raises(error) as caught:
        act()
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_pair_of_functions_is_an_optimizer():
    """Gradient descent that falls to 0 along a line: it reads the horizon and the step, in the compiled loop."""

    def update(grads, state, params, step, hparams):
        left = 1 - tf.cast(step, tf.float32) / hparams["horizon"]
        return {p: w - 0.01 * left * grads[p] for p, w in params.items()}, {"seen": state["seen"] + 1}

    optimizer = optimizers.from_functions("falling", lambda params: {"seen": tf.constant(0)}, update)
    assert (optimizer.name, optimizer.rule) == ("falling", "falling")
    task = taskset.get_task("quadratic_family_seed3")
    found, losses = train(task, optimizer, 4, seed=1)
    params = task.init(1)
    for step, batch in zip(range(4), task.batches("train", 1)):
        loss, gradients = task.value_and_gradients(params, batch, tf.constant([seeds.stream(1, "loss", "train"), step]))
        assert float(loss) == pytest.approx(losses[step], rel=1e-5)
        params = {p: w - 0.01 * (1 - step / 4) * gradients[p] for p, w in params.items()}
    for path, w in params.items():
        np.testing.assert_allclose(found[path], w, rtol=1e-4)
    with pytest.raises(ConfigError, match="optimizer name 'a/b'"):
        optimizers.from_functions("a/b", lambda params: {}, update)
    with pytest.raises(ConfigError, match="horizon 0"):
        optimizer.hparams(0)


def test_the_documented_example_of_a_users_own_optimizer_runs():
    result = doctest.testmod(base)
    assert result.attempted >= 5 and result.failed == 0
