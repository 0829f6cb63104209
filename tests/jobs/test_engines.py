"""Engines: which there are, what is refused in one line, and what their processes share on a machine."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from taskset.datasets import sharing
from taskset.errors import ConfigError, TasksetError, UnknownName
from taskset.jobs import engines, pool
from taskset.jobs.answers import Broken, Died, Done, Failed, answer_of
from taskset.jobs.engines import ray_cluster


def test_which_engine():
    with engines.opened() as engine:
        assert engine is engines.LOCAL and engine.workers(None, 3) == 3 and engine.workers(2, 3) == 2
        assert engine.alone(1) and not engine.alone(2)
    for arguments, error, says in (
        (("rey",), UnknownName, "did you mean 'ray'"),
        (("local", "10.0.0.1:6379"), ConfigError, "local has none"),
    ):
        with pytest.raises(error, match=says), engines.opened(*arguments):
            pass


def test_a_missing_ray_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install '\.\[ray\]' in a checkout of taskset$"), engines.opened("ray"):
        pass


def test_a_misspelt_optimizer_is_said_before_a_cluster_is_looked_for(run_here, monkeypatch):
    monkeypatch.setattr(engines, "opened", lambda *given: pytest.fail("a cluster was looked for"))
    status, _, err = run_here("taskset", "score", "lino", "--engine", "ray")
    assert status == 2 and "'lino'" in err


def test_progress_names_the_first_few():
    progress = pool.Progress(working={f"t{i}": 0.25 for i in range(10)})
    assert progress.at_work() == "t0 25% t1 25% t2 25% t3 25% t4 25% t5 25% t6 25% t7 25% and 2 more"
    progress.working = {"a": 0.5}
    assert progress.at_work() == "a 50%"


def test_answers():
    class Target:
        def double(self, x):
            return 2 * x

        def fail(self):
            raise TasksetError("not today")

        def break_down(self):
            raise KeyError("x")

    assert answer_of(Target().double, 3) == Done(6) and answer_of(Target().fail) == Failed("not today")
    broken = answer_of(Target().break_down)
    assert isinstance(broken, Broken) and broken.error == "KeyError: 'x'" and "in break_down" in broken.traceback
    assert broken.reason.startswith("KeyError: 'x'\nTraceback (most recent call last)") and "KeyError: 'x'" in broken.traceback


@pytest.mark.long
def test_what_a_process_cannot_make_is_its_first_answer():
    """Also where the process has ended before the call; one that has ended without a word has died."""
    for make, given, modules, ended, said in (
        (int, ("x",), (), Broken, "ValueError: invalid literal"),
        (int, ("1",), ("no_such_module",), Failed, "no_such_module"),
        (os._exit, (3,), (), Died, "with status 3"),
    ):
        process = engines.LOCAL.process(make, given, modules)
        process._process.join()
        process.send("bit_length", ())
        answer = process.answer()
        assert isinstance(answer, ended) and said in (answer.how if ended is Died else answer.reason)


def test_a_process_that_is_killed_while_it_answers_has_died():
    process = engines.LOCAL.process(str, ("x",))
    process.send("ljust", (2**25,))
    while not process._pipe.poll(1):
        pass
    time.sleep(0.1)  # it fills the pipe, and waits for somebody to read
    os.kill(process.pid, signal.SIGKILL)
    assert isinstance(process.answer(), Died)


JOIN = """
import sys, time
from taskset.datasets.sharing import join_shared_arrays, scratch_from_environment
place = join_shared_arrays(sys.argv[1])
assert scratch_from_environment() == str(place)
print(place, flush=True)
time.sleep(60)
"""


def joined(session, directory):
    environment = {**os.environ, "TMPDIR": str(directory)}
    process = subprocess.Popen([sys.executable, "-c", JOIN, session], stdout=subprocess.PIPE, text=True, env=environment)
    return process, Path(process.stdout.readline().strip())


def test_processes_without_a_common_parent_share_a_scratch_directory(tmp_path):
    one, place = joined("a1", tmp_path)
    (place / "data.npy").write_bytes(b"1")
    two, same = joined("a1", tmp_path)
    other, elsewhere = joined("b2", tmp_path)
    assert same == place and elsewhere != place and place.stat().st_mode & 0o777 == 0o700
    one.send_signal(signal.SIGKILL)
    one.wait()
    sharing._remove_abandoned(tmp_path)
    assert (place / "data.npy").exists()  # the second process lives
    two.kill()
    two.wait()
    sharing._remove_abandoned(tmp_path)
    assert not place.exists() and elsewhere.exists()
    other.kill()
    other.wait()


def test_a_session_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(sharing.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv(sharing.SCRATCH_VARIABLE, "")
    place = sharing.join_shared_arrays("c3")
    assert place.is_dir() and os.environ[sharing.SCRATCH_VARIABLE] == str(place)
    sharing.leave_shared_arrays("c3")
    assert not list(tmp_path.iterdir())


def test_a_cluster_begins_no_job_when_time_is_up():
    """Neither one that waits nor one that another process had."""
    ray = SimpleNamespace(put=lambda value: value, remote=lambda **options: lambda function: function)
    running = ray_cluster._Running(ray, None, None, ["a"], lambda job: False)
    running._waiting.later["b"] = 0.0
    assert running._waiting.next() is None and running.progress.left == ["a", "b"]
