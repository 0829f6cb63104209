"""tools/one_run_pictures.py: what the pictures of docs/one_run.md show."""

import itertools

import numpy as np
import pandas as pd
import pytest

from tools import one_run_pictures

RATES = ["adam_lr_-3.00", "adam_lr_-2.00", "adam_lr_-1.00"]


def scores_of(tasks=11):
    """Scores of an optimizer that is better than Adam's best rate by -5, -4, .. hundredths, on tasks t00, t01, .."""
    index = pd.MultiIndex.from_product([(200, 2000), [f"t{i:02}" for i in range(tasks)]], names=["horizon", "task"])
    rates = np.random.default_rng(0).uniform(0.3, 1, (len(index), len(RATES)))
    ours = rates.min(axis=1) + np.tile((np.arange(tasks) - tasks // 2) / 100, 2)
    return pd.DataFrame(np.column_stack([rates, ours]), index, [*RATES, "ours"])


def test_the_curve_over_trials_is_the_mean_over_all_choices():
    rates = np.array([[0.9, 0.2, 0.5, 0.7]])
    wanted = [np.mean([min(choice) for choice in itertools.combinations(rates[0], trials)]) for trials in (1, 2, 3, 4)]
    np.testing.assert_allclose(one_run_pictures.of_trials(rates)[:, 0], wanted)


def test_differences_are_to_the_best_rate_of_each_task():
    found = scores_of()
    differences = one_run_pictures.differences(found, "ours").xs(2000, level="horizon")
    np.testing.assert_allclose(differences, (np.arange(11) - 5) / 100)


def test_the_tasks_that_are_drawn_stand_for_the_tenth_the_median_and_the_last_tenth():
    assert list(one_run_pictures.chosen(scores_of(), "ours", 2000).values()) == ["t01", "t05", "t09"]


@pytest.mark.parametrize("others", [[], ["hand_made"]])
def test_the_overview_is_drawn(tmp_path, others):
    found = scores_of().assign(**dict.fromkeys(others, 0.4))
    families = {f"t{i:02}": f"family_{i % 2}" for i in range(11)}
    one_run_pictures.overview(found, "ours", families, tmp_path / "overview.png")
    assert (tmp_path / "overview.png").stat().st_size > 20_000
