"""A training that is really killed, in the middle of something, and started again by the same command."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from learned.outer_training import checkpoint, events, trainer
from taskset.scoring import suites
from tests.learned.trainings import NAMES, suite

STEPS = 60
OPTIONS = (
    "--optimizer", "learnable_adam", "--pairs", "2", "--steps", "4", "--lengths", "log_uniform:5:12", "--first-lengths", "spread",
    "--slots", "2", "--tasks-per-step", "1", "--save-every", "7", "--outer-steps", str(STEPS),
)  # fmt: skip


def start(tasks, output, *more, **environment):
    command = [sys.executable, "-m", "learned", "train", "--tasks", str(tasks), "--out", str(output), *OPTIONS, *more]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **environment)


def steps_in(output):
    """Steps that TensorBoard's file has, which is written at once."""
    files = list((output / trainer.TENSORBOARD).glob(f"{events.PREFIX}*"))
    return [event.step for path in files for event in events.read(path) if event.step]


def alive(pid):
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def children(pid):
    return [int(p.name) for p in Path("/proc").glob("[0-9]*") if f"\nPPid:\t{pid}\n" in _status(p)]


def _status(place):
    try:
        return (place / "status").read_text()
    except OSError:
        return ""


@pytest.mark.slow
@pytest.mark.parametrize("signal_number, status", [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_nothing_outlives_a_training_that_is_ended(tmp_path, signal_number, status):
    suites.save(suite(NAMES[1:]), tmp_path / "suite.json")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch)}
    process = start(tmp_path / "suite.json", tmp_path / "o", "--workers", "2", env=environment)
    while process.poll() is None and len(steps_in(tmp_path / "o")) < 2:
        time.sleep(0.05)
    started = children(process.pid)
    assert process.poll() is None and len(started) >= 2 and list(scratch.glob("taskset-arrays-*"))
    process.send_signal(signal_number)
    assert process.wait(10) == status
    ended = time.monotonic()
    while any(map(alive, started)) and time.monotonic() - ended < 2:
        time.sleep(0.05)
    assert not any(map(alive, started))
    assert signal_number == signal.SIGKILL or not list(scratch.glob("taskset-arrays-*"))


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
    one, other = (checkpoint.load(path / trainer.LATEST) for path in (whole, killed))
    assert one.meta == other.meta and one.meta["step"] == STEPS and set(one.arrays) == set(other.arrays)
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, other.arrays[name], err_msg=name)
    assert (whole / trainer.LOG).read_text() == (killed / trainer.LOG).read_text()
    assert steps_in(whole) == steps_in(killed) == list(range(1, STEPS + 1))
