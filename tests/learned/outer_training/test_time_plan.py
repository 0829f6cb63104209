"""Trainings that end after some hours: how the schedule follows the clock, and what resuming repeats."""

import itertools
import math

import numpy as np
import pytest

from learned import optimizers
from learned.cli import training
from learned.outer_training import checkpoint
from learned.outer_training import trainer as outer
from learned.outer_training.time_plan import TimePlan, is_early
from taskset.errors import ConfigError, StoreError
from tests.learned.trainings import MadeUpPlaces, options, suite


def clock(*paces):
    """A clock that moves by the given seconds, one after the other, at each look; the last one is repeated."""
    times = itertools.accumulate(itertools.chain(paces[:-1], itertools.repeat(paces[-1])))
    return lambda: next(times)


def test_the_fraction_follows_the_clock():
    plan = TimePlan(clock(*[10.0] * 11, 1.0))  # ten slow steps, then fast ones
    fractions, step = [], 0
    while not plan.over(1 / 6):  # 600 s: 10 steps in 100 s, then 500 more
        fractions.append(plan.fraction(step))
        step += 1
        if step % 5 == 0:
            plan.plan(step, 1 / 6)
    assert np.all(np.diff(fractions) >= 0) and fractions[:6] == [0.0] * 6
    assert fractions[10] == pytest.approx(5 / 55)  # at step 5 there were 550 s left for steps of 10 s
    assert step == pytest.approx(510, abs=2) and fractions[-1] == pytest.approx(1, abs=0.01)
    expected = plan.fraction(step) - plan.fraction(step - 1)
    assert expected == pytest.approx((1 - fractions[15]) / 495, rel=0.02)  # planned at step 15, from five fast steps


def timed(directory, ticking, schedule="cosine"):
    chosen = options(schedule=schedule, warm_up=0)
    return outer.Trainer(directory, suite(), chosen, MadeUpPlaces(), optimizers.get("learnable_adam"), clock=ticking)


def test_resuming_repeats_the_steps_up_to_the_next_checkpoint(tmp_path):
    whole, lines, again = timed(tmp_path / "a", clock(1.0)), [], []
    whole.train_for(40 / 3600, save_every=4, report=lines.append)
    rates = [line["learning_rate"] for line in lines]
    assert rates[0] == 0.05 and rates[-1] == pytest.approx(0.005, rel=0.05) and all(np.diff(rates) <= 0)

    def interrupt(line):
        if line["step"] == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        timed(tmp_path / "b", clock(1.0)).train_for(40 / 3600, save_every=4, report=interrupt)
    resumed = timed(tmp_path / "b", clock(0.3))  # on a machine that is faster now
    assert resumed.step == 4 and resumed.plan.seconds == pytest.approx(4, abs=1.1)
    resumed.train_for(40 / 3600, save_every=4, report=again.append)
    assert again[:4] == lines[4:8]
    assert len(again) > len(lines) and again[-1]["learning_rate"] == pytest.approx(0.005, rel=0.05)


def test_the_command_says_that_the_hours_were_over_before(tmp_path, capsys):
    training._run(timed(tmp_path, clock(1.0)), None, 5 / 3600, 2, None)
    assert "nothing left to train" not in capsys.readouterr().out
    training._run(timed(tmp_path, clock(1.0)), None, 3 / 3600, 2, None)
    assert "nothing left to train: 0.00" in capsys.readouterr().out


def test_what_is_not_allowed_is_one_line(tmp_path):
    made = timed(tmp_path, clock(1.0))
    with pytest.raises(ConfigError, match="train for hours"):
        made.train(3)
    made.train_for(5 / 3600, save_every=2)
    found = checkpoint.load(tmp_path / outer.LATEST)
    for wrong in (
        {},
        {"seconds": 1.0, "knots": [[1, 0.0]]},
        {"seconds": math.nan, "knots": []},
        {"seconds": 1.0, "knots": [[1, 2.0, 3.0]]},
    ):
        checkpoint.save(tmp_path / outer.LATEST, {**found.meta, "time_plan": wrong}, found.arrays)
        with pytest.raises(StoreError, match="time plan"):
            timed(tmp_path, clock(1.0))


