"""tools/one_run/cross_fitted.py: rates that are chosen by the runs that judge them, and by others."""

import numpy as np
import pytest

from tools.one_run import cross_fitted


def test_a_lucky_run_counts_only_where_it_chose_itself():
    # Task 0: rate 0 is lucky with seed 0, rate 1 with seed 1. Task 1: rate 0 is better with both.
    scores = np.array([[[0.0, 1.0], [0.8, 0.4]], [[0.2, 0.3], [0.9, 0.9]]])
    np.testing.assert_allclose(cross_fitted.same_runs(scores), [0.5, 0.25])
    # Seed 1 chooses rate 1, which has .8 with seed 0; seed 0 chooses rate 0, which has 1 with seed 1.
    np.testing.assert_allclose(cross_fitted.other_runs(scores), [0.9, 0.25])


def test_rates_that_are_alike_seem_better_than_they_are_only_by_the_same_runs():
    scores = np.random.default_rng(0).normal(size=[2000, 17, 2])  # every rate has the mean 0
    assert cross_fitted.same_runs(scores).mean() < -1
    assert abs(cross_fitted.other_runs(scores).mean()) < 0.05
    np.testing.assert_array_equal(cross_fitted.other_runs(scores[..., :1].repeat(2, axis=2)), scores[..., 0].min(axis=1))


def test_the_scores_are_those_of_the_baselines():
    suite = cross_fitted.by_name.get_suite("heldout-valid:1")
    tasks, scores = cross_fitted.adam_scores(suite, "valid")[2000]
    assert scores.shape == (len(suite.of_split("valid")), 17, 2)
    means, *_ = cross_fitted.run_curves.scored(cross_fitted.run_curves.baselines_alone(suite, "valid"), suite, "mean")
    task, rate = tasks[7], cross_fitted.adam_rates()[9]
    chosen = scores[7, sorted(cross_fitted.adam_rates()).index(rate)].mean()
    assert chosen == pytest.approx(means.at[("train", 2000, task), rate])


def test_a_run_that_is_missing_is_an_error(monkeypatch):
    suite = cross_fitted.by_name.get_suite("heldout-valid:1")
    curves = cross_fitted.run_curves.baselines_alone(suite, "valid")
    lacking = curves[(curves["seed"] == 0) | (curves["optimizer"] != "adam_lr_-3.00")]
    monkeypatch.setattr(cross_fitted.run_curves, "baselines_alone", lambda suite, split: lacking)
    with pytest.raises(ValueError, match="lacks a run"):
        cross_fitted.adam_scores(suite, "valid")
