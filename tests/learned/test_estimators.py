"""Estimators of outer gradients against exact gradients, and the compiled truncations that they are made from."""

import numpy as np
import pytest
import tensorflow as tf

import taskset
from learned import estimators, optimizers
from learned.estimators import base, combined, episodes, pes
from learned.optimizers.base import LearnedOptimizer
from learned.outer_training import objectives
from learned.unrolling.backpropagation import BackpropagatedUnroll
from learned.unrolling.problem import Problem
from learned.unrolling.unroll import Unroll
from learned.unrolling.vectors import Layout, from_leaves, named_leaves
from taskset.errors import TasksetError
from taskset.tasks import distributions
from taskset.tasks.base import Model, Task
from taskset.tasks.initializers import constant
from taskset.tasks.starts import Start, parameter

TARGET = np.array([1.0, -2.0])
CURVATURE = np.array([0.5, 1.0])
DRIFT = np.array([0.3, -0.2])


def own_task(loss, start=(0.0, 0.0)):
    """A task without data: loss(x), x in R^n from a fixed start."""

    def forward(batch, key):
        given = Start(lambda key, shape, dtype: tf.constant(start, dtype), distributions.given(np.array(start)))
        return loss(parameter("x", [len(start)], given))

    return Task("own", "own", {}, Model(forward), "none")


def drifting(rate):
    """x <- x - rate g + theta: what is quadratic in x has outer losses quadratic in theta; smoothing leaves their gradients."""

    def update(theta, grads, state, params, step, loss, validation_loss):
        return {"x": params["x"] - rate * grads["x"] + theta["drift"]}, {"last": theta["drift"]}

    return LearnedOptimizer("drifting", {"drift": ((2,), constant(0.0))}, lambda theta, params: {"last": theta["drift"]}, update)


def quadratic_problem(rate=0.2):
    task = own_task(lambda x: tf.reduce_sum(tf.constant(CURVATURE, x.dtype) * (x - tf.constant(TARGET, x.dtype)) ** 2))
    return Problem(task, drifting(rate), objectives.get("train"), objectives.unscaled, tf.float64)


def quadratic_gradients(length, rate=0.2, since=0):
    """[length, 2]: d L_t / d theta at DRIFT, theta acting from step `since` on."""
    x, derivative, gradients = np.zeros(2), np.zeros(2), []
    for t in range(length):
        gradients.append(2 * CURVATURE * (x - TARGET) * derivative)
        x = x - rate * 2 * CURVATURE * (x - TARGET) + DRIFT
        derivative = derivative * (1 - rate * 2 * CURVATURE) + (t >= since)
    return np.array(gradients)


def of_length(n):
    return lambda rng, count: np.full(count, n)


def settings(**changes):
    return base.Settings(**{"pairs": 128, "steps": 4, "sigma": 0.1, **changes})


def truncations(estimator, theta, seed, count, lengths):
    """Gradients [count, P] of the first truncations from a seed, theta staying."""
    state, gradients = estimator.init(seed), []
    for _ in range(count):
        estimate, state = estimator.estimate(theta, state, lengths)
        gradients.append(estimate.gradient)
    return np.array(gradients)


def z_scores(samples, exact):
    """(mean - exact) / standard error, along axis 0."""
    samples = np.asarray(samples)
    return (samples.mean(axis=0) - exact) / (samples.std(axis=0, ddof=1) / np.sqrt(len(samples)))


# Four truncations of four steps, two episodes of seven and the beginning of a third: starts again at steps 0, 7 and 14.
EPISODE, TRUNCATIONS, REPEATS = 7, 4, 24


def truncation_gradients(per_episode):
    """[TRUNCATIONS, 2] from d L_t / d theta of one episode [EPISODE, 2]."""
    steps = np.concatenate([per_episode] * 3)[: 4 * TRUNCATIONS]
    return steps.reshape(TRUNCATIONS, 4, 2).mean(axis=1)


@pytest.fixture(scope="module")
def pes_on_quadratic():
    return estimators.get("pes")(quadratic_problem(), settings(), mode="graph_loop")


