"""Estimators of outer gradients against exact gradients."""

import numpy as np
import pytest
import tensorflow as tf

import taskset
from learned import estimators, optimizers
from learned.estimators import base, combined, episodes
from learned.optimizers.base import LearnedOptimizer
from learned.outer_training import objectives
from learned.unrolling.problem import Problem
from learned.unrolling.unroll import Unroll
from learned.unrolling.vectors import from_leaves, named_leaves
from taskset.errors import TasksetError
from taskset.tasks.initializers import constant
from tests.learned.problems import (
    DRIFT,
    digits,
    drifting,
    of_length,
    own_task,
    quadratic_gradients,
    quadratic_problem,
    settings,
    truncations,
    z_scores,
)

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
    old = lambda truncation, steps: np.arange(steps)[:, None] < truncation.reset_at - 1  # noqa: E731
    monkeypatch.setattr(episodes.Truncation, "old", old)
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
    estimate, _ = estimator.estimate(np.float32(DRIFT), estimator.init(0), of_length(EPISODE))
    pairs, steps = settings().pairs, settings().steps
    assert EPISODE % steps and estimate.steps == 2 * pairs * -(-EPISODE // steps) * steps  # past the end, too


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
    """Truncations that are whole episodes: nothing is truncated."""
    chosen = settings(pairs=pairs, steps=STEPS, sigma=SIGMA)
    estimator = estimators.get(name)(hyperbolic_problem(), chosen, mode="graph_loop")
    samples = np.concatenate([truncations(estimator, np.array([LOG_RATE]), seed, 2, of_length(STEPS)) for seed in range(20)])
    exact = smoothed_gradient()
    assert abs(z_scores(samples, exact)) < 4
    plain = (hyperbolic_loss(LOG_RATE + 1e-5) - hyperbolic_loss(LOG_RATE - 1e-5)) / 2e-5
    assert abs(z_scores(samples, plain)) > 8  # the test can distinguish the smoothed gradient from the other


@pytest.mark.long
@pytest.mark.parametrize("truncations_before", [0, 1])
def test_combined_weighs_what_es_truncated_and_reparam_estimate(truncations_before):
    problem, theta = digits(), digits().theta(0)
    made = {
        name: estimators.get(name)(problem, settings(pairs=4, steps=3), mode="graph_loop")
        for name in ("combined", "es_truncated", "reparam")
    }
    state = made["combined"].init(3)
    for _ in range(truncations_before):
        _, state = made["combined"].estimate(theta, state, of_length(7))
    es, reparam, _, _ = made["combined"].of_pairs(theta, state, of_length(7))
    for name, rows in (("es_truncated", es), ("reparam", reparam)):
        alone, _ = made[name].estimate(theta, state, of_length(7))
        assert np.abs(alone.gradient).max() > 0
        np.testing.assert_allclose(rows.mean(axis=0), alone.gradient, rtol=1e-3, atol=1e-4 * np.abs(alone.gradient).max())


def test_combined_moves_from_reparam_to_es_as_the_unroll_grows():
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


def test_combination_where_estimates_are_lost():
    """What is not finite is left out; whoever has fewer than two estimates left has no weight."""
    rng = np.random.default_rng(0)
    es, reparam = 1 + rng.normal(size=(16, 3)), 1 + rng.normal(size=(16, 3))
    lost = np.where(np.arange(16)[:, None] < 5, np.inf, reparam)
    for found, expected in zip(combined.combine(es, lost), combined.combine(es, reparam[5:])):
        np.testing.assert_array_equal(found, expected)
    for left in (0, 1):
        exploded = np.where(np.arange(16)[:, None] < left, reparam, np.nan)
        gradient, weight = combined.combine(es, exploded)
        np.testing.assert_array_equal(gradient, es.mean(axis=0))
        assert weight.tolist() == [1, 1, 1]
        gradient, weight = combined.combine(exploded, reparam)
        np.testing.assert_array_equal(gradient, reparam.mean(axis=0))
        assert weight.tolist() == [0, 0, 0]
    gradient, weight = combined.combine(exploded, exploded)
    assert gradient.tolist() == weight.tolist() == [0, 0, 0]


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


def test_pairs_that_are_not_finite_count_as_zero_and_are_counted():
    """sqrt(x) is NaN where theta + e makes x negative."""
    task = own_task(lambda x: tf.reduce_sum(tf.sqrt(x)), start=(1e-3, 1.0))
    problem = Problem(task, drifting(0.0), objectives.get("train"), objectives.unscaled, tf.float64)
    for name in ("pes", "es_single", "es_full", "es_truncated", "reparam", "combined"):
        estimator = estimators.get(name)(problem, settings(pairs=16, steps=3), mode="graph_loop")
        estimate, _ = estimator.estimate(np.zeros(2), estimator.init(0), of_length(3))
        assert estimate.non_finite == 16 and np.all(np.isfinite(estimate.gradient)), name
        assert np.all(estimate.gradient == 0), name


def test_a_pair_of_several_that_is_not_finite_counts_as_zero():
    """Each part by itself: of a pair whose new episode is lost the old one counts."""
    losses = np.zeros([2, 2, 4])
    losses[:, 0] = [[2.0, np.nan, 1.0, np.inf], [4.0, 1.0, np.nan, 1.0]]
    d, finite = base.differences(losses, settings(sigma=0.1))
    assert d.tolist() == [3, 0, 0, 0] and finite.tolist() == [True, False, False, False]
    old = np.array([[True] * 4, [False] * 4])
    d_old, d_new, both = base.differences_at_resets(losses, old, settings(sigma=0.1))
    assert d_old.tolist() == [1, 0, 0.5, 0] and d_new.tolist() == [2, 0.5, 0, 0.5]
    assert both.tolist() == [True, False, False, False]


def test_sign_of_the_difference():
    losses = np.zeros([2, 2, 3])
    losses[:, 0] = [5.0, 0.0, -1e-6]
    d, finite = base.differences(losses, settings(differences=base.sign, sigma=0.1))
    np.testing.assert_allclose(d, [0.1, 0, -0.1])
    assert finite.all()


def test_a_pair_that_starts_again_has_one_sign_of_its_difference():
    """Parts keep their signs and shares: one step of the old episode weighs no more than it changed."""
    old, losses = np.zeros([20, 3], bool), np.zeros([20, 2, 3])
    old[0] = True
    losses[0, 0], losses[1:, 0] = [-1e-6, 0.3, 0.0], [[0.5, 0.1, 0.0]]
    before, after, finite = base.differences_at_resets(losses, old, settings(differences=base.sign, sigma=0.01))
    np.testing.assert_allclose(before, [-0.01 * 1e-6 / (19 * 0.5 + 1e-6), 0.01 * 0.3 / 2.2, 0], atol=1e-18)
    np.testing.assert_allclose(np.abs(before) + np.abs(after), [0.01, 0.01, 0])
    assert finite.all() and after[0] > 0
    values = base.differences_at_resets(losses, old, settings())[:2]
    np.testing.assert_allclose(values, [[-5e-8, 0.015, 0], [0.475, 0.095, 0]])


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
