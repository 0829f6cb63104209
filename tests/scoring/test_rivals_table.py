"""Speed-ups, profiles, and the table of rivals."""

import numpy as np
import pytest

from taskset.normalization.sweep.options import SweepOptions
from taskset.scoring import profile, row_json, speedup, step_cost
from taskset.scoring.candidates import candidate
from taskset.scoring.rivals import ADAM_ONE, ADAM_TUNED
from taskset.scoring.rows import Row
from taskset.scoring.suites import by_name, tiers
from taskset.scoring.suites.tiers import tenth
from tools.baselines import rivals, rivals_dots


def test_relative_speed_from_both_sides(monkeypatch):
    monkeypatch.setattr(speedup, "DECAY", 0.0)  # curves as they are
    steps = np.arange(0, 110, 10)
    adam = np.array([10 - steps / 20, 10 - steps / 40])  # the best goes from 10 to 5
    assert speedup.relative_speed(10 - steps / 10, steps, adam) == pytest.approx(2)
    assert speedup.relative_speed(10 - steps / 40, steps, adam) == pytest.approx(0.5)
    assert speedup.relative_speed(adam[0], steps, adam) == pytest.approx(1)
    assert speedup.relative_speed(np.where(steps > 50, np.nan, 1.0), steps, adam) == 0
    # Nothing is known of what happens before the first evaluation.
    assert speedup.relative_speed(np.where(steps > 0, 1.0, 10.0), steps, adam) == pytest.approx(10)
    assert speedup.relative_speed(np.full(len(steps), 11.0), steps, adam) == 0  # it never moves
    blown_up = np.where(steps == 10, 9.9, 10 + steps**3)  # to finite losses, after a dip that every Adam has
    assert speedup.relative_speed(blown_up, steps, adam) == 0
    # Above its start at the end, by less than it once was below: it did get there.
    assert speedup.relative_speed(np.where(steps < 100, 10 - steps / 20, 10.1), steps, adam) == pytest.approx(1)


def test_relative_speed_where_no_adam_gets_anywhere():
    steps = np.arange(0, 110, 10)
    for adam in (np.where(steps > 0, np.nan, 10.0)[None], (10 + steps)[None]):
        assert speedup.relative_speed(10 - steps / 20, steps, adam) == 1


def test_relative_speed_of_nearly_equal_curves_is_nearly_one():
    """Curves that level off early: the smallest difference at the end must not decide between half and twice the speed."""
    steps = np.arange(0, 2040, 40)
    curve = np.where(steps < 600, 10 - steps / 100, 4 + (steps - 600) / 1e4)
    for shift in (-1e-6, 0.0, 1e-6):
        assert speedup.relative_speed(curve + shift, steps, curve[None]) == pytest.approx(1, rel=1e-3)
    stretched = np.interp(steps, 2 * steps, curve)  # half as fast, and level later
    assert 0.4 < speedup.relative_speed(stretched, steps, curve[None]) < 0.8


def test_shares_of_tasks():
    found = profile.shares(np.array([0.5, 0.1, 0.5, 2.0]), np.array([0.0, 0.1, 0.5, 1.0, 2.0]))
    np.testing.assert_array_equal(found, [0, 0.25, 0.75, 0.75, 1])


def test_lines_in_colour_are_adams_and_the_lowest():
    def row(title, loss, key="", own=False):
        return Row(title, 1, {"train": {"a": loss, "b": loss}}, 0, 2, own=own, key=key)

    adam, tuned = row("Adam, one: x", 0.5, ADAM_ONE), row("Adam, tuned per task", 0.1, ADAM_TUNED)
    low, lower, high = (row(*values) for values in [("u", 0.2), ("v", -0.1), ("w", 0.9)])
    rows = [adam, tuned, low, lower, high]
    mine = row("mine", 0.0, own=True)
    assert profile.highlighted([mine, *rows]) == [adam, tuned, low, lower]
    assert profile.highlighted([mine]) == []


def test_pictures_are_drawn_again_from_the_rows_that_ship(tmp_path):
    parts = rivals.shipped(tiers.load(rivals.SUITE))
    assert list(parts) == [(1, "whole"), (10, "whole")]
    for (trials, _), found in parts.items():
        assert found.tuned.title == "Adam, tuned per task" and all(len(r.values["train"]) == 13 for r in found.rows)
        titles = {row.title for row in found.rows if row.trials == trials}
        assert {"Muon", "SOAP", "Lion"} <= titles and ("relative NAdam" in titles) == (trials == 1)
    rivals.pictures(parts, tmp_path, publish=False)
    assert {path.name for path in tmp_path.glob("*.png")} == {"rivals_1_whole.png", "rivals_10_whole.png"}