def test_pes_is_unbiased_in_every_truncation_also_across_resets(pes_on_quadratic):
    exact = truncation_gradients(quadratic_gradients(EPISODE))
    samples = [truncations(pes_on_quadratic, DRIFT, seed, TRUNCATIONS, of_length(EPISODE)) for seed in range(REPEATS)]
    z = z_scores(samples, exact)
    assert np.abs(z).max() < 4, z
    # The estimates are sharp enough for the mistakes that are tested below.
    assert np.abs(np.std(samples, axis=0) / np.sqrt(REPEATS)).max() < 0.1 * np.abs(exact).max()


def test_pes_with_the_last_loss_credited_to_the_new_episode_is_found_out(pes_on_quadratic, monkeypatch):
    monkeypatch.setattr(pes, "credit", lambda truncation, steps: np.arange(steps)[:, None] < truncation.reset_at - 1)
    exact = truncation_gradients(quadratic_gradients(EPISODE))
    samples = [truncations(pes_on_quadratic, DRIFT, seed, TRUNCATIONS, of_length(EPISODE)) for seed in range(REPEATS)]
    z = np.abs(z_scores(samples, exact)).max(axis=1)
    assert z[1] > 8 and z[3] > 8  # truncations with a reset inside
    assert z[0] < 4


def test_es_single_is_unbiased_across_resets():
    estimator = estimators.get("es_single")(quadratic_problem(), settings(), mode="graph_loop")
    exact = truncation_gradients(quadratic_gradients(EPISODE))
    samples = [truncations(estimator, DRIFT, seed, TRUNCATIONS, of_length(EPISODE)) for seed in range(REPEATS)]
    assert np.abs(z_scores(samples, exact)).max() < 4


def test_es_full_is_unbiased_with_an_episode_of_no_whole_number_of_calls():
    estimator = estimators.get("es_full")(quadratic_problem(), settings(), mode="graph_loop")
    exact = quadratic_gradients(EPISODE).mean(axis=0)
    samples = [truncations(estimator, DRIFT, seed, 1, of_length(EPISODE))[0] for seed in range(REPEATS)]
    assert np.abs(z_scores(samples, exact)).max() < 4


def truncated_gradients(truncation):
    """What a truncation of 4 in an episode of 12 sees: the state at its beginning as given."""
    return quadratic_gradients(4 * truncation + 4, since=4 * truncation)[4 * truncation :].mean(axis=0)


def test_bptt_and_reparam_give_the_truncated_gradient():
    for name in ("bptt", "reparam"):
        estimator = estimators.get(name)(quadratic_problem(), settings(pairs=2), mode="graph_loop")
        found = truncations(estimator, DRIFT, 0, 4, of_length(12))
        expected = np.array([truncated_gradients(truncation) for truncation in (0, 1, 2, 0)])
        if name == "bptt":
            np.testing.assert_allclose(found, expected, rtol=1e-10)
        # Both signs together are exact from a state at theta itself; later ones are at theta + e.
        np.testing.assert_allclose(found[[0, 3]], expected[[0, 3]], rtol=1e-10)
        whole = np.array([quadratic_gradients(12)[4 * truncation : 4 * truncation + 4].mean(axis=0) for truncation in (1, 2)])
        assert (np.abs(found[1:3] - whole) > 0.2 * np.abs(whole)).any()


def test_es_truncated_has_the_bias_of_truncation():
    estimator = estimators.get("es_truncated")(quadratic_problem(), settings(), mode="graph_loop")
    samples = np.array([truncations(estimator, DRIFT, seed, 3, of_length(12)) for seed in range(REPEATS)])
    expected = np.array([truncated_gradients(truncation) for truncation in range(3)])
    assert np.abs(z_scores(samples, expected)).max() < 4
    unbiased = quadratic_gradients(12).reshape(3, 4, 2).mean(axis=1)
    assert np.abs(z_scores(samples, unbiased))[1:].max() > 8


def test_bptt_stops_at_the_start_of_an_episode_inside_the_truncation():
    estimator = estimators.get("bptt")(quadratic_problem(), settings(pairs=1), mode="graph_loop")
    found = truncations(estimator, DRIFT, 0, 2, of_length(6))
    tail = quadratic_gradients(6, since=4)[4:]
    expected = (tail.sum(axis=0) + quadratic_gradients(2).sum(axis=0)) / 4
    np.testing.assert_allclose(found[1], expected, rtol=1e-10)


