"""The hand-designed rules that need one run, against their formulas in plain NumPy, and where their runs are judged."""

import math

import numpy as np
import pytest
import tensorflow as tf

import learned  # noqa: F401 (registers the task)
import taskset
from taskset import optimizers
from taskset.datasets.base import SPLITS
from taskset.errors import ConfigError
from taskset.execution.copies import CopiesLoop
from taskset.execution.loop import Loop, train
from taskset.normalization.sweep import run_groups
from taskset.normalization.sweep.options import SweepOptions
from taskset.normalization.sweep.runner import run_all
from taskset.optimizers.one_run import averaging_weight
from taskset.samplers.optimizers import all_optimizers, get_optimizer_config, one_run_optimizers
from tests.optimizers.problem import DTYPES, RTOL, STEPS, Problem, distance, run

TASK = "Digits_mlp32_bs128"


def twin_lion(problem, lr, b1, b2, decay):
    params, m = dict(problem.start), {p: np.zeros_like(w) for p, w in problem.start.items()}
    for step in range(STEPS):
        for p, g in problem.gradients(params, step).items():
            params[p] = params[p] - lr * (np.sign(b1 * m[p] + (1 - b1) * g) + decay * params[p])
            m[p] = b2 * m[p] + (1 - b2) * g
    return params


def twin_schedule_free(problem, lr, b1, b2, eps, decay, warmup):
    """(y, x) after all steps; x, y, z and the sum of weights are all kept."""
    x, z, v, total = dict(problem.start), dict(problem.start), dict.fromkeys(problem.start, 0.0), 0.0
    y = dict(x)
    for t in range(1, STEPS + 1):
        gradients, rate = problem.gradients(y, t - 1), min(1, t / warmup) if warmup else 1.0
        total += rate**2
        for p, g in gradients.items():
            v[p] = b2 * v[p] + (1 - b2) * g**2
            z[p] = z[p] - lr * rate * (g / (np.sqrt(v[p] / (1 - b2**t)) + eps) + decay * y[p])
            x[p] = (1 - rate**2 / total) * x[p] + rate**2 / total * z[p]
            y[p] = (1 - b1) * z[p] + b1 * x[p]
    return y, x


def twin_prodigy(problem, lr, b1, b2, eps, d0, horizon, constant):
    """All parameters as one vector."""
    join = lambda tree: np.concatenate([np.ravel(tree[p]) for p in problem.start])  # noqa: E731

    def split(vector):
        sizes = np.cumsum([w.size for w in problem.start.values()])[:-1]
        return {p: part.reshape(w.shape) for (p, w), part in zip(problem.start.items(), np.split(vector, sizes))}

    start = join(problem.start)
    x, m, v, s, r, d = start, 0.0, 0.0, 0.0, 0.0, d0
    for k in range(STEPS):
        g, rate, root = (
            join(problem.gradients(split(x), k)),
            lr * (1 + math.cos(math.pi * min(max(k / horizon - constant, 0) / (1 - constant), 1))) / 2,
            math.sqrt(b2),
        )
        r = root * r + (1 - root) * rate * d**2 * np.dot(g, start - x)
        s = root * s + (1 - root) * rate * d**2 * g
        m, v = b1 * m + (1 - b1) * d * g, b2 * v + (1 - b2) * d**2 * g**2
        x = x - rate * d * m / (np.sqrt(v) + d * eps)
        d = max(d, r / np.abs(s).sum())
    return split(x), d


def twin_relative_nadam(problem, lr, b1, b2, eps, share, horizon):
    params, m, v = dict(problem.start), dict.fromkeys(problem.start, 0.0), dict.fromkeys(problem.start, 0.0)
    for t in range(1, STEPS + 1):
        whole = np.mean(np.concatenate([np.ravel(w) for w in params.values()]) ** 2)
        for p, g in problem.gradients(params, t - 1).items():
            m[p], v[p] = b1 * m[p] + (1 - b1) * g, b2 * v[p] + (1 - b2) * g**2
            n = (b1 * m[p] / (1 - b1 ** (t + 1)) + (1 - b1) * g / (1 - b1**t)) / (np.sqrt(v[p] / (1 - b2**t)) + eps)
            size = math.sqrt(np.mean(params[p] ** 2) + share**2 * whole + 1e-8)
            params[p] = params[p] - lr * max(1 - (t - 1) / horizon, 0) * size * n
    return params


