"""The task pool in several processes: each has the slots whose number falls to it, and one thread.

Results come back in the order of slots, and a slot's numbers don't depend on the process that holds it: any number of workers
gives the same weights, and a training can be resumed with another number.

A worker that is killed from outside is started again with its slots as they were last kept (at the last checkpoint), and
recomputes what it computed since: the numbers are the same. One that dies twice over the same work ends the
training. A worker whose parent is gone ends at once, whatever it is doing.
"""

from __future__ import annotations

import multiprocessing
import os
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from learned.outer_training.estimator_cache import MEMORY_MIB
from learned.outer_training.options import Options
from learned.types import Arrays, Slots
from taskset.errors import TasksetError
from taskset.execution.memory import private_mib
from taskset.execution.runtime import start_tensorflow
from taskset.normalization.sweep.workers import end_with_parent
from taskset.scoring.suites import Suite

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from learned.outer_training.task_pool import Result

_DIED = ("died", None)  # what a process that has ended answers
Call: TypeAlias = tuple[list[int], int, np.ndarray]  # arguments of `TaskPool.estimates`
GROWTH_MIB = 200  # a new process that needs more memory than it should may grow by as much before it is replaced


def _work(pipe, parent, suite, options, data_dir, modules, memory, start):
    """The body of a worker: (method, arguments) come in, ("done" | "failed" | "broken", value) go out."""
    end_with_parent(parent)
    start_tensorflow(threads=1)
    from learned.outer_training.task_pool import TaskPool
    from taskset import plugins

    try:
        plugins.load(modules)
        slots = TaskPool(suite, options, data_dir, memory=memory, start=start)
        while True:
            method, arguments = pipe.recv()
            try:
                pipe.send(("done", getattr(slots, method)(*arguments)))
            except TasksetError as error:
                pipe.send(("failed", str(error)))
            except Exception:
                pipe.send(("broken", traceback.format_exc()))
    except TasksetError as error:  # before the first job: the modules can't be imported, say
        pipe.send(("failed", str(error)))
    except (EOFError, KeyboardInterrupt, BrokenPipeError):
        return