def test_gradients_reach_theta_through_the_state_that_a_training_starts_with():
    """An optimizer whose first direction is part of theta: w_1 = w_0 + theta's initial state."""

    def update(theta, grads, state, params, step, loss, validation_loss):
        return {"x": params["x"] + state["direction"]}, {"direction": 0.5 * state["direction"]}

    weights = {"direction": ((2,), constant(0.0))}
    optimizer = LearnedOptimizer("initial", weights, lambda theta, params: {"direction": theta["direction"]}, update)
    task = own_task(lambda x: tf.reduce_sum(x * tf.constant([3.0, -1.0], x.dtype)))
    problem = Problem(task, optimizer, objectives.get("train"), objectives.unscaled, tf.float64)
    estimator = estimators.get("bptt")(problem, settings(pairs=1, steps=3), mode="graph_loop")
    found = truncations(estimator, np.zeros(2), 0, 2, of_length(5))
    # x_t = sum of .5^i theta: 0, 1, 1.5; in the second truncation an episode ends that sees theta no more, and another starts.
    np.testing.assert_allclose(found, [np.array([3.0, -1.0]) * 2.5 / 3, [0, 0]], atol=1e-12)


# A loss that smoothing changes: SGD's log learning rate on a hyperbola, against Gauss-Hermite quadrature.

STEPS, SIGMA, LOG_RATE = 6, 0.5, np.log(0.5)


def hyperbolic_problem():
    task = own_task(lambda x: tf.reduce_sum(tf.sqrt(1 + x**2)), start=(2.0,))
    return Problem(task, optimizers.get("learnable_sgd"), objectives.get("train"), objectives.unscaled, tf.float64)


def hyperbolic_loss(log_rate):
    x, total = 2.0, 0.0
    for _ in range(STEPS):
        total = total + np.sqrt(1 + x**2)
        x = x - np.exp(log_rate) * x / np.sqrt(1 + x**2)
    return total / STEPS


def smoothed_gradient():
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    return np.sum(weights * hyperbolic_loss(LOG_RATE + SIGMA * nodes) * nodes) / SIGMA / np.sqrt(2 * np.pi)


@pytest.mark.parametrize(
    "name, pairs", [("es_full", 256), ("es_single", 256), ("pes", 256), ("reparam", 64), ("es_truncated", 256)]
)
def test_whole_episodes_give_the_gradient_of_the_smoothed_loss(name, pairs):
    """Windows that are whole episodes: nothing is truncated."""
    chosen = settings(pairs=pairs, steps=STEPS, sigma=SIGMA)
    estimator = estimators.get(name)(hyperbolic_problem(), chosen, mode="graph_loop")
    samples = np.concatenate([truncations(estimator, np.array([LOG_RATE]), seed, 2, of_length(STEPS)) for seed in range(20)])
    exact = smoothed_gradient()
    assert abs(z_scores(samples, exact)) < 4
    plain = (hyperbolic_loss(LOG_RATE + 1e-5) - hyperbolic_loss(LOG_RATE - 1e-5)) / 2e-5
    assert abs(z_scores(samples, plain)) > 8  # the test can distinguish the smoothed gradient from the other


def test_combined_is_unbiased_enough_and_moves_from_reparam_to_es_as_the_unroll_grows():
    """On a loss with many valleys the gradient of a long unroll is a product of many Jacobians; ES doesn't care."""
    task = own_task(lambda x: tf.reduce_sum(0.05 * x**2 + tf.cos(3.0 * x)), start=(4.0,))
    problem = Problem(task, optimizers.get("learnable_sgd"), objectives.get("train"), objectives.unscaled, tf.float64)
    weights = []
    for steps in (2, 8, 32):
        chosen = settings(pairs=64, steps=steps, sigma=0.05)
        estimator = estimators.get("combined")(problem, chosen, mode="graph_loop")
        estimate, _ = estimator.estimate(np.array([np.log(0.6)]), estimator.init(0), of_length(steps))
        weights.append(estimate.details["es_weight"])
    assert weights[0] < 0.2 and weights[2] > 0.95 and weights[0] < weights[1] < weights[2], weights


