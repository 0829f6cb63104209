"""The optimizers `anchored` and `anchored_muon`: what they start as, and what their weights can reach."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from learned import optimizers
from learned.deploy.weights import load_weights
from learned.optimizers import anchored_muon, tensorwise
from taskset.optimizers.muon import rows_and_columns
from tests.learned.rules import FEW, SHAPES, STEPS, Inputs, arrays, tensors, weights

BOTH = pytest.mark.parametrize("name", ["anchored", "anchored_muon"])


def by_hand(params, gradients, share=0.05, rate=0.01):
    """NAdam: 95 % its direction, 5 % that over its RMS; parameters behind all steps."""
    m, v = (dict.fromkeys(params, 0.0) for _ in range(2))
    for t, grads in enumerate(gradients, 1):
        for path, g in grads.items():
            m[path], v[path] = 0.9 * m[path] + 0.1 * g, 0.999 * v[path] + 0.001 * g**2
            n = (0.9 * m[path] / (1 - 0.9 ** (t + 1)) + 0.1 * g / (1 - 0.9**t)) / np.sqrt(v[path] / (1 - 0.999**t) + 1e-18)
            step = (1 - share) * n + share * n / np.sqrt(np.mean(n**2) + 1e-18)
            params = {**params, path: params[path] - rate * step}
    return params


def test_anchored_starts_as_nadam():
    inputs, optimizer = Inputs(SHAPES), optimizers.get("anchored")
    inputs.times = range(STEPS)
    found = inputs.moved(inputs.run(optimizer, optimizer.init_theta(7, tf.float64), tf.float64))
    np.testing.assert_allclose(found, inputs.moved(by_hand(inputs.params, inputs.grads)), rtol=1e-9, atol=1e-12)
    assert np.abs(found - inputs.moved(by_hand(inputs.params, inputs.grads, share=0.0))).max() > 1e-4  # the share tells


def test_anchored_muon_starts_as_muon_and_nadam():
    """Matrices take nine tenths of Muon's direction, by singular values, other tensors NAdam's; with 5 % of it over its RMS."""
    inputs, optimizer = Inputs(SHAPES), optimizers.get("anchored_muon")
    inputs.times = range(STEPS)
    found = inputs.run(optimizer, optimizer.init_theta(7, tf.float64), tf.float64)
    nadam, m = by_hand(inputs.params, inputs.grads), dict.fromkeys(SHAPES, 0.0)
    expected = dict(inputs.params)
    for t, grads in enumerate(inputs.grads, 1):
        for path in ("w", "square", "cube", "kernel"):
            m[path] = 0.9 * m[path] + 0.1 * grads[path]
            average = 0.9 * m[path] / (1 - 0.9 ** (t + 1)) + 0.1 * grads[path] / (1 - 0.9**t)
            u, s, v = np.linalg.svd(average.reshape(-1, average.shape[-1]), full_matrices=False)
            o = (u * quintic(s / np.linalg.norm(s))) @ v * 0.35 * np.sqrt(max(len(u), v.shape[1]))
            of_n = direction(inputs.grads[:t], path)
            step = 0.1 * of_n + 0.9 * o.reshape(average.shape)
            expected[path] = expected[path] - 0.01 * (0.95 * step + 0.05 * step / np.sqrt(np.mean(step**2)))
    for path in SHAPES:
        wanted = expected[path] if path in m and np.any(m[path]) else nadam[path]
        np.testing.assert_allclose(found[path], wanted, rtol=1e-7, atol=1e-10)


def quintic(s):
    """Five times 3.4445 s - 4.7750 s^3 + 2.0315 s^5."""
    for _ in range(5):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return s


def direction(gradients, path):
    """NAdam's after these gradients of a tensor."""
    m, v, t = 0.0, 0.0, len(gradients)
    for g in (grads[path] for grads in gradients):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    return (0.9 * m / (1 - 0.9 ** (t + 1)) + 0.1 * g / (1 - 0.9**t)) / np.sqrt(v / (1 - 0.999**t) + 1e-18)