class Workers:
    """As `learned.outer_training.task_pool.TaskPool`, in `count` processes; a context manager, which ends them.

    suite, options, data_dir, memory, start: as of `TaskPool`; modules: those that register tasks of one's own. A process that has
    more than `memory` MiB for itself is replaced by a new one, which takes up its slots: what TensorFlow keeps of programs that
    are gone, some 20 MiB each, goes with the process. The numbers are the same.

    recall: a function that returns what the last `dump` or `restore` was about, where that is on disk; None: it is kept in
    memory.
    """

    def __init__(
        self,
        count: int,
        suite: Suite,
        options: Options,
        data_dir: str | None = None,
        modules: Sequence[str] = (),
        memory: float = MEMORY_MIB,
        recall: Callable[[], Slots] | None = None,
        start: Arrays | None = None,
    ) -> None:
        self._given, self._memory, self.replaced = (suite, options, data_dir, list(modules), memory, start), memory, 0
        self._count = count
        self._pipes: dict[int, Connection] = {}
        self._processes: dict[int, SpawnProcess] = {}
        self._most: list[float | None] = [memory] * count
        # The estimates that were asked of each worker since slots were kept last, and which slots those were.
        self._since: list[list[Call]] = [[] for _ in range(count)]
        self._kept: Slots | None = {}
        self._recall, self.revived = recall, 0
        self._tasks: dict[int, tuple[str, int]] = {}  # {slot: (its task, how many tasks it has drawn)}
        try:
            for worker in range(count):
                self._start(worker)
        except BaseException:
            self.__exit__()
            raise

    def _start(self, worker):
        context = multiprocessing.get_context("spawn")
        self._pipes[worker], there = context.Pipe()
        self._processes[worker] = context.Process(target=_work, args=(there, os.getpid(), *self._given), daemon=True)
        self._processes[worker].start()
        there.close()

    def _replace(self, worker):
        slots = self._call("dump", {worker: ()})[worker]
        self._processes[worker].kill()
        self._processes[worker].join()
        self._start(worker)
        self._most[worker] = None  # known after its first estimates
        self._call("restore", {worker: (slots,)})
        self.replaced += 1

    def _keep(self, dumped):
        self._tasks = {number: (task, draws) for number, (task, draws, _) in dumped.items()}
        self._kept, self._since = dumped if self._recall is None else None, [[] for _ in range(self._count)]

    def _kept_slots(self, worker):
        kept = self._kept if self._recall is None else self._recall()
        if {number: (task, draws) for number, (task, draws, _) in kept.items()} != self._tasks:
            raise TasksetError("a worker ended, and the last checkpoint is no longer what it was: start the training again")
        return {number: slot for number, slot in kept.items() if self._owner(number) == worker}

    def _revive(self, worker):
        """A new process in the place of one that has died, as far as that one was; ("done", None), or what went wrong."""
        self._processes[worker].join()
        self._pipes[worker].close()
        self._start(worker)
        self._most[worker] = None
        self.revived += 1
        calls = [("restore", (self._kept_slots(worker),)), *(("estimates", call) for call in self._since[worker])]
        for method, arguments in calls:
            answer = self._answer(worker) if self._send(worker, method, arguments) else _DIED
            if answer[0] != "done":
                return answer
        return "done", None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.join()

    def _owner(self, number: int) -> int:
        return number % self._count

    def _call(self, method, arguments):
        """{worker: result} of `method(*arguments[worker])`, computed at the same time."""
        sent = {worker: self._send(worker, method, given) for worker, given in arguments.items()}
        # All answers are taken before any error is raised, so that no pipe is left with an answer in it.
        answers = {worker: self._answer(worker) if sent[worker] else _DIED for worker in arguments}
        for worker in [worker for worker, answer in answers.items() if answer is _DIED]:
            answers[worker] = self._again(worker, method, arguments[worker])
        for worker, (kind, value) in answers.items():
            if kind == "failed":
                raise TasksetError(value)
            if kind == "broken":
                raise RuntimeError(f"a worker failed:\n{value}")
            if kind == "died":
                process = self._processes[worker]
                process.join()
                raise TasksetError(
                    f"a worker process ended twice over the same work, with status {process.exitcode} (out of memory?): the last "
                    "checkpoint is kept; resume with fewer --slots, --pairs or --workers"
                )
        return {worker: value for worker, (_, value) in answers.items()}

    def _again(self, worker, method, given):
        """The answer of a worker that has died, from a new process."""
        answer = self._revive(worker)
        if answer[0] == "done" and not self._send(worker, method, given):
            return _DIED
        return self._answer(worker) if answer[0] == "done" else answer

    def _send(self, worker, method, given):
        """Whether there was somebody to send it to."""
        try:
            self._pipes[worker].send((method, given))
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def _answer(self, worker):
        try:
            return self._pipes[worker].recv()
        except (EOFError, ConnectionResetError):
            return _DIED

    def estimates(self, numbers: Sequence[int], outer_step: int, theta: np.ndarray) -> list[Result]:
        """The `Result`s of several slots, in that order."""
        own: dict[int, list[int]] = {}
        for number in numbers:
            own.setdefault(self._owner(number), []).append(number)
        calls = {worker: (part, outer_step, theta) for worker, part in own.items()}
        found = self._call("estimates", calls)
        for worker, call in calls.items():
            self._since[worker].append(call)
        by_slot = {number: result for worker, part in own.items() for number, result in zip(part, found[worker])}
        for worker in own:
            pid = self._processes[worker].pid
            assert pid is not None  # it has answered
            used = private_mib(pid)
            most = self._most[worker]
            if most is None:
                self._most[worker] = max(self._memory, used + GROWTH_MIB)
            elif used > most:
                self._replace(worker)
        return [by_slot[number] for number in numbers]

    def dump(self) -> Slots:
        """All slots, as `TaskPool.dump` describes them."""
        found = self._call("dump", {worker: () for worker in range(self._count)})
        slots = {number: dumped for part in found.values() for number, dumped in part.items()}
        self._keep(slots)
        return slots

    def restore(self, dumped: Slots) -> None:
        """Take up the slots that `dump` described."""
        parts: dict[int, tuple[Slots]] = {worker: ({},) for worker in range(self._count)}
        for number, slot in dumped.items():
            parts[self._owner(number)][0][number] = slot
        self._call("restore", parts)
        self._keep(dumped)