def test_combination_by_inverse_variance():
    rng = np.random.default_rng(0)
    es, reparam = 1 + 2 * rng.normal(size=(50, 3)), 1 + 0.5 * rng.normal(size=(50, 3))
    reparam[:, 2] = 1.0
    gradient, weight = combined.combine(es, reparam)
    for i in range(3):
        v_es, v_rp = np.var(es[:, i], ddof=1) + 1e-8, np.var(reparam[:, i], ddof=1) + 1e-8
        expected = (es[:, i].mean() / v_es + reparam[:, i].mean() / v_rp) / (1 / v_es + 1 / v_rp)
        assert gradient[i] == pytest.approx(expected) and weight[i] == pytest.approx((1 / v_es) / (1 / v_es + 1 / v_rp))
    assert weight[2] < 1e-7


def test_variance_of_es_single_on_a_linear_loss():
    """One pair, one whole episode: total variance (P + 1) norm(grad)^2 (arXiv 2304.11153)."""
    task = own_task(lambda x: tf.reduce_sum(x * tf.constant([1.0, 2.0], x.dtype)))
    problem = Problem(task, drifting(0.0), objectives.get("train"), objectives.unscaled, tf.float64)
    estimator = estimators.get("es_single")(problem, settings(pairs=8, steps=4), mode="graph_loop")
    exact = np.array([1.0, 2.0]) * np.mean(np.arange(8))  # L_t = c . (x_0 + t theta)
    episodes = [truncations(estimator, DRIFT, seed, 2, of_length(8)).mean(axis=0) for seed in range(300)]
    squares = 8 * np.sum((np.array(episodes) - exact) ** 2, axis=1)
    assert abs(z_scores(squares, 3 * exact @ exact)) < 4
    assert abs(z_scores(squares, 2 * exact @ exact)) > 3 and abs(z_scores(squares, 4 * exact @ exact)) > 3


# Bookkeeping.


def digits(name="learnable_adam", kind="train", dtype=tf.float32):
    task = taskset.make_task("digits_mlp", {"layer_sizes": [8], "bs": 16}, source="synthetic")
    return Problem(task, optimizers.get(name), objectives.get(kind), objectives.LossScale(2.5, 0.5), dtype)


@pytest.fixture(scope="module")
def digit_unroll():
    return Unroll(digits(), pairs=3, signs=2, steps=5)


def first_truncation(unroll, seed=0, lengths=50):
    from learned.estimators import episodes

    return episodes.next_truncation(unroll, episodes.start(seed, unroll.pairs), of_length(lengths), base.together)


def test_signs_share_start_and_batches_and_pairs_do_not(digit_unroll):
    theta = np.tile(digit_unroll.problem.theta(0), [6, 1])
    losses, _ = digit_unroll.run(theta, theta, digit_unroll.empty(), *first_truncation(digit_unroll).arguments)
    losses = np.asarray(losses).reshape(5, 2, 3)
    np.testing.assert_array_equal(losses[:, 0], losses[:, 1])
    assert len(np.unique(losses[:, 0])) == 15


def test_a_truncation_is_the_training_that_the_task_defines(digit_unroll):
    """Pair 1's losses again, step by step, from the task's own functions."""
    from learned.estimators.episodes import episode_seed

    problem = digit_unroll.problem
    theta = np.tile(problem.theta(0), [6, 1])
    losses, _ = digit_unroll.run(theta, theta, digit_unroll.empty(), *first_truncation(digit_unroll).arguments)
    weights, seed, expected = problem.layout.views(tf.constant(theta[0])), episode_seed(0, 1, 1), []
    params = problem.task.init(seed)
    state, batches = problem.optimizer.init(weights, params), problem.task.batches("train", seed)
    for step in range(5):
        loss, gradients = problem.task.value_and_gradients(params, next(batches), 0)
        expected.append(np.clip((loss - 0.5) / 2.0, -2, 2))
        params, state = problem.optimizer.update(weights, gradients, state, params, step, loss, loss)
    np.testing.assert_allclose(np.asarray(losses)[:, 1], expected, rtol=1e-5)


