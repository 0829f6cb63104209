"""tools/synthetic/rates.py: which tasks are compared, and that the measures see rates that rank otherwise."""

import numpy as np
import pandas as pd
import pytest

from taskset.samplers.optimizers import adam_rates
from tools.synthetic import rates

ADAM_RATES = adam_rates()


def frame(task, source, seed, best, lowest=0.2, optimizers=ADAM_RATES, bad=()):
    """Curves that fall in a straight line from 1 to lowest + .1 for each rate away from the best."""
    rows = []
    for place, name in enumerate(optimizers):
        for step in range(0, rates.STEPS + 1, 40):
            end = np.nan if place in bad and step else min(lowest + 0.1 * abs(place - best), 1.0)
            late = min(step / (0.9 * rates.STEPS), 1.0)
            rows.append((task, source, name, seed, step, 1 - late * (1 - end) if step else 1.0))
    return pd.DataFrame(rows, columns=rates.COLUMNS)


def found(*frames):
    return rates.compared(rates.final_losses(pd.concat(frames)))


def test_the_last_tenth_of_each_run_and_its_start():
    losses = rates.final_losses(frame("a", "tfds", 0, best=5, bad=[16]))
    start, last = losses["a", "tfds", 0]
    assert start == 1.0 and last[5] == pytest.approx(0.2) and last[7] == pytest.approx(0.4) and last[16] == np.inf


def test_both_sources_are_measured_against_the_second_seed_of_the_real_data():
    of = found(frame("a", "tfds", 0, 6), frame("a", "tfds", 1, 5), frame("a", "synthetic", 0, 8, lowest=0.5))["a"]
    assert of["tfds"]["regret"] == pytest.approx(0.1 / 0.8) and of["tfds"]["rate within 3.2x"]
    assert of["synthetic"]["regret"] == pytest.approx(0.3 / 0.8) and not of["synthetic"]["rate within 3.2x"]
    assert of["tfds"]["within 2x"] and not of["synthetic"]["within 2x"]
    assert 0 < of["tfds"]["profile distance"] < of["synthetic"]["profile distance"]


def test_tasks_that_lack_a_run_or_never_get_below_the_start_are_left_out():
    real = frame("a", "tfds", 0, 5), frame("a", "tfds", 1, 5)
    assert found(*real) == {}
    assert found(*real, frame("a", "synthetic", 1, 5)) == {}
    assert found(*real, frame("a", "synthetic", 0, 5, optimizers=ADAM_RATES[:-1])) == {}
    assert found(*real, frame("a", "synthetic", 0, 5, lowest=1.0)) == {}
    assert list(found(*real, frame("a", "synthetic", 0, 5))) == ["a"]


def test_a_row_for_each_group_and_source_and_one_for_all():
    of = {source: {"a": 5, "b": 5} for source in ("tfds", "synthetic")}
    of["synthetic"]["b"] = 9
    frames = [frame(t, s, seed, of[s][t]) for t in "ab" for s, seed in (("tfds", 0), ("tfds", 1), ("synthetic", 0))]
    made = list(rates.rows(found(*frames), {"a": "first", "b": "second"}))
    assert [row[:3] for row in made] == [
        *(["first", 1, title] for title in rates.SOURCES.values()),
        *(["second", 1, title] for title in rates.SOURCES.values()),
        *(["all", 2, title] for title in rates.SOURCES.values()),
    ]
    assert [row[3] for row in made] == ["100%", "100%", "100%", "0%", "100%", "50%"]
    assert made[-1][4].startswith("0.250 [0.000, 0.500")