@DTYPES
def test_lion_agrees_with_its_formula(dtype):
    found = run(optimizers.lion(0.03, 0.8, 0.95, 0.1), Problem(), dtype)
    assert distance(found, twin_lion(Problem(), 0.03, 0.8, 0.95, 0.1)) < RTOL[dtype]


@DTYPES
@pytest.mark.parametrize("share, horizon", [(0.1, STEPS), (0.7, 12)])
def test_relative_nadam_agrees_with_its_formula(share, horizon, dtype):
    found = run(optimizers.relative_nadam(0.1, 0.8, 0.99, 1e-3, share), Problem(), dtype, horizon=horizon)
    expected = twin_relative_nadam(Problem(), 0.1 * math.sqrt(3 / horizon), 0.8, 0.99, 1e-3, share, horizon)
    assert distance(found, expected) < 4 * RTOL[dtype]
    assert min(np.max(np.abs(expected[p] - w)) for p, w in Problem().start.items()) > 0.001  # all have moved


@DTYPES
@pytest.mark.parametrize("warmup", [0, 1, 7, 40])
def test_schedule_free_agrees_with_its_formula(warmup, dtype):
    optimizer = optimizers.schedule_free_adamw(0.1, 0.8, 0.99, 1e-3, 0.05, warmup / 40)
    hparams = {k: tf.constant(v, dtype) for k, v in optimizer.hparams(40).items()}
    params, problem = {p: tf.constant(w, dtype) for p, w in Problem().start.items()}, Problem()
    state = optimizer.init(params)
    for step in range(STEPS):
        params, state = optimizer.update(problem.gradients(params, step), state, params, step, hparams)
    y, x = twin_schedule_free(problem, 0.1, 0.8, 0.99, 1e-3, 0.05, warmup)
    assert distance(y, x) > 0.01
    assert distance({p: w.numpy() for p, w in params.items()}, y) < 4 * RTOL[dtype]
    assert distance({p: w.numpy() for p, w in optimizer.evaluated(params, state, hparams).items()}, x) < 4 * RTOL[dtype]


@pytest.mark.parametrize("warmup", [0, 1, 10, 1000])
def test_weights_of_the_average(warmup):
    k = np.minimum(1, np.arange(1, 2001) / warmup) if warmup else np.ones(2000)
    found = averaging_weight(tf.range(1.0, 2001.0, dtype=tf.float64), tf.constant(warmup, tf.float64))
    np.testing.assert_allclose(found, k**2 / np.cumsum(k**2), rtol=1e-9)


@DTYPES
@pytest.mark.parametrize("d0, horizon, constant", [(1e-6, 30, 0.0), (1e-2, 12, 0.0), (1e-2, 20, 0.6)])
def test_prodigy_agrees_with_its_formula(d0, horizon, constant, dtype):
    optimizer = optimizers.prodigy(1.0, 0.8, 0.99, 1e-8, d0, constant)
    expected, d = twin_prodigy(Problem(), 1.0, 0.8, 0.99, 1e-8, d0, horizon, constant)
    assert d > 2 * d0  # it has grown
    assert distance(run(optimizer, Problem(), dtype, horizon=horizon), expected) < 4 * RTOL[dtype]


def test_prodigy_stays_where_it_is_without_gradients_and_keeps_dtypes():
    optimizer = optimizers.prodigy()
    for dtype in (tf.float32, tf.float64):
        params = {"x": tf.constant([1.0, -2.0], dtype), "y": tf.constant(3.0, dtype)}
        zeros, state = tf.nest.map_structure(tf.zeros_like, params), optimizer.init(params)
        new, new_state = optimizer.update(zeros, state, params, tf.constant(3, tf.int64), optimizer.hparams(10))
        tf.nest.assert_same_structure((params, state), (new, new_state))
        for a, b in zip(tf.nest.flatten((params, state)), tf.nest.flatten((new, new_state))):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype == dtype