def test_truncations_follow_each_other_and_start_anew_in_the_middle(digit_unroll):
    """Episodes of 7 in truncations of 5: the losses are those of separate trainings from their starts."""
    from learned.estimators import episodes

    theta, state, inner, found = np.tile(digit_unroll.problem.theta(0), [6, 1]), episodes.start(0, 3), digit_unroll.empty(), []
    for _ in range(3):
        truncation = episodes.next_truncation(digit_unroll, state, of_length(7), base.together)
        losses, inner = digit_unroll.run(theta, theta, inner, *truncation.arguments)
        found.append(np.asarray(losses)[:, 0])
        state = truncation.after
    found = np.concatenate(found)
    for episode, (start, stop) in enumerate([(0, 7), (7, 14)], start=1):
        problem, seed = digit_unroll.problem, episodes.episode_seed(0, 0, episode)
        params, batches = problem.task.init(seed), problem.task.batches("train", seed)
        weights = problem.layout.views(tf.constant(theta[0]))
        inner_state = problem.optimizer.init(weights, params)
        for step in range(stop - start):
            loss, gradients = problem.task.value_and_gradients(params, next(batches), 0)
            assert found[start + step] == pytest.approx(float((loss - 0.5) / 2.0), rel=1e-5)
            params, inner_state = problem.optimizer.update(weights, gradients, inner_state, params, step, loss, loss)


def test_first_lengths_spread_the_resets():
    from learned.estimators import episodes

    class Blind:
        pairs, steps = 50, 4

        def fresh(self, seeds):
            return {}

        def raw(self, pieces):
            self.pieces = pieces
            assert all(sum(count for *_, count in parts) == 4 for parts in pieces)
            return {}

    unroll, state, resets = Blind(), episodes.start(0, 50), []
    for _ in range(30):
        truncation = episodes.next_truncation(unroll, state, of_length(20), base.spread)
        state = truncation.after
        resets.append(truncation.reset_at)
        assert np.all(state["steps"] <= state["length"]) and np.all(state["steps"] >= 1)
    per_truncation = np.sum(np.array(resets)[6:] < 4, axis=1)
    assert per_truncation.min() > 0 and per_truncation.max() < 40 and per_truncation.sum() == pytest.approx(24 * 50 / 5, rel=0.1)


@pytest.mark.parametrize("name", ["pes", "es_single", "es_full", "combined"])
def test_same_seed_same_numbers_and_states_can_be_saved(name):
    estimator = estimators.get(name)(digits(), settings(pairs=2, first_lengths=base.spread), mode="graph_loop")
    theta = estimator.problem.theta(0)
    state = estimator.init(5)
    for _ in range(2):
        _, state = estimator.estimate(theta, state, of_length(9))
    copy = from_leaves(estimator.init(5), named_leaves(state))
    one, state = estimator.estimate(theta, state, of_length(9))
    two, copy = estimator.estimate(theta, copy, of_length(9))
    np.testing.assert_array_equal(one.gradient, two.gradient)
    for path, leaf in named_leaves(state).items():
        np.testing.assert_array_equal(leaf, named_leaves(copy)[path])
    other, _ = estimator.estimate(theta, estimator.init(6), of_length(9))
    assert not np.array_equal(one.gradient, other.gradient)


def noisy_quadratic():
    standard = ["normal", {"mean": 0, "std": 1}]
    noise = {"A_noise": ["normal", {"mean": 0, "std": 0.1}]}
    config = {"dims": 5, "seed": 1, "A_dist": standard, "initial_dist": standard, "output_fn": "log", "loss_scale": 1.0}
    config["noise"] = noise
    return taskset.make_task("quadratic_family", config)


def tasks_to_batch():
    yield "digits", digits("learnable_adam", "valid")
    yield "noise", digits("learnable_sgdm", "noise")
    yield "quadratic", Problem(noisy_quadratic(), optimizers.get("learnable_sgdm"), objectives.get("valid"), objectives.unscaled)


