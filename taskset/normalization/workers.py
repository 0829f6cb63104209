"""Worker processes, one core each: they take tasks, report progress, and are replaced before they grow or when they die.

One single-threaded process a core does about twice the work of one process with a thread a core (docs/benchmarks.md).
"""

import gc
import multiprocessing
import time
import traceback
from dataclasses import dataclass, field
from multiprocessing.connection import wait

from taskset.errors import TasksetError
from taskset.memory import PRIVATE_MIB, private_mib
from taskset.quiet import start_tensorflow

RECYCLE = 40  # tasks a worker does at most before a fresh one takes over: each leaves some MB behind, freed or not


def _work(pipe, function, arguments):
    """The body of a worker: jobs come in through the pipe, (kind, value) messages go out."""
    start_tensorflow(threads=1)
    last = 0.0

    def report(share):
        nonlocal last
        if time.monotonic() - last > 0.2:
            last = time.monotonic()
            pipe.send(("progress", share))

    try:
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
    except (EOFError, KeyboardInterrupt, BrokenPipeError):
        return


@dataclass
class _Worker:
    process: multiprocessing.Process
    pipe: object
    job: str | None = None
    done: int = 0
    share: float = 0.0


@dataclass
class Progress:
    """What is going on: finished and failed jobs, and the share done of those in work."""

    finished: list = field(default_factory=list)
    failed: dict = field(default_factory=dict)
    working: dict = field(default_factory=dict)


def run(jobs, function, arguments, count, report=lambda progress: None):
    """Do `function(job, *arguments, report=..)` for each job in `count` processes; returns the `Progress` at the end.

    function, arguments: picklable (module-level function). report: called with the `Progress` whenever something happened.
    On any exception here (KeyboardInterrupt among them) all workers are stopped at once, and the exception goes on.
    """
    context = multiprocessing.get_context("spawn")
    waiting, workers, progress = list(jobs)[::-1], [], Progress()

    def start():
        here, there = context.Pipe()
        process = context.Process(target=_work, args=(there, function, arguments), daemon=True)
        process.start()
        there.close()
        return _Worker(process, here)

    def assign(worker):
        if waiting:
            worker.job = waiting.pop()
            progress.working[worker.job] = 0.0
            worker.pipe.send(worker.job)
        else:
            worker.pipe.send(None)
            workers.remove(worker)
            worker.process.join()

    def finish(worker, kind, value):
        progress.working.pop(worker.job, None)
        if kind == "done":
            progress.finished.append(worker.job)
        else:
            progress.failed[worker.job] = value
        worker.job, worker.done = None, worker.done + 1

    try:
        for _ in range(min(count, len(waiting))):
            workers.append(start())
            assign(workers[-1])
        while workers:
            ready = wait([w.pipe for w in workers], timeout=0.5)
            for worker in [w for w in workers if w.pipe in ready]:
                try:
                    kind, value = worker.pipe.recv()
                except EOFError:
                    worker.process.join()
                    finish(worker, "failed", f"the worker process ended with status {worker.process.exitcode} (out of memory?)")
                    workers.remove(worker)
                    if waiting:
                        workers.append(start())
                        assign(workers[-1])
                    continue
                if kind == "progress":
                    progress.working[worker.job] = value
                    continue
                finish(worker, kind, value)
                if waiting and (worker.done >= RECYCLE or private_mib(worker.process.pid) > PRIVATE_MIB):
                    worker.pipe.send(None)
                    workers.remove(worker)
                    worker.process.join()
                    worker = start()
                    workers.append(worker)
                assign(worker)
            report(progress)
    finally:
        for worker in workers:
            worker.process.kill()
        for worker in workers:
            worker.process.join()
    return progress