def test_runs_of_prodigy_side_by_side_know_nothing_of_each_other():
    """Its sums go over all parameters of a run, and over no other's."""
    task, both = taskset.get_task(TASK, source="synthetic"), [optimizers.prodigy(initial_distance=d) for d in (1e-5, 1e-2)]
    together = CopiesLoop(task, both[0], 2, interval=6)
    each = [o.hparams(6) for o in both]
    side_by_side = together.start(1)
    losses = together.train(side_by_side, {name: [h[name] for h in each] for name in each[0]}, 6)
    for i, hparams in enumerate(each):
        loop = Loop(task, both[i], 6)
        np.testing.assert_allclose(losses[:, i], loop.train(loop.start(1), hparams, 6), rtol=1e-4)
    assert abs(losses[-1, 0] - losses[-1, 1]) > 0.01


def test_schedule_free_runs_are_judged_at_the_average():
    task, optimizer = taskset.get_task(TASK, source="synthetic"), optimizers.schedule_free_adamw(0.05, beta1=0.5)
    params, _ = train(task, optimizer, 5, seed=3)
    loop = Loop(task, optimizer, 5)
    run_, hparams = loop.start(3), optimizer.hparams(5)
    loop.train(run_, hparams, 5)
    for path, y in run_.params.items():
        np.testing.assert_allclose(params[path], y - run_.state["ahead"][path], rtol=1e-5, atol=1e-6)
        assert np.abs(run_.state["ahead"][path]).max() > 1e-3


@pytest.mark.parametrize("kind, copies", [(run_groups.Together, b"2"), (run_groups.OneByOne, b"1")])
def test_sweeps_of_schedule_free_judge_runs_at_the_average(kind, copies, monkeypatch):
    """Runs side by side, whose averages differ in beta1, and runs one by one: losses of the curves are those at x, not at y."""
    monkeypatch.setattr(run_groups, "copies_pay", lambda data: kind is run_groups.Together)
    task, beta1s = taskset.get_task("quadratic_family_seed3"), {"slow": 0.9, "fast": 0.5}
    both = [optimizers.schedule_free_adamw(0.5, beta1, name=name) for name, beta1 in beta1s.items()]
    options = SweepOptions(tuple(beta1s), "synthetic", steps=6, seeds=(1,), batches=2, evaluations=2)
    table = run_all(task, both, options)
    assert table.schema.metadata[b"copies"] == copies
    curves = table.to_pandas().set_index(["optimizer", "step"])
    for optimizer in both:
        loop, beta1 = Loop(task, optimizer, interval=3, mode="graph_loop"), beta1s[optimizer.name]
        run_, evaluate = loop.start(1), loop.evaluation(1, 2)
        for step in (0, 3, 6):
            x = {path: y - (1 - beta1) / beta1 * run_.state["ahead"][path] for path, y in run_.params.items()}
            at_x, at_y = evaluate(x), evaluate(run_.params)
            for split in SPLITS:
                assert curves.loc[(optimizer.name, step), split] == pytest.approx(at_x[split], rel=1e-4)
                assert step == 0 or at_x[split] != pytest.approx(at_y[split], rel=1e-3)
            loop.train(run_, optimizer.hparams(6), 3)


def test_names_and_configs():
    assert one_run_optimizers() == ["lion", "muon", "prodigy", "relative_muon", "relative_nadam", "schedule_free_adamw", "soap"]
    assert not set(one_run_optimizers()) & set(all_optimizers())  # published names stay as they are
    for name in one_run_optimizers():
        config, family = get_optimizer_config(name)
        optimizer = optimizers.get_optimizer(name)
        assert family == optimizer.name == name == optimizer.rule.partition("_10_256")[0]
        assert {**optimizer.settings, **config} == optimizer.settings
        assert all(type(v) is float and math.isfinite(v) for v in optimizer.hparams(100).values())
    assert optimizers.get_optimizer("schedule_free_adamw").settings["learning_rate"] == 0.0025
    assert optimizers.make_optimizer("lion", {"learning_rate": 0.1}).settings["beta2"] == 0.99
    with pytest.raises(ConfigError, match="beta1 0.0 of schedule_free_adamw: allowed is a number in 0 < beta1 < 1"):
        optimizers.schedule_free_adamw(beta1=0.0)
    with pytest.raises(ConfigError, match="horizon 0"):
        optimizers.prodigy().hparams(0)