@pytest.mark.parametrize("which, problem", tasks_to_batch())
def test_batched_is_one_after_the_other(which, problem):
    rng = np.random.default_rng(0)
    theta = (problem.theta(0) + 0.1 * rng.normal(size=(4, problem.layout.size))).astype(np.float32)
    results = []
    for layout in ("batched", "one_by_one"):
        unroll = BackpropagatedUnroll(problem, pairs=2, signs=2, steps=4, mode="graph_loop", layout=layout)
        truncation = first_truncation(unroll)
        reset = tf.constant([0, 0])
        arguments = (
            truncation.fresh,
            tf.constant(truncation.first),
            reset,
            tf.constant(truncation.horizons),
            truncation.raw,
            truncation.key,
        )
        losses, inner = unroll.run(theta, theta, unroll.empty(), *arguments)
        again, _, gradients = unroll.gradients(tf.constant(theta), unroll.empty(), *arguments)
        np.testing.assert_allclose(losses, again, rtol=1e-5, atol=1e-6)
        results.append({"losses": np.asarray(losses), "gradients": np.asarray(gradients), **named_leaves(inner)})
    for name, value in results[0].items():
        np.testing.assert_allclose(value, results[1][name], rtol=2e-4, atol=1e-5 * max(1, np.abs(value).max()), err_msg=name)


def test_convolutions_are_computed_one_by_one_and_the_choice_is_reported():
    options = {"bs": 4, "just_train": False, "num_classes": 10, "num_train": 1000}
    config = {
        "strides": [[2, 2]], "hidden_units": [3], "activation": "tanh", "w_init": ["glorot_normal", None], "padding": ["SAME"],
        "pool_type": "mean", "use_bias": True, "dataset": ["mnist", options, None], "center_data": True,
    }  # fmt: skip
    task = taskset.make_task("conv_pooling_family", config, source="synthetic")
    problem = Problem(task, optimizers.get("learnable_sgd"), objectives.get("train"), objectives.unscaled)
    unroll = BackpropagatedUnroll(problem, pairs=1, signs=2, steps=2)
    assert (unroll.layout, unroll.mode) == ("one_by_one", "graph_loop") and "Conv2D" in unroll.why
    theta = np.array([[-2.0], [-3.0]], np.float32)
    _, _, gradients = unroll.gradients(tf.constant(theta), unroll.empty(), *first_truncation(unroll).arguments)
    plus, _ = unroll.run(theta + 1e-2, theta + 1e-2, unroll.empty(), *first_truncation(unroll).arguments)
    minus, _ = unroll.run(theta - 1e-2, theta - 1e-2, unroll.empty(), *first_truncation(unroll).arguments)
    np.testing.assert_allclose(gradients[:, 0], np.mean((plus - minus) / 2e-2, axis=0), rtol=2e-2, atol=1e-5)


def test_recurrent_tasks_are_computed_one_by_one_under_xla_and_batched_without():
    task = taskset.get_task("char_rnn_language_model_family_seed5", source="synthetic")
    problem = Problem(task, optimizers.get("learnable_sgd"), objectives.get("train"), objectives.unscaled)
    unroll = Unroll(problem, pairs=1, signs=2, steps=2)
    assert (unroll.layout, unroll.mode) == ("one_by_one", "xla_loop") and "lists of lists" in unroll.why
    assert Unroll(problem, pairs=1, signs=2, steps=2, mode="graph_loop").layout == "batched"


def test_wide_networks_are_computed_one_by_one_where_a_cache_is_too_small():
    if tf.config.list_logical_devices("GPU"):
        pytest.skip("a core's cache decides only without an accelerator")
    task = taskset.get_task("Digits_mlp32_bs128", source="synthetic")
    for name, pairs, layout in (("mlp", 16, "one_by_one"), ("mlp", 2, "batched"), ("adafac_mlp", 16, "batched")):
        problem = Problem(task, optimizers.get(name), objectives.get("train"), objectives.unscaled)
        assert Unroll(problem, pairs=pairs, signs=2, steps=2).layout == layout


