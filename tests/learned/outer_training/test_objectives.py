"""Objectives: their scales, and the splits that they read."""

import numpy as np
import pytest
import tensorflow as tf

from learned.outer_training import objectives, session
from taskset.errors import ConfigError
from taskset.random import stateless
from tests.learned.problems import digits
from tests.learned.trainings import options, suite


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
    key = tf.constant([0, 1])
    disturbed = objectives.get("noise").disturb(batches["valid_outer"], stateless.fold(key, 0))
    found, clean = (
        objectives.get(kind)(valid.task, params, tf.constant(0.0), batches["valid_outer"], key) for kind in ("noise", "valid")
    )
    assert float(found) == float(valid.task.loss(params, disturbed, stateless.fold(key, 1))) != float(clean)
    noisy = objectives.get("noise").disturb(batches["valid_outer"], tf.constant([0, 1]))
    assert np.std(noisy["image"] - batches["valid_outer"]["image"]) == pytest.approx(0.3, rel=0.1)
    np.testing.assert_array_equal(noisy["label"], batches["valid_outer"]["label"])


def test_tasks_that_an_objective_can_not_have_are_refused_before_the_first_step(tmp_path):
    """Not when they are drawn, which may be hours later, and again whenever the training is resumed."""
    chosen = suite(("mlp_family_seed12", "quadratic_family_seed3", "quadratic_family_seed4"))
    said = r"no real-valued inputs .*; of suite 'tests' these .* for noise: quadratic_family_seed3, quadratic_family_seed4"
    with (
        pytest.raises(ConfigError, match=said),
        session.open_trainer(chosen, options(objective="noise"), tmp_path / "out"),
    ):
        pass
    assert not (tmp_path / "out").exists()
