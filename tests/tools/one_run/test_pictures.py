"""tools/one_run/pictures.py: what the pictures of docs/one_run.md show."""

import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tools.one_run import pictures

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
    np.testing.assert_allclose(pictures.of_trials(rates)[:, 0], wanted)


def test_differences_are_to_the_best_rate_of_each_task():
    found = scores_of()
    differences = pictures.differences(found, "ours").xs(2000, level="horizon")
    np.testing.assert_allclose(differences, (np.arange(11) - 5) / 100)


def test_the_tasks_that_are_drawn_stand_for_the_tenth_the_median_and_the_last_tenth():
    assert list(pictures.chosen(scores_of(), "ours", 2000).values()) == ["t01", "t05", "t09"]


@pytest.mark.parametrize("others", [[], ["hand_made"]])
def test_the_overview_is_drawn(tmp_path, others):
    found = scores_of().assign(**dict.fromkeys(others, 0.4))
    families = {f"t{i:02}": f"family_{i % 2}" for i in range(11)}
    pictures.overview(found, "ours", families, tmp_path / "overview.png")
    assert (tmp_path / "overview.png").stat().st_size > 20_000


def test_columns_of_the_overview_have_titles_one_axis_and_a_legend_of_what_they_show(tmp_path, saved_figures):
    found = scores_of().assign(hand_made=0.4, other=0.5)
    pictures.overview(found, "ours", {f"t{i:02}": f"family_{i % 2}" for i in range(11)}, tmp_path / "a.png")
    panels = np.array(saved_figures[0].axes).reshape(3, 2)
    assert [axes.get_title() for axes in panels[0]] == ["200 steps, 11 tasks", "2,000 steps, 11 tasks"]
    for left, right in panels:
        assert left.get_xlim() == right.get_xlim() and left.get_ylim() == right.get_ylim()
    shown = [line for line in panels[2, 1].get_lines() if not line.get_label().startswith("_")]
    assert len({(line.get_color(), line.get_marker()) for line in shown}) == len({line.get_marker() for line in shown}) == 4
    labels = [text.get_text() for text in saved_figures[0].legends[0].get_texts()]
    assert labels == [line.get_label() for line in shown] == ["Adam's best rate of each task", "ours", "hand_made", "other"]
    above = [text.get_text() for text in panels[0, 1].get_legend().get_texts()]
    assert {"95% interval of its mean: Adam", "95% interval of its mean: ours"} <= set(above)


def test_learning_curves_have_a_line_for_each_seed_and_a_title_for_each_horizon(tmp_path, saved_figures):
    found = scores_of()
    keys = itertools.product((200, 2000), sorted({task for _, task in found.index}), [*RATES, "ours"], range(3), range(3))
    curves = pd.DataFrame(keys, columns=["horizon", "task", "optimizer", "seed", "step"]).assign(train=1.0)
    curves = curves[(curves["optimizer"] == "ours") | (curves["seed"] < 2)]
    scale = SimpleNamespace(scales={"train": (1.0, 0.0)})
    pictures.learning_curves(found, curves, "ours", SimpleNamespace(entry=lambda task: scale), tmp_path / "a.png")
    panels = np.array(saved_figures[0].axes).reshape(3, 2)
    for left, right in panels:
        assert [left.get_title("right"), right.get_title("right")] == ["200 steps", "2,000 steps"]
        assert left.get_title("left").startswith("t0") and left.get_ylim() == right.get_ylim()
        lines = [(line.get_color(), line.get_linestyle()) for line in left.get_lines()]
        assert len(lines) == len(set(lines)) == 5
    labels = [text.get_text() for text in saved_figures[0].legends[0].get_texts()]
    assert labels == ["Adam, best rate of the task, 2 seeds", "ours, 3 seeds"]


def test_more_seeds_than_kinds_of_lines_are_named_once(tmp_path, saved_figures):
    found = scores_of()
    keys = itertools.product((200, 2000), sorted({task for _, task in found.index}), [*RATES, "ours"], range(5), range(3))
    curves = pd.DataFrame(keys, columns=["horizon", "task", "optimizer", "seed", "step"]).assign(train=1.0)
    scale = SimpleNamespace(scales={"train": (1.0, 0.0)})
    pictures.learning_curves(found, curves, "ours", SimpleNamespace(entry=lambda task: scale), tmp_path / "a.png")
    labels = [text.get_text() for text in saved_figures[0].legends[0].get_texts()]
    assert labels == ["Adam, best rate of the task, 5 seeds", "ours, 5 seeds"]