def test_xla_gives_the_same_as_the_graph():
    found = []
    for mode in ("xla_loop", "graph_loop"):
        unroll = BackpropagatedUnroll(digits("learnable_sgdm", "noise"), pairs=2, signs=1, steps=4, mode=mode)
        theta, arguments = tf.constant(np.tile(unroll.problem.theta(0), [2, 1])), first_truncation(unroll).arguments
        losses, _, gradients = unroll.gradients(theta, unroll.empty(), *arguments)
        found.append([losses, gradients, unroll.run(theta, theta, unroll.empty(), *arguments)[0]])
    for xla, graph in zip(*found):
        np.testing.assert_allclose(xla, graph, rtol=1e-3, atol=1e-5)


# Losses.


def test_scale_is_the_normalizer_on_tensors_and_its_gradients_are_finite():
    from taskset.normalization.normalizer import Normalizer

    normalizer = Normalizer("t", "none", 10, "train", -1.0, -3.0, "adam")
    scale = objectives.LossScale.of(normalizer)
    losses = np.array([-1.0, -3.0, -2.0, 50.0, -50.0, np.nan, np.inf, -np.inf], np.float32)
    np.testing.assert_allclose(scale(tf.constant(losses)), normalizer(losses))
    x = tf.constant(losses)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = scale(x)
    np.testing.assert_allclose(tape.gradient(y, x), [0.5, 0.5, 0.5, 0, 0, 0, 0, 0])


def test_pairs_that_are_not_finite_count_as_zero_and_are_counted():
    """sqrt(x) is NaN where theta + e makes x negative."""
    task = own_task(lambda x: tf.reduce_sum(tf.sqrt(x)), start=(1e-3, 1.0))
    problem = Problem(task, drifting(0.0), objectives.get("train"), objectives.unscaled, tf.float64)
    for name in ("pes", "es_single", "es_full", "es_truncated", "reparam", "combined"):
        estimator = estimators.get(name)(problem, settings(pairs=16, steps=3), mode="graph_loop")
        estimate, _ = estimator.estimate(np.zeros(2), estimator.init(0), of_length(3))
        assert estimate.non_finite == 16 and np.all(np.isfinite(estimate.gradient)), name
        assert np.all(estimate.gradient == 0), name


def test_sign_of_the_difference():
    losses = np.zeros([2, 2, 3])
    losses[:, 0] = [5.0, 0.0, -1e-6]
    d, finite = base.differences(losses, np.ones([2, 3], bool), settings(differences=base.sign, sigma=0.1))
    np.testing.assert_allclose(d, [0.1, 0, -0.1])
    assert finite.all()


def test_objectives_read_their_splits():
    train, valid, noise = (digits(kind=kind) for kind in ("train", "valid", "noise"))
    assert (train.splits, valid.splits, noise.splits) == (("train",), ("train", "valid_outer"), ("train", "valid_outer"))
    params = valid.task.init(0)
    raw = {s: {k: tf.constant(v[0]) for k, v in valid.task.raw_batches(s, 0, 0, 1).items()} for s in valid.splits}
    batches = valid.batches(raw, tf.constant([0, 0]))
    inner = valid.start(tf.constant(valid.theta(0)), params)
    loss, _ = valid.step(tf.constant(valid.theta(0)), inner, 0, batches, tf.constant([0, 1]))
    expected = objectives.LossScale(2.5, 0.5)(valid.task.loss(params, batches["valid_outer"], 0))
    assert float(loss) == pytest.approx(float(expected))
    noisy = objectives.get("noise").disturb(batches["valid_outer"], tf.constant([0, 1]))
    assert np.std(noisy["image"] - batches["valid_outer"]["image"]) == pytest.approx(0.3, rel=0.1)
    np.testing.assert_array_equal(noisy["label"], batches["valid_outer"]["label"])


