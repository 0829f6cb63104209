"""Rows of a score's table: which trial is chosen by what, and what is counted."""

import numpy as np
import pandas as pd
import pytest

from taskset.scoring import rivals, run_scores, standing
from taskset.scoring.rows import rows_of_drawn, rows_of_list

SPLITS = ("train", "valid_outer", "test")


def frame(values, seeds=(0, 1)):
    """Of {task: {optimizer: (train, valid_outer, test)}}, the second seed .02 higher; "b" diverges from its second seed."""
    rows = [
        (task, optimizer, seed, split, *2 * [loss + 0.02 * seed], optimizer == "b" and seed == 1)
        for task, each in values.items()
        for optimizer, losses in each.items()
        for seed in seeds
        for split, loss in zip(SPLITS, losses)
    ]
    return pd.DataFrame(rows, columns=["task", "optimizer", "seed", "split", "score", "unclipped", "diverged"])


# By the train loss the best trial is b, by the validation loss c, by the test loss a; on the second task it is a by all.
VALUES = {
    "one": {"a": (0.5, 0.6, 0.1), "b": (0.2, 0.9, 0.8), "c": (0.9, 0.3, 0.4)},
    "two": {"a": (0.1, 0.1, 0.1), "b": (0.3, 0.3, 0.3), "c": (0.2, 0.2, 0.2)},
}


def test_train_losses_are_chosen_by_train_losses_and_test_losses_by_validation():
    speeds = pd.DataFrame({"a": [1.0, 4.0], "b": [2.0, 5.0], "c": [3.0, 6.0]}, index=["one", "two"])
    first, whole = rows_of_list(frame(VALUES), "mine", ["a", "b", "c"], own=True, speeds=speeds)
    assert (first.trials, whole.trials, whole.title, whole.own) == (1, 3, "mine", True)
    assert first.values["train"] == pytest.approx({"one": 0.51, "two": 0.11})
    assert whole.values["train"] == pytest.approx({"one": 0.21, "two": 0.11})
    assert whole.values["test"] == pytest.approx({"one": 0.41, "two": 0.11})
    assert (first.runs, first.diverged) == (4, 0) and (whole.runs, whole.diverged) == (12, 2)
    assert first.speeds == {"one": 1, "two": 4} and whole.speeds == {"one": 2, "two": 4}
    value, low, high = whole.summary("train")["mean"]
    assert value == pytest.approx(0.16) and (low, high) == pytest.approx((0.11, 0.21))
    assert whole.won("test", first) == 0.25 and first.won("train", whole) == 0.25  # equal on one of two, and worse


@pytest.mark.parametrize("beyond, clipped", [(-3, -2), (3, 2)])
def test_of_trials_that_are_clipped_alike_the_lowest_is_chosen(beyond, clipped):
    """By clipped losses all three are equal, and the first would be taken."""
    losses = {"one": {"a": (beyond,) * 2 + (-1,), "b": (beyond - 1 / 2,) * 2 + (-1.9,), "c": (beyond - 1 / 4,) * 2 + (-1.5,)}}
    runs = frame(losses, seeds=(0,)).assign(diverged=False)
    runs["score"] = runs["score"].clip(-2, 2)
    speeds = pd.DataFrame({"a": [1.0], "b": [2.0], "c": [3.0]}, index=["one"])
    for rows_of in (rows_of_list, rows_of_drawn):
        row = rows_of(runs, "mine", ["a", "b", "c"], speeds=speeds)[-1]
        assert (row.values["train"]["one"], row.values["test"]["one"], row.speeds["one"]) == (clipped, -1.9, 2)
    means = runs.groupby(["split", "task", "optimizer"])["score"].mean().unstack()
    rule = rivals.Rule("own:train", "own", 3, ("a", "b", "c"), rivals.best_by_train)
    assert rule.choose(run_scores.places(runs), rule.members) == {"one": "b"} and rule.choose(means, rule.members) == {"one": "a"}


def test_drawn_trials_are_the_mean_over_all_choices_and_count_all_that_was_run():
    first, whole = rows_of_drawn(frame(VALUES), "mine", ["a", "b", "c"])
    assert first.values["train"]["one"] == pytest.approx(np.mean([0.51, 0.21, 0.91]))
    assert first.values["test"]["one"] == pytest.approx(np.mean([0.11, 0.81, 0.41]))
    assert whole.values["test"]["one"] == pytest.approx(0.41) and (first.runs, first.diverged) == (12, 2)


def test_a_task_without_test_scores_is_left_out_of_that_split_alone():
    scores = frame(VALUES)
    (row,) = rows_of_list(scores[(scores["split"] != "test") | (scores["task"] == "two")], "mine", ["a"])
    assert [*row.values["test"]] == ["two"] and [*row.values["train"]] == ["one", "two"]


def test_one_rate_for_all_is_the_best_over_tasks_however_many_seeds_they_have():
    """By runs the second rate would win, which has five seeds of the task that suits it."""
    slow, fast = "adam_lr_-3.00", "adam_lr_-2.00"
    one = frame({"one": {slow: (0.1, 0.1, 0.1), fast: (0.9, 0.9, 0.9)}}, seeds=[0])
    two = frame({"two": {slow: (0.6, 0.6, 0.6), fast: (0.3, 0.3, 0.3)}}, seeds=[0] * 5)
    listed = frame({"one": dict.fromkeys(rivals.opt_list_names(1), (0.05, 0.2, 0.3))}, seeds=[0])
    rows, tuned, notes = standing._rivals(pd.concat([one, two, listed]), ["one", "two"], None)
    titles = [row.title for row in rows]
    assert [row.key for row in rows] == [rivals.ADAM_ONE, rivals.ADAM_TUNED, f"{rivals.LIST}:1"]
    assert titles == [f"Adam, one: {slow}", "Adam, tuned per task", "learned list (1 task)"] and tuned is rows[1]
    assert rows[0].values["train"] == pytest.approx({"one": 0.1, "two": 0.6}) and rows[0].trials == 1
    assert tuned.values["train"] == pytest.approx({"one": 0.1, "two": 0.3}) and tuned.trials == 2
    assert rows[2].values["test"] == pytest.approx({"one": 0.3})
    assert notes == ["the baselines have NAdamW's learned list on 1 of these 2 tasks: compare it by `won`"]
    half = frame({"two": dict.fromkeys(rivals.opt_list_names(1), (0.05, 0.2, 0.3))}, seeds=[0])
    ten = frame({"one": dict.fromkeys(rivals.opt_list_names(10)[1:], (0.05, 0.2, 0.3))}, seeds=[0])
    notes = standing._rivals(pd.concat([one, two, listed, half, ten]), ["one", "two"], None)[2]
    assert notes == ["the baselines have NAdamW's learned list on 1 of these 2 tasks: compare it by `won`"]  # its first on both
    partly = pd.concat([one, two, frame({"one": {"adam_lr_-1.00": (0.0, 0.0, 0.0)}})])  # a rate that one task alone has
    rows, tuned, _ = standing._rivals(partly, ["one", "two"], None)
    assert tuned.trials == 2 and tuned.values["train"]["one"] == pytest.approx(0.1)
