"""Gradient noise of losg_tasks_family."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tests.tasks.losg_configs import CONFIGS, start, task_of


def disturbances(config, exact_config, draws):
    """Disturbed minus exact gradients, [draws, entries] for each parameter; the losses of both must agree."""
    noisy, exact = task_of(config), task_of(exact_config)
    params, batch = start(noisy)
    loss, truth = exact.value_and_gradients(params, batch, 0)
    run = tf.function(noisy.value_and_gradients, autograph=False)
    results = [run(params, batch, tf.constant(seed)) for seed in range(draws)]
    np.testing.assert_allclose([r[0] for r in results], loss, rtol=1e-6)
    return {path: np.stack([np.ravel(r[1][path] - truth[path]) for r in results]) for path in truth}, batch


@pytest.mark.parametrize("kind", ["quadratic", "min_max_well", "bowl", "optimization_test_problems"])
def test_gradient_noise_is_normal_and_spares_the_loss(kind):
    kind, args, number = CONFIGS["beale" if kind == "optimization_test_problems" else kind]
    noise = disturbances([kind, {**args, "noise_stdev": 40.0}, number], [kind, args, number], 300)[0]["x"]
    standard = noise / 40
    assert abs(standard.mean()) < 4 / math.sqrt(standard.size)
    assert standard.var() == pytest.approx(1, abs=5 * math.sqrt(2 / standard.size))
    assert np.abs(standard).max() > 2 and len(np.unique(standard.round(4))) > 0.9 * standard.size


def test_noise_of_sparse_softmax_falls_on_every_entry_alike():
    """The loss has the squares of all parameters: its gradient is dense, and so is the noise, whatever the batch looks up."""
    kind, args, number = CONFIGS["sparse_softmax_regression"]
    noise, _ = disturbances([kind, {**args, "noise_stdev": 2.0}, number], [kind, args, number], 400)
    assert set(noise) == {"embeddings", "w", "b"}
    for path, values in noise.items():
        np.testing.assert_allclose(values.var(0), 4, rtol=0.4, err_msg=path)  # each entry by itself
        assert values.var() == pytest.approx(4, abs=5 * 4 * math.sqrt(2 / values.size)), path
    entries = np.concatenate(list(noise.values()), axis=1)
    assert np.abs(np.corrcoef(entries.T) - np.eye(entries.shape[1])).max() < 0.25


def test_noise_of_sparse_softmax_falls_on_a_row_never_looked_up():
    config = ["sparse_softmax_regression", {"n_features": 4, "n_classes": 2, "noise_stdev": 2.0, "bs": 1, "n_samples": 1}, 71]
    task = task_of(config)
    batch = {"ids": tf.zeros([1, 5], tf.int32), "label": tf.zeros([1], tf.int32)}
    gradients = {"embeddings": tf.zeros([2, 4]), "w": tf.zeros([4, 2]), "b": tf.zeros([2])}
    assert task.model.gradient_noise(gradients, batch, tf.constant([1, 2]))["embeddings"].numpy().all()


def test_sparse_problems_zero_entries_and_disturb_the_rest():
    base = ["quadratic", {"dim": 100, "noise_stdev": 9.0}]
    exact = ["quadratic", {"dim": 100, "noise_stdev": 0.0}, 71]
    config = ["sparse_problems", {"base": base, "zero_probability": 0.93, "noise_stdev": 0.5}, 71]
    params, batch = start(task_of(config))
    truth = np.ravel(task_of(exact).value_and_gradients(params, batch, 0)[1]["x"])
    run = tf.function(task_of(config).value_and_gradients, autograph=False)
    gradients = np.stack([np.ravel(run(params, batch, tf.constant(seed))[1]["x"]) for seed in range(200)])
    kept = gradients != 0
    assert kept.mean() == pytest.approx(0.07, abs=0.008)
    noise = (gradients - truth)[kept]
    assert noise.std() == pytest.approx(0.5, rel=0.1) and abs(noise.mean()) < 0.06


@pytest.mark.parametrize("kind, more", [("rescale_problems", {"scale": 2.0}), ("log_objective", {})])
def test_noise_of_the_base_has_no_effect(kind, more):
    assert task_of([kind, {"base": ["quadratic", {"dim": 10, "noise_stdev": 9.0}], **more}, 71]).model.gradient_noise is None