def test_optimizers_that_look_at_it_are_given_the_validation_loss_every_ten_steps():
    def update(theta, grads, state, params, step, loss, validation_loss):
        return params, {"heard": validation_loss}

    optimizer = LearnedOptimizer(
        "listener", {"x": ((), constant(0.0))}, lambda theta, params: {"heard": tf.zeros([])}, update, True
    )
    task = taskset.make_task("digits_mlp", {"layer_sizes": [4], "bs": 16}, source="synthetic")
    problem = Problem(task, optimizer, objectives.get("train"), objectives.unscaled)
    heard = []
    for steps in (1, 10, 11):
        unroll = Unroll(problem, pairs=1, signs=1, steps=steps, mode="graph_loop")
        _, inner = unroll.run(
            np.zeros([1, 1], np.float32), np.zeros([1, 1], np.float32), unroll.empty(), *first_truncation(unroll).arguments
        )
        heard.append(float(inner["optimizer"]["heard"][0]))
    from learned.estimators.episodes import episode_seed

    seed = episode_seed(0, 0, 1)
    losses = []
    for _, batch in zip(range(11), task.batches("valid_inner", seed)):
        losses.append(float(task.loss(task.init(seed), batch, 0)))
    np.testing.assert_allclose(heard, [losses[0], losses[0], losses[10]], rtol=1e-5)


def test_optimizers_that_read_it_are_given_the_length_of_the_episode_they_are_in():
    """Two pairs with episodes of their own lengths; the truncation has the end of one and the start of the next."""

    def update(theta, grads, state, params, step, loss, validation_loss, horizon):
        return params, {"sum": state["sum"] + horizon, "last": horizon}

    def init(theta, params):
        return {"sum": tf.zeros([], tf.float64), "last": tf.zeros([], tf.float64)}

    optimizer = LearnedOptimizer("planner", {"x": ((), constant(0.0))}, init, update, uses_horizon=True)
    problem = Problem(own_task(tf.reduce_sum), optimizer, objectives.get("train"), objectives.unscaled, tf.float64)
    for kind, layout in ((Unroll, "batched"), (Unroll, "one_by_one"), (BackpropagatedUnroll, "batched")):
        unroll = kind(problem, pairs=2, signs=2, steps=4, layout=layout)
        theta, inner, where = np.zeros([4, 1]), unroll.empty(), episodes.start(0, 2)
        found = []
        for lengths in ((6, 5), (9, 11)):
            truncation = episodes.next_truncation(unroll, where, lambda rng, n, lengths=lengths: np.array(lengths), base.together)
            if kind is Unroll:
                _, inner = unroll.run(theta, theta, inner, *truncation.arguments)
            else:
                _, inner, _ = unroll.gradients(tf.constant(theta), inner, *truncation.arguments)
            found.append(np.asarray(inner["optimizer"]["sum"]))
            where = truncation.after
        # Pair 0 starts again after 6 of 8 steps, with a sum of 0, and takes two steps; pair 1 after 5, and takes three.
        np.testing.assert_array_equal(found, [[24, 20, 24, 20], [18, 33, 18, 33]])
        np.testing.assert_array_equal(inner["optimizer"]["last"], [9, 11, 9, 11])


def test_layout_of_theta():
    layout = Layout({"b": (2, 3), "a": (), "c": (4,)})
    weights = {"a": np.float32(7), "b": np.arange(6.0).reshape(2, 3), "c": -np.ones(4)}
    vector = layout.vector(weights)
    np.testing.assert_array_equal(vector, [0, 1, 2, 3, 4, 5, 7, -1, -1, -1, -1])
    for views in (layout.views(tf.constant(vector)), layout.arrays(vector)):
        for path, value in weights.items():
            np.testing.assert_array_equal(views[path], value)
    with pytest.raises(ValueError, match="expected are"):
        layout.vector({"a": 1.0})


def test_bad_input_is_one_line():
    for call in (
        lambda: estimators.get("es_ful"),
        lambda: objectives.get("training"),
        lambda: settings(pairs=0),
        lambda: settings(sigma=0.0),
        lambda: estimators.get("combined")(quadratic_problem(), settings(pairs=1)),
        lambda: Problem(taskset.get_task("losg_tasks_family_seed1"), drifting(0.1), objectives.get("noise"), objectives.unscaled),
        lambda: Unroll(quadratic_problem(), 1, 1, 1, mode="quick"),
    ):
        with pytest.raises(TasksetError) as error:
            call()
        assert (
            ("\n" not in str(error.value) and "llowed" in str(error.value))
            or "use --objective" in str(error.value)
            or "needs" in str(error.value)
        )
