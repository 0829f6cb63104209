"""Intervals of shares against what they stand for: how often they hold the mean that they estimate."""

import numpy as np
import pytest

from taskset.scoring import statistics


def test_shares_that_are_all_0_or_1_have_the_exact_interval():
    for tasks in (1, 7, 40):
        low, high = statistics.share_interval(np.zeros(tasks))
        assert low == 0 and (1 - high) ** tasks == pytest.approx(0.025)  # of that mean, no success has the probability .025
        assert statistics.share_interval(np.ones(tasks)) == (pytest.approx(1 - high), 1)


def test_other_shares_are_resampled():
    shares = np.array([0, 0.5, 1, 0, 0, 0.25])
    assert statistics.share_interval(shares) == statistics.interval(shares, statistics.mean)


def test_shares_of_rare_events_are_held_at_least_as_often_as_by_resampling_alone():
    # Of 20 tasks with one event in 40, 60 per cent have none at all; resampling alone gives those the interval from 0 to 0.
    drawn = np.random.default_rng(0).random([300, 20]) < 1 / 40
    held = [low <= 1 / 40 <= high for low, high in map(statistics.share_interval, drawn)]
    alone = [low <= 1 / 40 <= high for low, high in (statistics.interval(x, statistics.mean) for x in drawn)]
    assert np.mean(held) > 0.95
    assert np.mean(alone) < 0.45


def test_a_note_is_of_the_rows_with_few_tasks():
    assert statistics.narrow([30, 40]) == [] and statistics.narrow([30, 0]) == []
    assert statistics.narrow([30, 5])[0].startswith("over 5 tasks the intervals are too narrow")
    assert statistics.narrow([7, 1, 30])[0].startswith("over 1 to 7 tasks the")
    assert statistics.narrow([1])[0].startswith("over 1 task the")


def test_an_estimate_is_the_statistic_with_its_interval():
    x = np.array([0.1, 0.4, 0.2, 0.9])
    found = statistics.estimate(x, statistics.median)
    assert found.value == pytest.approx(0.3) and (found.low, found.high) == statistics.interval(x, statistics.median)
    assert statistics.Estimate(0.5, -1, 2).text() == "0.500 [-1.000, 2.000]"
    assert statistics.Estimate(0.5, -1, 2).text("+.1f") == "+0.5 [-1.0, +2.0]"


def test_the_worst_quarter_is_rounded_up():
    assert statistics.worst_quarter([5.0, 1.0, 2.0, 3.0, 4.0]) == 4.5 and statistics.worst_quarter([3.0]) == 3


def test_equal_losses_are_half_won():
    assert statistics.won([1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 1.0, 5.0]) == 0.625
