"""Processes that are killed: what it costs, and what they leave behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from taskset.datasets import sharing
from taskset.errors import TasksetError
from taskset.jobs import pool


def dies_once(job, place, report):
    """A job that kills its process the first time."""
    mark = Path(place, job)
    if job.startswith("unlucky") and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if job == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    if job == "busy" and not Path(place, "free").exists():
        Path(place, "free").touch()
        return pool.LATER
    mark.touch()


@pytest.fixture
def quick(monkeypatch):
    """Workers that don't import TensorFlow, in their own way of starting."""
    monkeypatch.setattr(pool, "start_worker", lambda: None)
    context = pool.multiprocessing.get_context("fork")
    monkeypatch.setattr(pool.multiprocessing, "get_context", lambda kind: context)


def test_a_killed_worker_costs_the_time_of_its_task(quick, tmp_path):
    done = pool.run(["a", "unlucky", "busy", "deadly", "b"], dies_once, (str(tmp_path),), 2)
    assert sorted(done.finished) == ["a", "b", "busy", "unlucky"]
    assert list(done.failed) == ["deadly"] and "status -9" in done.failed["deadly"]
    assert not done.working


def held_by_another(job, place, until, report):
    """A job that another process has until a time."""
    if time.monotonic() < until:
        return pool.LATER
    Path(place, job).touch()


def test_a_job_that_another_process_had_is_not_begun_when_time_is_up(quick, tmp_path):
    now = time.monotonic()
    done = pool.run(["a"], held_by_another, (str(tmp_path), now + 0.5), 1, may_begin=lambda job: time.monotonic() < now + 0.3)
    assert done.left == ["a"] and not done.finished and not list(tmp_path.iterdir())


def test_a_worker_killed_before_it_has_read_its_job(quick, tmp_path, monkeypatch):
    starts = []

    def first_is_killed():
        if not Path(tmp_path, "first").exists():
            Path(tmp_path, "first").touch()
            time.sleep(0.2)  # its job is in the pipe by now
            os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(pool, "start_worker", first_is_killed)
    done = pool.run(["a", "b"], dies_once, (str(tmp_path),), 1, lambda progress: starts.append(1))
    assert sorted(done.finished) == ["a", "b"] and not done.failed


def test_processes_that_can_not_begin_end_the_run(quick, tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "start_worker", lambda: os._exit(3))
    with pytest.raises(TasksetError, match="status 3"):
        pool.run([str(i) for i in range(50)], dies_once, (str(tmp_path),), 2)


UNGUARDED = """
from taskset.jobs import pool
pool.run(["a", "b"], print, (), 2)
"""


def test_a_script_without_a_guard_is_told_of_it(tmp_path):
    """Its workers run it from the top, and would start workers themselves."""
    path = tmp_path / "script.py"
    path.write_text(UNGUARDED)
    begun = time.monotonic()
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1 and last.endswith('scripts start workers below `if __name__ == "__main__":`'), done.stderr
    assert time.monotonic() - begun < 60


SHARING = """
import sys, time
from pathlib import Path
from taskset.datasets.sharing import shared_arrays, scratch_from_environment
with shared_arrays():
    Path(scratch_from_environment(), "data.npy").write_bytes(bytes(1000))
    print(scratch_from_environment(), flush=True)
    time.sleep(60)
"""


def started(directory):
    """A process that shares arrays in `directory`, and its scratch directory."""
    environment = {**os.environ, "TMPDIR": str(directory)}
    process = subprocess.Popen([sys.executable, "-c", SHARING], stdout=subprocess.PIPE, text=True, env=environment)
    return process, Path(process.stdout.readline().strip())


def test_the_scratch_directory_goes_on_sigterm(tmp_path):
    process, scratch = started(tmp_path)
    assert (scratch / "data.npy").exists()
    process.terminate()
    assert process.wait(10) == 143 and not scratch.exists()


def test_only_what_dead_processes_left_is_removed(tmp_path):
    (dead, abandoned), (live, in_use) = started(tmp_path), started(tmp_path)
    dead.kill()
    dead.wait()
    others = [tmp_path / "taskset-arrays-of-another-version", tmp_path / "taskset-arrays-link"]
    others[0].mkdir()
    others[1].symlink_to(in_use)
    sharing._remove_abandoned(tmp_path)
    live.kill()
    live.wait()
    assert not abandoned.exists() and (in_use / "data.npy").exists() and all(path.exists() for path in others)


WORKERS = """
import os, sys, time
from taskset.jobs import pool
def job(name, report):
    print(os.getpid(), flush=True)
    time.sleep(60)
pool.start_worker = lambda: None
context = pool.multiprocessing.get_context("fork")
pool.multiprocessing.get_context = lambda kind: context
pool.run(["a"], job, (), 1)
"""


def test_workers_end_with_their_parent():
    process = subprocess.Popen([sys.executable, "-c", WORKERS], stdout=subprocess.PIPE, text=True)
    worker = int(process.stdout.readline())
    process.kill()
    process.wait()
    deadline = time.monotonic() + 2
    while alive(worker) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(worker)


def alive(pid):
    """Whether a process runs (one that nobody has waited for is over)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
