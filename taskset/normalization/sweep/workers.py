"""Worker processes, one core each: they take tasks, report progress, and are replaced before they grow or when they die.

One single-threaded process a core does about twice the work of one process with a thread a core (docs/benchmarks.md).
"""

import contextlib
import ctypes
import gc
import multiprocessing
import os
import signal
import time
import traceback
from dataclasses import dataclass, field
from multiprocessing.connection import wait

from taskset.errors import TasksetError
from taskset.execution.memory import PRIVATE_MIB, private_mib
from taskset.execution.runtime import start_tensorflow

RECYCLE = 40  # tasks a worker does at most before a fresh one takes over: each leaves some MB behind, freed or not

LATER = "later"  # what a job returns that can't be done now
LATER_SECONDS = 1.0
STILLBORN = 4  # processes in a row that may die before they can take a job
_PR_SET_PDEATHSIG = 1


def end_with_parent(parent):
    """Have the system kill this process when its parent dies, whatever it computes then. Linux only; elsewhere it ends when it
    next writes to the parent."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before
            os._exit(1)


def _work(pipe, function, arguments, parent):
    """The body of a worker: jobs come in through the pipe, (kind, value) messages go out."""
    end_with_parent(parent)
    start_tensorflow(threads=1)
    last = 0.0

    def report(share):
        nonlocal last
        if time.monotonic() - last > 0.2:
            last = time.monotonic()
            pipe.send(("progress", share))

    try:
        pipe.send(("began", None))
        while True:
            job = pipe.recv()
            if job is None:
                return
            try:
                pipe.send(("done", function(job, *arguments, report=report)))
            except TasksetError as error:
                pipe.send(("failed", str(error)))
            except Exception as error:  # one broken task must not stop the others; its trace is told
                pipe.send(("failed", f"{type(error).__name__}: {error}\n{traceback.format_exc()}"))
            gc.collect()  # a task and its compiled programs (some 60 MB) refer to each other in circles
    except (EOFError, OSError, KeyboardInterrupt):
        return


@dataclass
class _Worker:
    process: multiprocessing.Process
    pipe: object
    job: str | None = None
    done: int = 0
    began: bool = False


@dataclass
class Progress:
    """What is going on: finished and failed jobs, the share done of those in work, and jobs that were not begun."""

    finished: list = field(default_factory=list)
    failed: dict = field(default_factory=dict)
    working: dict = field(default_factory=dict)
    left: list = field(default_factory=list)


def run(jobs, function, arguments, count, report=lambda progress: None, may_begin=lambda job: True):
    """Do `function(job, *arguments, report=..)` for each job in `count` processes; returns the `Progress` at the end.

    function, arguments: picklable (module-level function). report: called with the `Progress` whenever something happened.
    may_begin: asked for each job when its turn comes; those that may not are left (`Progress.left`).
    A function may return `LATER`: the job is tried again when the others are done, or after a second if there are no others.
    The job of a process that dies (killed, out of memory) is done once more, after the others; if it dies again, it has failed.
    On any exception here (KeyboardInterrupt among them) all workers are stopped at once, and the exception goes on.
    """
    context = multiprocessing.get_context("spawn")
    waiting, workers, progress = list(jobs)[::-1], [], Progress()
    later, unlucky, stillborn = {}, set(), 0

    def start():
        here, there = context.Pipe()
        process = context.Process(target=_work, args=(there, function, arguments, os.getpid()), daemon=True)
        process.start()
        there.close()
        workers.append(_Worker(process, here))
        return workers[-1]

    def assign(worker):
        while waiting and not may_begin(waiting[-1]):
            progress.left.append(waiting.pop())
        ready = [job for job, at in later.items() if time.monotonic() >= at]
        if waiting or ready:
            worker.job = waiting.pop() if waiting else ready[0]
            later.pop(worker.job, None)
            progress.working[worker.job] = 0.0
            send(worker, worker.job)
        elif not later:
            end(worker)

    def send(worker, what):
        with contextlib.suppress(OSError):  # it has died: that shows when its pipe is read
            worker.pipe.send(what)

    def end(worker):
        send(worker, None)
        workers.remove(worker)
        worker.process.join()

    def finish(worker, kind, value):
        progress.working.pop(worker.job, None)
        if kind == "done" and value == LATER:
            later[worker.job] = time.monotonic() + LATER_SECONDS
        elif kind == "done":
            progress.finished.append(worker.job)
        else:
            progress.failed[worker.job] = value
        worker.job, worker.done = None, worker.done + 1

    def bury(worker):
        nonlocal stillborn
        worker.process.join()
        workers.remove(worker)
        told = f"the worker process ended with status {worker.process.exitcode} (out of memory?)"
        stillborn = 0 if worker.began else stillborn + 1
        if stillborn > STILLBORN:
            raise TasksetError(f"{stillborn} processes in a row ended before their first task; the last: {told}")
        if worker.job is not None and worker.job not in unlucky:
            unlucky.add(worker.job)
            progress.working.pop(worker.job, None)
            waiting.insert(0, worker.job)
        elif worker.job is not None:
            finish(worker, "failed", told)
        if waiting or later:
            assign(start())

    try:
        for _ in range(min(count, len(waiting))):
            assign(start())
        while workers:
            for worker in [w for w in workers if w.job is None]:
                assign(worker)
            ready = wait([w.pipe for w in workers], timeout=0.5)
            for worker in [w for w in workers if w.pipe in ready]:
                try:
                    kind, value = worker.pipe.recv()
                except (EOFError, OSError):  # ConnectionResetError, of one that was killed with a message unread
                    bury(worker)
                    continue
                if kind == "began":
                    worker.began, stillborn = True, 0
                elif kind == "progress":
                    progress.working[worker.job] = value
                else:
                    finish(worker, kind, value)
                    if waiting and (worker.done >= RECYCLE or private_mib(worker.process.pid) > PRIVATE_MIB):
                        end(worker)
                        worker = start()
                    assign(worker)
            report(progress)
    finally:
        for worker in workers:
            worker.process.kill()
        for worker in workers:
            worker.process.join()
    return progress
