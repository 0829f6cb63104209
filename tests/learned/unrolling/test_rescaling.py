"""Rescaling augmentation: what is drawn, and that losses and gradients are those of the task at s w."""

import numpy as np
import pytest
import tensorflow as tf

from learned import choices
from learned.estimators import base, episodes
from learned.estimators.pes import PES
from learned.outer_training import objectives
from learned.unrolling import rescaling
from learned.unrolling.backpropagation import BackpropagatedUnroll
from learned.unrolling.rescaling import RescaledProblem
from learned.unrolling.unroll import Unroll
from tests.learned.problems import mixed_task, multiplicative, multiplicative_problem

SHAPES = {"a": (3, 2), "b": (4,), "c": ()}


def rescaled(kind):
    return RescaledProblem(kind, mixed_task(), multiplicative(), objectives.get("train"), objectives.unscaled, tf.float64)


def estimates(problem, count=4):
    made = PES(problem, base.Settings(pairs=3, steps=4, sigma=0.01), mode="graph_loop")
    state, found, theta = made.init(2), [], problem.theta(0)
    for _ in range(count):
        estimate, state = made.estimate(theta, state, lambda rng, n: np.full(n, 7))
        found.append((estimate.loss, estimate.gradient))
    return found, state


@pytest.mark.parametrize("kind", choices.AUGMENTATIONS)
def test_a_rule_that_is_scale_invariant_sees_the_same_losses(kind):
    """Across resets, where every pair draws a new s: losses and outer gradients are those without augmentation."""
    expected, _ = estimates(multiplicative_problem())
    found, state = estimates(rescaled(kind))
    for (loss, gradient), (plain_loss, plain_gradient) in zip(found, expected):
        assert loss == pytest.approx(plain_loss, rel=1e-9)
        np.testing.assert_allclose(gradient, plain_gradient, rtol=1e-6)
    scale = {path: np.asarray(s) for path, s in state["inner"]["scale"].items()}
    for s in scale.values():
        np.testing.assert_array_equal(s[:3], s[3:])  # both signs of a pair
    if kind != "none":
        assert len({float(s.flat[0]) for s in np.split(scale["a"][:3], 3)}) > 1  # an episode has its own


def test_gradients_are_those_of_the_rescaled_loss():
    """s g(s w) against central differences of w -> L(s w)."""
    problem = rescaled("parameter")
    fresh = tf.nest.map_structure(lambda x: x[0], problem.initializer()([5]))
    theta = tf.constant(problem.theta(0))
    inner = problem.start(theta, fresh)
    step = tf.function(lambda inner: problem.step(theta, inner, 0, {"train": {}}, tf.constant([1, 2])), autograph=False)
    loss, after = step(inner)
    start = problem.task.init(5, tf.float64)
    assert float(loss) == pytest.approx(float(problem.task.loss(start, {}, 0)), rel=1e-12)
    for path, w in inner["params"].items():
        flat, gradient = np.ravel(w), np.ravel(after["optimizer"]["gradient"][path])
        for i in range(flat.size):
            h = 1e-5 / float(np.ravel(fresh["scale"][path])[i])  # steps of one size where the task is
            ends = []
            for sign in (1, -1):
                moved = flat.copy()
                moved[i] += sign * h
                params = {**inner["params"], path: tf.reshape(tf.constant(moved), w.shape)}
                ends.append(float(step({**inner, "params": params})[0]))
            assert gradient[i] == pytest.approx((ends[0] - ends[1]) / (2 * h), rel=1e-5)


def test_scales_are_drawn_as_their_kind_says():
    one = [rescaling.draw_scales("global", seed, SHAPES) for seed in range(2000)]
    assert all(len({float(x) for s in draws.values() for x in np.ravel(s)}) == 1 for draws in one[:20])
    log = np.log([draws["a"] for draws in one]) / np.log(1000)
    assert (
        np.abs(log).max() <= 1 and np.mean(log) == pytest.approx(0, abs=0.05) and np.std(log) == pytest.approx(3**-0.5, abs=0.03)
    )
    tensor, entries = (rescaling.draw_scales(kind, 1, SHAPES) for kind in ("tensor", "parameter"))
    assert len({float(s) for s in tensor.values()}) == 3 and all(s.shape == () for s in tensor.values())
    assert {path: s.shape for path, s in entries.items()} == SHAPES
    assert len({float(x) for s in entries.values() for x in np.ravel(s)}) == 11
    kinds = {"none": 0, "global": 0, "tensor": 0, "parameter": 0}
    for seed in range(1400):
        drawn = rescaling.draw_scales("mixed", seed, SHAPES)
        distinct, ones = len({float(x) for s in drawn.values() for x in np.ravel(s)}), drawn["c"] == 1
        kinds["none" if ones else {1: "global", 3: "tensor", 11: "parameter"}[distinct]] += 1
    for kind, weight in rescaling.MIXTURE.items():
        assert kinds[kind] == pytest.approx(200 * weight, abs=60)


def test_backpropagation_goes_through_it():
    """d L / d theta by backpropagation is the same with the augmentation, as the losses are."""
    gradients = []
    for problem in (multiplicative_problem(), rescaled("tensor")):
        unroll = BackpropagatedUnroll(problem, 2, 1, 4, "graph_loop")
        truncation = episodes.next_truncation(unroll, episodes.start(3, 2), lambda rng, n: np.full(n, 4), base.together)
        theta = tf.tile(tf.constant(problem.theta(0))[None], [2, 1])
        gradients.append(unroll.gradients(theta, unroll.empty(), *truncation.arguments)[2].numpy())
    np.testing.assert_allclose(gradients[1], gradients[0], rtol=1e-9)
    assert np.abs(gradients[0]).max() > 0


def test_both_layouts_compute_the_same():
    problem = rescaled("mixed")
    losses = []
    for layout in ("batched", "one_by_one"):
        unroll = Unroll(problem, 2, 2, 4, "graph_loop", layout)
        truncation = episodes.next_truncation(unroll, episodes.start(3, 2), lambda rng, n: np.full(n, 4), base.together)
        theta = tf.tile(tf.constant(problem.theta(0))[None], [4, 1])
        losses.append(unroll.run(theta, theta, unroll.empty(), *truncation.arguments)[0].numpy())
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-12)
