"""Worker processes, one core each: they take tasks, report progress, and are replaced before they grow or when they die.

One single-threaded process per core does about twice the work of one process with a thread per core (docs/benchmarks.md).
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import gc
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, TypeAlias

from taskset.errors import TasksetError, counted
from taskset.execution.memory import PRIVATE_MIB, private_mib
from taskset.execution.runtime import start_worker
from taskset.jobs.answers import Done, Failed, Returned, answer_of
from taskset.jobs.waiting import Waiting

RECYCLE = 40  # tasks a worker does at most before a fresh one takes over: each leaves some MB behind, freed or not

LATER = "later"  # what the function returns for a job that can't be done now
NAMED = 8  # jobs in a line of progress
STILLBORN = 4  # processes in a row that may die before they can take a job
_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Have the system kill this process when its parent dies, whatever it computes then. Linux only; elsewhere it ends when it
    next writes to the parent."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before
            os._exit(1)


@dataclass(frozen=True)
class _Began:
    """A worker's first message: it can take jobs."""


@dataclass(frozen=True)
class _Working:
    """How far a worker's job is. share: of it, that is done."""

    share: float


_Message: TypeAlias = _Began | _Working | Returned


def _work(pipe: Connection, function: Callable[..., Any], arguments: Sequence[Any], parent: int) -> None:
    """The body of a worker: jobs come in through the pipe, messages go out."""
    end_with_parent(parent)
    start_worker()
    last = 0.0

    def report(share):
        nonlocal last
        if time.monotonic() - last > 0.2:
            last = time.monotonic()
            pipe.send(_Working(share))

    try:
        pipe.send(_Began())
        while True:
            job = pipe.recv()
            if job is None:
                return
            pipe.send(answer_of(functools.partial(function, report=report), job, *arguments))
            gc.collect()  # a task and its compiled programs (some 60 MB) refer to each other in circles
    except (EOFError, OSError, KeyboardInterrupt):
        return


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    job: str | None = None
    done: int = 0
    began: bool = False

    def send(self, what: str | None) -> None:
        with contextlib.suppress(OSError):  # it has died: that shows when its pipe is read
            self.pipe.send(what)

    def private_mib(self) -> float:
        return 0.0 if self.process.pid is None else private_mib(self.process.pid)


@dataclass
class Progress:
    """How far the work is.

    finished: jobs; failed: {job: reason}; working: {job: share done}; left: jobs that were not begun; total: how
    many jobs there are, None where whoever reports has not counted them.
    """

    finished: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    working: dict[str, float] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    total: int | None = None

    def note(self, job: str, answer: Returned) -> None:
        """Put a job that has ended among the finished or the failed ones."""
        if isinstance(answer, Done):
            self.finished.append(job)
        else:
            self.failed[job] = answer.reason

    def at_work(self) -> str:
        """The jobs that are being done, the first few by name, and how far each is."""
        texts = [f"{job} {share:.0%}" for job, share in self.working.items()]
        more = [f"and {len(texts) - NAMED} more"] if len(texts) > NAMED else []
        return " ".join([*texts[:NAMED], *more])

    def require_done(self, whose: str, way_out: str = "the same command tries again") -> None:
        """Raise TasksetError where a job has failed. whose: what the jobs are runs of; way_out: what to do then."""
        if self.failed:
            job, reason = next(iter(self.failed.items()))
            raise TasksetError(f"{whose} failed on {job} ({len(self.failed)} in all): {reason}; {way_out}")


def run(
    jobs: Iterable[str],
    function: Callable[..., Any],
    arguments: Sequence[Any],
    count: int,
    report: Callable[[Progress], object] = lambda progress: None,
    may_begin: Callable[[str], bool] = lambda job: True,
) -> Progress:
    """Do `function(job, *arguments, report=..)` for each job in `count` processes; returns the `Progress` at the end.

    function, arguments: picklable (module-level function). report: called with the `Progress` whenever something happened.
    may_begin: asked for each job whenever its turn comes; those that may not are left (`Progress.left`).
    A function may return `LATER`: the job is tried again when the others are done, or after a second if there are no others.
    The job of a process that dies (killed, out of memory) is done once more, after the others; if it dies again, it has failed.
    On any exception here (KeyboardInterrupt among them) all workers are stopped at once, and the exception is raised again.
    """
    pool = _Pool(jobs, function, arguments, may_begin)
    try:
        pool.start(count)
        while pool.workers:
            pool.step()
            report(pool.progress)
    finally:
        pool.kill()
    return pool.progress


