"""A training that is really killed, in the middle of something, and started again by the same command."""

import subprocess
import sys
import time

import numpy as np
import pytest

from learned import checkpoint, events, outer, suites
from tests.test_outer import NAMES, suite

STEPS = 60
OPTIONS = (
    "--optimizer", "learnable_adam", "--pairs", "2", "--steps", "4", "--lengths", "log_uniform:5:12", "--first-lengths", "spread",
    "--slots", "2", "--tasks-per-step", "1", "--save-every", "7", "--outer-steps", str(STEPS),
)  # fmt: skip


def start(tasks, output):
    command = [sys.executable, "-m", "learned", "train", "--tasks", str(tasks), "--out", str(output), *OPTIONS]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def steps_in(output):
    """Steps that TensorBoard's file has, which is written at once."""
    files = list((output / outer.TENSORBOARD).glob(f"{events.PREFIX}*"))
    return [event.step for path in files for event in events.read(path) if event.step]


@pytest.mark.slow
def test_killed_and_started_again_it_is_the_uninterrupted_training(tmp_path):
    suites.save(suite(NAMES[1:]), tmp_path / "suite.json")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(tmp_path / "suite.json", whole).wait() == 0
    process = start(tmp_path / "suite.json", killed)
    while process.poll() is None and len(steps_in(killed)) < 10:
        time.sleep(0.01)
    process.kill()
    assert process.wait() != 0 and 10 <= len(steps_in(killed)) < STEPS
    assert start(tmp_path / "suite.json", killed).wait() == 0
    one, other = (checkpoint.load(path / outer.LATEST) for path in (whole, killed))
    assert one.meta == other.meta and one.meta["step"] == STEPS and set(one.arrays) == set(other.arrays)
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, other.arrays[name], err_msg=name)
    assert (whole / outer.LOG).read_text() == (killed / outer.LOG).read_text()
    assert steps_in(whole) == steps_in(killed) == list(range(1, STEPS + 1))