def test_pictures_have_a_dot_for_each_rival_and_task(tmp_path, saved_figures):
    found = rivals.shipped(tiers.load(rivals.SUITE))[10, "whole"]
    rivals_dots.draw(found, tmp_path / "a.png")
    (figure,) = saved_figures
    rows = rivals_dots.in_order(found.rows)
    assert len(rows) == len(found.rows) == len(figure.axes) and rows[0].title == "Muon"
    names = [label.get_text().replace("\n", "") for label in figure.axes[0].get_yticklabels()]
    assert names == [rivals_dots.MEANS, *sorted(found.tasks, reverse=True)]
    assert "synthetic data" in figure.get_supxlabel()
    for axes, row in zip(figure.axes, rows):
        assert axes.get_title().replace("\n", " ") == f"{row.title} {row.trials} trial{'s' * (row.trials > 1)}"
        for split, mark in rivals_dots.MARKS.items():
            drawn = {line.get_ydata()[0]: line for line in axes.get_lines() if line.get_marker() == mark["marker"]}
            losses = [rivals_dots.mean(row, split), *(row.values[split][task] for task in names[1:])]
            assert [drawn[place].get_xdata()[0] for place in range(14)] == losses
            assert all((line.get_color() == rivals_dots.BETTER) == (losses[place] < 0) for place, line in drawn.items())
    assert len({axes.get_xlim() for axes in figure.axes}) == 1


def test_rows_as_json_and_back():
    row = Row("mine", 3, {"train": {"a": 0.5, "b": 0.25}}, 1, 4, 0.5, True, {"a": 2.0, "b": 1.0}, 1.5)
    adam = Row("Adam", 17, {"train": {"a": 0.4, "b": 0.5}}, 0, 4)
    values = row_json.written(row, adam)
    assert values["train"]["won"] == 0.5 and values["speed_up"]["median"][0] == 1.5 and row_json.read(values) == row
    assert row_json.written(row, None)["train"]["won"] is None


def test_the_tenth_is_as_its_rule_makes_it():
    suite = tiers.load("rivals")
    whole = {entry.task: entry for entry in tiers.load("1h:1").tasks}
    assert len(suite.tasks) == 13 and {e.family for e in suite.tasks} == {e.family for e in whole.values()}
    assert all(whole[entry.task] == entry for entry in suite.tasks)
    assert max(suite.rule["costs"].values()) <= tenth.MOST_SECONDS
    assert by_name.is_name("rivals:1") and not by_name.is_name("rivals:2")


def test_the_cost_of_a_step_is_measured_beside_adams_once(tmp_path):
    suite = tiers.load("rivals:1")
    tasks = ["quadratic_family_seed12", "losg_tasks_family_seed22"]
    assert step_cost.chosen([e.task for e in suite.tasks]) != tasks and step_cost.chosen(tasks) in ([tasks[0]], [tasks[1]])
    small = [f"quadratic_family_seed{seed}" for seed in range(3 * step_cost.EACH)]
    assert step_cost.chosen([*small, "mlp_family_seed12"]) == ["mlp_family_seed12"]  # once
    options = SweepOptions(("lion",), "synthetic", 2000, (0, 1))
    cost = step_cost.of_candidate(candidate("lion"), suite, tasks, options, tmp_path, None)
    assert cost.milliseconds > 0 and 0.05 < cost.relative < 20
    assert step_cost.of_candidate(candidate("lion"), suite, tasks, options, tmp_path, None) == cost
    elsewhere = step_cost.of_candidate(candidate("lion"), suite, tasks[:1], options, tmp_path, None)
    assert cost.tasks == (tasks[1],) and elsewhere.tasks == (tasks[0],)
    other = candidate("lion", {"learning_rate": 0.5})  # of results that were here before
    assert step_cost.kept(tmp_path, other) is None
    assert step_cost.of_candidate(other, suite, tasks, options, tmp_path, None) == step_cost.kept(tmp_path, other) != cost
    assert step_cost.kept(tmp_path, candidate("lion")) is None