def test_a_schedule_begins_where_the_hours_hold_fewer_steps_than_a_checkpoint(tmp_path):
    lines = []
    timed(tmp_path, clock(1.0)).train_for(30 / 3600, save_every=50, report=lines.append)
    rates = [line["learning_rate"] for line in lines]
    assert len(rates) < 50 and all(np.diff(rates) <= 0) and rates[-1] == pytest.approx(0.005, rel=0.1)
    assert rates[len(rates) // 2] == pytest.approx(0.0275, rel=0.2)  # a cosine's half


def test_a_schedule_that_has_ended_is_not_drawn_out(tmp_path, capsys):
    """More hours are welcome while it is under way, and without a schedule at any time."""

    def interrupt(line):
        if line["step"] == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        timed(tmp_path, clock(1.0)).train_for(20 / 3600, save_every=4, report=interrupt)
    lines = []
    timed(tmp_path, clock(1.0)).train_for(40 / 3600, save_every=4, report=lines.append)
    assert [line["step"] for line in lines][-1] > 30 and lines[-1]["learning_rate"] == pytest.approx(0.005, rel=0.1)
    ended = timed(tmp_path, clock(1.0))
    with pytest.raises(ConfigError, match="hours 0.0222: the schedule has ended with the 0.0111 hours.*--from"):
        ended.train_for(80 / 3600)
    training._run(timed(tmp_path, clock(1.0)), None, 40 / 3600, 4, None)
    assert "are over; start from these weights (--from)" in " ".join(capsys.readouterr().out.split())
    for seconds in (10, 20):
        made = timed(tmp_path / "constant", clock(1.0), schedule="constant")
        made.train_for(seconds / 3600)
    assert made.step > 15


@pytest.mark.parametrize("seconds, first", [(120, 60), (300, 60), (30, 1)])
def test_a_first_step_that_compiles_does_not_end_the_schedule(seconds, first):
    """A fraction never falls: planned at the pace of that step, it would be over at once."""
    plan, fractions, step = TimePlan(clock(0.0, 0.0, float(first), 0.5)), [], 0
    plan.start(seconds / 3600)
    while not plan.over(seconds / 3600):
        fractions.append(plan.fraction(step))
        step += 1
        if is_early(step) and step < 50:
            plan.plan_early(step, seconds / 3600)
        elif step % 50 == 0:
            plan.plan(step, seconds / 3600)
    assert fractions[5] < 0.1 and fractions[len(fractions) // 2] == pytest.approx(0.5, abs=0.05)
    assert fractions[-1] > 0.95 and np.all(np.diff(fractions) >= 0)


def test_weights_are_kept_after_their_hours_and_again_where_steps_come_again(tmp_path):
    keep_at = {tmp_path / f"{seconds}.npz": seconds / 3600 for seconds in (0, 10, 11, 11.5, 20, 99)}

    def interrupt(line):
        if line["step"] == 12:
            raise KeyboardInterrupt

    def kept():
        return {seconds: found.step for seconds in (0, 10, 11, 11.5) for found in [checkpoint.load(tmp_path / f"{seconds}.npz")]}

    with pytest.raises(KeyboardInterrupt):
        timed(tmp_path, clock(1.0)).train_for(20 / 3600, save_every=8, report=interrupt, keep_at=keep_at)
    assert kept() == {0: 0, 10: 9, 11: 10, 11.5: 11}
    resumed = timed(tmp_path, clock(1.0))  # at step 8, after 9 seconds
    resumed.train_for(20 / 3600, save_every=8, keep_at=keep_at)
    assert kept() == {0: 0, 10: 8, 11: 9, 11.5: 10}
    last = checkpoint.load(tmp_path / "20.npz")
    assert (last.step, last.seconds) == (resumed.step, resumed.plan.seconds) == (18, 20.0)
    assert not (tmp_path / "99.npz").exists()
    timed(tmp_path, clock(1.0)).train_for(20 / 3600, keep_at=keep_at)  # over and kept: nothing is written again
    assert checkpoint.load(tmp_path / "20.npz").seconds == 20.0
    timed(tmp_path / "b", clock(5.0)).train_for(6 / 3600, keep_at={tmp_path / "b" / f"{n}.npz": n / 3600 for n in (1, 2, 3)})
    assert [checkpoint.load(tmp_path / "b" / f"{n}.npz").step for n in (1, 2, 3)] == [0, 1, 2]  # one a step, past the hours

    def interrupt_early(line):
        if line["step"] == 2:
            raise KeyboardInterrupt

    keep_at = {tmp_path / "c" / f"{n}.npz": n / 3600 for n in (1, 2, 3)}
    with pytest.raises(KeyboardInterrupt):
        timed(tmp_path / "c", clock(5.0)).train_for(6 / 3600, save_every=1, report=interrupt_early, keep_at=keep_at)
    timed(tmp_path / "c", clock(5.0)).train_for(6 / 3600, save_every=1, keep_at=keep_at)
    assert [checkpoint.load(path).step for path in keep_at] == [0, 1, 2]  # as without the interruption