def test_which_tensors_are_matrices():
    sides = {
        (): None,
        (5,): None,
        (1, 7): None,
        (7, 1): None,
        (7, 5): (7, 5),
        (3, 2, 4, 6): (24, 6),
        (1, 1, 4): None,
        (0, 3): None,
    }
    assert {shape: rows_and_columns(tf.TensorShape(shape)) for shape in sides} == sides


def test_singular_values_come_close_to_one_another():
    rng = np.random.default_rng(0)
    found = anchored_muon.orthogonal(tf.constant(1e-6 * rng.normal(size=(3, 20, 40)), tf.float32))
    values = np.linalg.svd(found, compute_uv=False)
    assert values.min() > 0.6 and values.max() < 1.3
    assert not np.any(anchored_muon.orthogonal(tf.zeros([1, 2, 3])))


def same_alone(optimizer, theta):
    """Whether `alone` moves parameters as the rule does, with a large tensor, whose sums are added in rows."""
    inputs = Inputs({**SHAPES, "large": (67, 67)})
    init, update = optimizer.alone
    alone = dataclasses.replace(optimizer, init=init, update=tf.function(update, autograph=False, jit_compile=True))
    used = optimizer.effective(theta) if optimizer.effective else theta
    found, expected = (inputs.moved(inputs.run(rule, w, tf.float64)) for rule, w in ((alone, used), (optimizer, theta)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("large", [2, 300, 2**16])
@pytest.mark.parametrize(
    "sizes", [[1], [63, 64, 65], [200, 1, 1, 5000, 64, 70, 300], [9000, 2], [2, 9000], [64] * 70, [300] * 3, [1] * 200]
)
def test_sums_of_tensors_that_lie_anywhere(sizes, large, monkeypatch):
    monkeypatch.setattr(tensorwise, "LARGE", large)
    x, y = (tf.constant(np.random.default_rng(seed).normal(size=sum(sizes))) for seed in range(2))
    pairs = [(x, x), (x, y)]
    np.testing.assert_allclose(tensorwise.products_alone(pairs, sizes), tensorwise.products(pairs, sizes), rtol=1e-12, atol=1e-14)


def test_sums_stay_with_their_tensor_where_another_is_not_finite():
    x = tf.constant([*[1.0] * 100, np.inf, np.nan, *[2.0] * 100])
    found = tensorwise.products_alone([(x, x)], [100, 2, 100])[0].numpy()
    assert found[0] == 1 and not np.isfinite(found[1]) and found[2] == 4


def test_what_is_compiled_of_sums_does_not_grow_with_the_number_of_tensors():
    def operations(count):
        sizes = [130, 700] * count
        summed = tf.function(lambda x: tensorwise.products_alone([(x, x)], sizes))
        return len(summed.get_concrete_function(tf.TensorSpec([sum(sizes)])).graph.get_operations())

    assert operations(40) == operations(10)


@BOTH
def test_alone_it_is_the_same_rule(name):
    optimizer = optimizers.get(name)
    same_alone(optimizer, weights(optimizer))


def test_alone_nothing_is_computed_of_a_network_whose_last_layer_is_0(monkeypatch):
    optimizer = optimizers.get("anchored")
    monkeypatch.setattr("learned.optimizers.anchored._network_alone", None)
    same_alone(optimizer, {**weights(optimizer), "mlp/linear_2/w": np.zeros((8, 1))})


@BOTH
@pytest.mark.parametrize("factor", [0.0, 1e-30, 1e-12, 1e12, 1e30, np.inf])
def test_finite_whatever_the_gradients(name, factor):
    """With weights away from their start, and once more behind a normal step."""
    inputs, optimizer = Inputs(SHAPES), optimizers.get(name)
    with np.errstate(invalid="ignore"):
        inputs.grads = [{path: np.nan_to_num(factor * g, nan=0.0, posinf=np.inf, neginf=-np.inf) for path, g in grads.items()}
                        if i % 2 else grads for i, grads in enumerate(inputs.grads)]  # fmt: skip
    inputs.losses[3], inputs.losses[4] = np.nan, 1e30
    for theta in (weights(optimizer), optimizer.init_theta(0)):
        moved = inputs.moved(inputs.run(optimizer, theta, tf.float32))
        assert np.isfinite(moved).all() and np.abs(moved).max() < 1e3 and moved.any()


@BOTH
@pytest.mark.parametrize("first", [2.3, 3e38, -3e38])
def test_losses_whose_sums_overflow_count_as_not_finite(name, first):
    optimizer, found = optimizers.get(name), []
    for huge in (3e38, -3e38, np.nan, np.inf):
        inputs = Inputs(SHAPES)
        inputs.losses[:4] = [first if abs(first) < 1e30 else huge, huge, huge, 1.0]
        found.append(inputs.moved(inputs.run(optimizer, weights(optimizer), tf.float32)))
    assert np.isfinite(found[0]).all()
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


@BOTH
@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_steps_can_follow_the_scale_of_parameters(name, scale):
    """With `power` 1/3, parameters w / s with gradients s g take steps of 1/s the size; the start, with power 0, doesn't."""
    inputs, other, optimizer = Inputs(SHAPES), Inputs(SHAPES), optimizers.get(name)
    other.params = {path: w / scale for path, w in inputs.params.items()}
    inputs.grads = [{path: g + 0.1 for path, g in grads.items()} for grads in inputs.grads]  # none so small as the epsilon
    other.grads = [{path: scale * g for path, g in grads.items()} for grads in inputs.grads]
    for power, follows in ((1 / 3, True), (0.0, False)):
        theta = {**optimizer.init_theta(0, tf.float64), "power": np.float64(power)}
        plain, scaled = (i.moved(i.run(optimizer, theta, tf.float64)) for i in (inputs, other))
        assert np.allclose(scaled * scale, plain, rtol=1e-4, atol=1e-6) == follows


@BOTH
def test_the_fraction_of_the_run_is_read_and_no_more_behind_its_end(name):
    optimizer, rng = optimizers.get(name), np.random.default_rng(0)
    theta = {**weights(optimizer), "length": np.zeros(())}
    params, g = tensors(arrays(rng, FEW), tf.float64), tensors(arrays(rng, FEW), tf.float64)
    one = tf.constant(1.0, tf.float64)

    def moved(step, horizon):
        arguments = tensors(theta, tf.float64), g, optimizer.init(theta, params), params, tf.constant(step), one, None
        after = optimizer.update(*arguments, **optimizer.planned(horizon, tf.float64))[0]
        return np.asarray(after["w"] - params["w"])

    # So late that the corrections of averages are 1: what is left of time is the fraction of the run.
    late = [moved(step, horizon) for step, horizon in ((50_000, 100_000), (100_000, 200_000), (70_000, 100_000))]
    np.testing.assert_allclose(late[0], late[1], rtol=1e-9)
    assert not np.allclose(late[0], late[2], rtol=1e-3)
    np.testing.assert_allclose(moved(100_000, 100_000), moved(300_000, 100_000), rtol=1e-9)


def test_weights_from_before_there_was_an_exponent_of_the_length():
    found = load_weights("anchored_controller")
    assert found.theta["length"] == 0 and found.value("shapes", list, "length") == []
    assert found.theta["length"].dtype == np.float32 and sum(w.size for w in found.theta.values()) == 652


def test_averages_of_very_long_runs_are_those_of_double_precision():
    """1 - exp(-log 2 / half-life) of a half-life of 10^8 steps is 0 in float32."""
    found = {}
    for dtype in (tf.float32, tf.float64):
        averages = {name: tf.zeros([tensorwise.TRENDS], dtype) for name in ("mean", "weight", "least")}
        averages["first"] = tf.zeros([], dtype)
        for t in range(50):
            _, averages = tensorwise.trends(averages, tf.constant(2 + np.cos(t), dtype), tf.constant(1e8, dtype))
        found[dtype] = averages
    for name in ("mean", "weight"):
        np.testing.assert_allclose(found[tf.float32][name], found[tf.float64][name], rtol=1e-4)
