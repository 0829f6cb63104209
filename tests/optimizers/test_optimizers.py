"""The hand-designed optimizers against Keras and Sonnet, and in one program for many runs."""

import math

import keras
import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf

from taskset import optimizers
from taskset.errors import ConfigError
from taskset.optimizers import base
from taskset.optimizers.relative_muon import relative_muon
from taskset.optimizers.relative_nadam import relative_nadam
from tests.optimizers.problem import DTYPES, RTOL, SHAPES, STEPS, Problem, distance, run


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


WHOLE = {
    o.rule: o for o in (optimizers.prodigy(), optimizers.muon(), optimizers.soap(), relative_muon(), relative_nadam())
}  # look at more than an entry


@pytest.mark.parametrize("rule", [*ALL, *WHOLE])
def test_numbers_are_taken_in_the_precision_of_the_parameters(rule):
    """Of float64 parameters, one of them empty: Python's floats do as float64 tensors do."""
    optimizer, rng = (ALL | WHOLE)[rule], np.random.default_rng(0)
    params = {
        "w": tf.constant(rng.normal(size=(3, 2))),
        "b": tf.constant(rng.normal(size=3)),
        "none": tf.zeros([0, 3], tf.float64),
    }
    found = []
    for number in (float, lambda value: tf.constant(value, tf.float64)):
        hparams, w, state = {k: number(v) for k, v in optimizer.hparams(10).items()}, params, optimizer.init(params)
        for step in range(3):
            w, state = optimizer.update({p: x + step for p, x in params.items()}, state, w, tf.constant(step), hparams)
        found.append(w)
    for path, w in found[0].items():
        assert w.dtype == tf.float64 and w.shape == params[path].shape
        np.testing.assert_allclose(w, found[1][path], rtol=1e-14)


DIVISORS = [
    *((rule, "epsilon") for rule in ("rmsprop", "adam", "nadamw_published", "nadamw_corrected", "schedule_free_adamw")),
    *((rule, "epsilon") for rule in ("prodigy", "muon", "soap", "relative_muon", "relative_nadam")),
    ("adagrad", "initial_accumulator_value"),
    ("prodigy", "initial_distance"),
]


@pytest.mark.parametrize("rule, setting", DIVISORS)
def test_what_is_divided_by_is_above_zero(rule, setting):
    """With 0, the parameters whose gradients are 0 would be 0 / 0."""
    make, first = getattr(optimizers, rule), () if rule in ("relative_muon", "relative_nadam", "prodigy") else (0.1,)
    with pytest.raises(ConfigError, match=f"{setting} 0.0 of .*: allowed is a finite number > 0"):
        make(*first, **{setting: 0.0})
    with pytest.raises(ConfigError, match=f"{setting} 1e-50 of .*at least 1.18e-38"):  # it is 0 in float32
        make(*first, **{setting: 1e-50})
    make(*first, **{setting: 1e-30})


@pytest.mark.parametrize("rule, setting", [("lion", "beta2"), ("prodigy", "beta2"), ("muon", "momentum")])
def test_an_average_that_would_never_move_is_refused(rule, setting):
    """These rules take 1 - beta in float32; others take it before."""
    with pytest.raises(ConfigError, match=f"{setting} 0.9999.* of {rule}: it is 1 in float32"):
        getattr(optimizers, rule)(0.1, **{setting: 1 - 1e-9})
    optimizers.adam(0.1, beta2=1 - 1e-9)


def test_what_a_notebook_shows():
    said = "<Elementwise adam_lr_-2.00: learning_rate=0.01, beta1=0.9, beta2=0.999, epsilon=1e-08>"
    assert repr(optimizers.get_optimizer("adam_lr_-2.00")) == said


@pytest.mark.parametrize("make", [optimizers.adam6p, optimizers.adam8p])
def test_a_constant_under_the_root_allows_an_epsilon_of_zero(make):
    optimizer, w = make(0.1, epsilon=0.0), {"w": tf.constant([1.0, 2.0])}
    moved, _ = optimizer.update({"w": tf.zeros(2)}, optimizer.init(w), w, tf.constant(0), optimizer.hparams(10))
    np.testing.assert_array_equal(moved["w"], w["w"])
