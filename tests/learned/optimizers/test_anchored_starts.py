"""learned/optimizers/anchored_starts.py: anchored with these weights is the rule that they stand for."""

import numpy as np
import pytest
import tensorflow as tf

from learned import optimizers
from learned.optimizers import anchored_starts

STEPS = 50


def moves(weights, gradients, start, horizon=STEPS):
    """The root mean square of each step's move and the parameters before it, in a run of `horizon` steps."""
    anchored, params = optimizers.get("anchored"), {"w": tf.constant(start)}
    theta = {path: tf.constant(w) for path, w in weights.items()}
    update = tf.function(anchored.update, autograph=False)
    state, found = anchored.init(theta, params), []
    for step, g in enumerate(gradients):
        given = tf.constant(step), tf.constant(1.0), tf.constant(1.0)
        after, state = update(theta, {"w": tf.constant(g)}, state, params, *given, horizon=tf.constant(float(horizon)))
        found.append((float(tf.sqrt(tf.reduce_mean((after["w"] - params["w"]) ** 2))), params["w"].numpy()))
        params = after
    return found


@pytest.mark.parametrize("level", list(anchored_starts.LEVELS))
@pytest.mark.parametrize("normalised, scaled", [(False, False), (True, False), (True, True)])
def test_the_rate_follows_the_schedule(level, normalised, scaled):
    rng = np.random.default_rng(0)
    start = rng.standard_normal(40).astype(np.float32) * 3
    gradients = rng.standard_normal((STEPS, 40)).astype(np.float32)
    plain = anchored_starts.scheduled(0.01, "constant", normalised)
    made = anchored_starts.scheduled(0.02, level, normalised, scaled)
    levels = anchored_starts.LEVELS[level](np.arange(STEPS) / STEPS)
    for step, ((before, _), (after, w)) in enumerate(zip(moves(plain, gradients, start), moves(made, gradients, start))):
        size = np.sqrt(np.mean(w**2)) * 1.005 if scaled else 1.0  # s^2 has a hundredth of the mean over all tensors more
        if step < 0.9 * STEPS:
            assert after / before == pytest.approx(2 * levels[step] * size, rel=0.08 if level == "linear" else 0.12)
        else:
            assert after / before < 2 * max(levels[step], 0.05) * size * 1.5
        if normalised and step < 5:
            assert before == pytest.approx(0.01, rel=0.02)


def test_a_constant_rate_of_a_hundredth_is_the_start_of_anchored():
    made, start = anchored_starts.scheduled(0.01, "constant"), optimizers.get("anchored").init_theta(0)
    np.testing.assert_allclose(made["controller/linear_1/w"], 0, atol=1e-6)
    np.testing.assert_allclose(made["controller/linear_1/b"], 0, atol=1e-6)
    for path in ("mlp/linear_0/w", "mlp/linear_2/w", "power"):
        np.testing.assert_array_equal(made[path], start[path])


def test_rates_that_depend_on_the_number_of_steps():
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal(40).astype(np.float32), rng.standard_normal((1, 40)).astype(np.float32)
    made, plain = (anchored_starts.scheduled(0.01, "constant", length=power) for power in (-0.5, 0.0))
    for horizon, factor in ((2000, 1.0), (500, 2.0), (8000, 0.5)):
        ((one, _),), ((other, _),) = (moves(weights, gradients, start, horizon) for weights in (made, plain))
        assert one == pytest.approx(factor * other, rel=1e-4)