class _Pool:
    """The worker processes of one `run`, and the jobs that wait for them."""

    def __init__(
        self, jobs: Iterable[str], function: Callable[..., Any], arguments: Sequence[Any], may_begin: Callable[[str], bool]
    ) -> None:
        self.progress = Progress()
        self.workers: list[_Worker] = []
        self._function, self._arguments = function, arguments
        self._context = multiprocessing.get_context("spawn")
        self._waiting = Waiting(jobs, may_begin, self.progress.left)
        self._unlucky: set[str] = set()  # jobs whose process has died once
        self._stillborn = 0

    def start(self, count: int) -> None:
        """Start as many workers as there is work for, `count` at most."""
        for _ in range(min(count, len(self._waiting.jobs))):
            self._assign(self._new_worker())

    def step(self) -> None:
        """Give work to those that have none, wait for messages, and act on them."""
        for worker in [w for w in self.workers if w.job is None]:
            self._assign(worker)
        ready = wait([w.pipe for w in self.workers], timeout=0.5)
        for worker in [w for w in self.workers if w.pipe in ready]:
            try:
                message = worker.pipe.recv()
            except (EOFError, OSError):  # ConnectionResetError, of one that was killed with a message unread
                self._bury(worker)
            else:
                self._act(worker, message)

    def kill(self) -> None:
        """End all workers at once."""
        for worker in self.workers:
            worker.process.kill()
        for worker in self.workers:
            worker.process.join()

    def _new_worker(self) -> _Worker:
        here, there = self._context.Pipe()
        arguments = there, self._function, self._arguments, os.getpid()
        process = self._context.Process(target=_work, args=arguments, daemon=True)
        process.start()
        there.close()
        self.workers.append(_Worker(process, here))
        return self.workers[-1]

    def _assign(self, worker: _Worker) -> None:
        """Give the next job to a worker; end it where there is none left."""
        worker.job = self._waiting.next()
        if worker.job is not None:
            self.progress.working[worker.job] = 0.0
            worker.send(worker.job)
        elif not self._waiting:
            self._end(worker)

    def _act(self, worker: _Worker, message: _Message) -> None:
        """Act on one message of a worker."""
        if isinstance(message, _Began):
            worker.began, self._stillborn = True, 0
        elif isinstance(message, _Working):
            self.progress.working[_job_of(worker)] = message.share
        else:
            self._finish(worker, message)
            if self._waiting.jobs and (worker.done >= RECYCLE or worker.private_mib() > PRIVATE_MIB):
                self._end(worker)
                worker = self._new_worker()
            self._assign(worker)

    def _finish(self, worker: _Worker, answer: Returned) -> None:
        job = _job_of(worker)
        self.progress.working.pop(job, None)
        if answer == Done(LATER):
            self._waiting.put_off(job)
        else:
            self.progress.note(job, answer)
        worker.job, worker.done = None, worker.done + 1

    def _end(self, worker: _Worker) -> None:
        worker.send(None)
        self.workers.remove(worker)
        worker.process.join()

    def _bury(self, worker: _Worker) -> None:
        """Replace a worker that has died; its job is done once more."""
        worker.process.join()
        self.workers.remove(worker)
        reason = f"the worker process ended {ending(worker.process.exitcode)}"
        if worker.process.exitcode == 1 and not worker.began:
            raise TasksetError(
                "a worker process ended before its first task, with the error above; scripts start workers below "
                '`if __name__ == "__main__":`'
            )
        self._stillborn = 0 if worker.began else self._stillborn + 1
        if self._stillborn > STILLBORN:
            raise TasksetError(
                f"{counted(self._stillborn, 'process', 'processes')} in a row ended before their first task; the last: {reason}"
            )
        if worker.job is not None and worker.job not in self._unlucky:
            self._unlucky.add(worker.job)
            self.progress.working.pop(worker.job, None)
            self._waiting.jobs.append(worker.job)
        elif worker.job is not None:
            self._finish(worker, Failed(reason))
        if self._waiting:
            self._assign(self._new_worker())


def ending(status: int | None) -> str:
    """How a process ended, by its exit status: negative is the number of a signal, as of one that had no memory left."""
    return f"with status {status}" + (" (out of memory?)" if status is not None and status < 0 else "")


def _job_of(worker: _Worker) -> str:
    """The job that a worker has been given: only such a worker sends messages about one."""
    assert worker.job is not None
    return worker.job
