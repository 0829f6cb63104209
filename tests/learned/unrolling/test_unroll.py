"""Compiled truncations: the trainings that the task defines, batched or one by one, and what optimizers are given."""

import numpy as np
import pytest
import tensorflow as tf

import taskset
from learned import optimizers
from learned.estimators import base, episodes
from learned.optimizers.as_optimizer import with_weights
from learned.optimizers.base import LearnedOptimizer
from learned.outer_training import objectives
from learned.unrolling.backpropagation import BackpropagatedUnroll
from learned.unrolling.problem import Problem
from learned.unrolling.unroll import Unroll
from learned.unrolling.vectors import Layout, named_leaves
from taskset.execution.loop import train
from taskset.tasks.initializers import constant
from tests.learned.problems import (
    digits,
    first_truncation,
    of_length,
    own_task,
)


@pytest.fixture(scope="module")
def digit_unroll():
    return Unroll(digits(), pairs=3, signs=2, steps=5)


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


def test_truncations_follow_each_other_and_start_again_in_the_middle(digit_unroll):
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


@pytest.mark.long
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


@pytest.mark.long
def test_xla_gives_the_same_as_the_graph():
    found = []
    for mode in ("xla_loop", "graph_loop"):
        unroll = BackpropagatedUnroll(digits("learnable_sgdm", "noise"), pairs=2, signs=1, steps=4, mode=mode)
        theta, arguments = tf.constant(np.tile(unroll.problem.theta(0), [2, 1])), first_truncation(unroll).arguments
        losses, _, gradients = unroll.gradients(theta, unroll.empty(), *arguments)
        found.append([losses, gradients, unroll.run(theta, theta, unroll.empty(), *arguments)[0]])
    for xla, graph in zip(*found):
        np.testing.assert_allclose(xla, graph, rtol=1e-3, atol=1e-5)


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


@pytest.mark.parametrize("declared", [{}, {"uses_loss": True}, {"uses_validation_loss": True}])
def test_a_loss_that_a_rule_does_not_declare_is_not_there(declared):
    """Neither in outer training nor afterwards: it would be the train loss in one place, and missing in another."""
    seen = set()

    def update(theta, grads, state, params, step, loss, validation_loss):
        seen.add((loss is not None, validation_loss is not None))
        return {path: w - theta["rate"] * grads[path] for path, w in params.items()}, state

    rule = LearnedOptimizer(
        "told", {"rate": ((), constant(0.1))}, lambda theta, params: {"rate": theta["rate"]}, update, **declared
    )
    problem = Problem(digits().task, rule, objectives.get("train"), objectives.LossScale(2.5, 0.5), tf.float32)
    unroll = Unroll(problem, 1, 1, 2, mode="graph_loop")
    unroll.run(*[tf.constant(problem.theta(0))[None]] * 2, unroll.empty(), *first_truncation(unroll).arguments)
    in_training = set(seen)
    seen.clear()
    train(problem.task, with_weights(rule, {"rate": np.float32(0.1)}), 2, seed=0)
    assert in_training == seen == {("uses_loss" in declared, "uses_validation_loss" in declared)}


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
