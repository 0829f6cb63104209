"""The tables of docs/baselines.md, from scores that are known."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from taskset.samplers.optimizers import LOG10_LEARNING_RATES
from tools.baselines import tables

RATES = len(LOG10_LEARNING_RATES)


def scores(best):
    """Of tasks whose end is .1 times the distance of a rate from the best."""
    best = np.array(best)
    end = 0.1 * abs(np.arange(RATES) - best[:, None])
    names = np.array([f"t{i}" for i in range(len(best))])
    families = np.array([f"f{i % 2}" for i in range(len(best))])
    return tables.Scores(names, families, end, 2 * end, best, np.linspace(0, 0.5, len(best)))


def cells(table, name):
    line = next(line for line in table.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_short_list_adds_what_lowers_the_mean_most():
    end = np.array([[0.0, 0.5, 0.9], [0.9, 0.5, 0.0], [0.9, 0.5, 0.1]])
    assert tables.short_list(end, 3) == [2, 0, 1]


def test_lists_are_judged_on_tasks_that_they_were_not_made_on():
    found = scores([3] * 8 + [12] * 8)
    even = tables.halves(found)[0][0]
    assert 0 < even.sum() < 16
    rising = 0.1 * np.arange(RATES)
    apart = dataclasses.replace(found, end=np.where(even[:, None], rising, rising[::-1]))
    np.testing.assert_allclose(tables.list_values(apart, 1), 0.1 * (RATES - 1))  # the best rate of the other half is the worst
    np.testing.assert_allclose(tables.list_values(apart, RATES), 0, atol=1e-12)


def test_families_and_rates():
    found = scores([4, 10] * 10)  # f0 has 4, f1 has 10
    table = tables.by_family(found)
    assert cells(table, "f0")[1:3] == [
        "10",
        f"{LOG10_LEARNING_RATES[4]:g} ({LOG10_LEARNING_RATES[4]:g} .. {LOG10_LEARNING_RATES[4]:g})",
    ]
    assert cells(table, "f1")[4] == "10^-2" and cells(table, "f1")[5] == "0.000 [0.000, 0.000]"
    assert cells(table, "all")[1] == "20"
    rate = cells(tables.best_rates(found), "10^-2")
    assert rate[1].startswith("50.0% [") and rate[4].startswith("50.0% [") and rate[2].startswith("0.300 [")
    np.testing.assert_allclose(tables.per_family(found), 0, atol=1e-12)
    assert cells(tables.lists(found), "3")[1] == "0.000 [0.000, 0.000]"
    assert "20 tasks" in tables.text(found) and "no tables" in tables.text(found.of([0]))


def test_scores_are_of_one_setting_and_of_all_rates():
    def curve(task, source, horizon, rates):
        rows = [(task, source, horizon, "f", step, rate, 1 - 0.5 * step / horizon) for rate in rates for step in (0, horizon)]
        return pd.DataFrame(rows, columns=["task", "source", "horizon", "family", "step", "rate", "normalized"])

    every = list(LOG10_LEARNING_RATES)
    settings = [("a", "none", 2000, every), ("b", "synthetic", 2000, every[:9]), ("a", "none", 10000, every)]
    settings.append(("c", "tfds", 2000, every))
    means = pd.concat([curve(*setting) for setting in settings]).assign(best_rate=every[3])
    runs = pd.DataFrame({"task": ["a", "a", "b"], "source": "none", "horizon": 2000, "diverged": [True, False, True]})
    runs = runs.assign(family="f")
    found = tables.collect(means.astype({"task": "category", "source": "category"}), runs)
    assert found.tasks.tolist() == ["a"] and found.best.tolist() == [3] and found.diverged.tolist() == [0.5]
    assert found.end.tolist() == [pytest.approx([0.5] * RATES)] and found.mean.tolist() == [pytest.approx([0.75] * RATES)]


def test_what_has_no_normalizer_is_counted_beside_the_tables():
    """The tasks on which every run diverges are those without one: the tables' shares of diverged runs leave them out."""
    of = {"a": ("f", [False, True]), "b": ("f", [True, True]), "c": ("quadratic_family", [True, True]), "d": ("g", [True])}
    rows = [
        (task, "none", 2000, family, rate, diverged)
        for task, (family, flags) in of.items()
        for rate in (LOG10_LEARNING_RATES if task != "d" else LOG10_LEARNING_RATES[:3])
        for diverged in flags
    ]
    runs = pd.DataFrame(rows, columns=["task", "source", "horizon", "family", "rate", "diverged"])
    scores = tables.Scores(np.array(["a"]), np.array(["f"]), *[np.zeros((1, RATES))] * 2, np.array([0]), np.array([0.5]))
    said = tables.without_normalizer(scores, runs)
    assert said.startswith("2 more tasks have all 17 rates and no normalizer: 100.0% of their runs diverge. With them, 75.0% of")
    assert "75.0% of those of f" in said
    assert tables.without_normalizer(scores, runs[runs["task"] == "a"]) == ""
