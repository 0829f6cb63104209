"""The task pool in several processes: each has the places whose number falls to it, and one thread.

Results come back in the order of places, and a place's numbers don't depend on the process that holds it: any number of workers
gives the same weights, and a training can be resumed with another number.

A worker that is killed from outside is started again with its places as they were last kept (at the last checkpoint), and
recomputes what it computed since: the numbers are the same. One that dies twice over the same work ends the
training. A worker whose parent is gone ends at once, whatever it is doing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from learned.outer_training.estimator_cache import MEMORY_MIB
from learned.outer_training.options import Options
from learned.types import Arrays, Places
from taskset.errors import TasksetError
from taskset.jobs.answers import Answer, Broken, Died, Done, Failed
from taskset.jobs.engines import LOCAL, Engine, Process
from taskset.scoring.suites.suite import Suite

if TYPE_CHECKING:
    from learned.outer_training.task_pool import Result, TaskPool

Call: TypeAlias = tuple[list[int], int, np.ndarray]  # arguments of `TaskPool.estimates`
GROWTH_MIB = 200  # a new process that needs more memory than it should may grow by as much before it is replaced


def _pool(suite: Suite, options: Options, data_dir: str | None, memory: float, start: Arrays | None) -> TaskPool:
    """What a worker holds."""
    from learned.outer_training.task_pool import TaskPool

    return TaskPool(suite, options, data_dir, memory=memory, start=start)


def _value(answer: Answer) -> Any:
    """What a worker returned. Raises what it failed with."""
    if isinstance(answer, Failed):
        raise TasksetError(answer.reason)
    if isinstance(answer, Broken):
        raise RuntimeError(f"a worker failed:\n{answer.traceback}")
    if isinstance(answer, Died):
        raise TasksetError(
            f"a worker process ended twice over the same work, {answer.how}: the last checkpoint is kept; resume with fewer "
            "--workers, or train anew with fewer --pool or --pairs and another --out"
        )
    return answer.value


class Workers:
    """As `learned.outer_training.task_pool.TaskPool`, in `count` processes; a context manager, which ends them.

    suite, options, data_dir, memory, start: as of `TaskPool`; modules: those that register tasks of one's own. A process that has
    more than `memory` MiB for itself is replaced by a new one, which takes up its places: what TensorFlow keeps of programs that
    are gone, some 20 MiB each, goes with the process. The numbers are the same.

    recall: a function that returns what the last `saved` or `restore` was about, where that is on disk; None: it is kept in
    memory. engine: what starts the processes (`taskset.jobs.engines`): this machine, or a cluster.
    """

    def __init__(
        self,
        count: int,
        suite: Suite,
        options: Options,
        data_dir: str | None = None,
        modules: Sequence[str] = (),
        memory: float = MEMORY_MIB,
        recall: Callable[[], Places] | None = None,
        start: Arrays | None = None,
        engine: Engine = LOCAL,
    ) -> None:
        self._given, self._modules, self._engine = (suite, options, data_dir, memory, start), tuple(modules), engine
        self._count, self._memory, self.replaced = count, memory, 0
        self._processes: dict[int, Process] = {}
        self._most: list[float | None] = [memory] * count
        # The estimates that were asked of each worker since places were kept last, and which places those were.
        self._since: list[list[Call]] = [[] for _ in range(count)]
        self._kept: Places | None = {}
        self._recall, self.revived = recall, 0
        self._tasks: dict[int, tuple[str, int]] = {}  # {place: (its task, how many tasks it has drawn)}
        self._dumped: Places = {}  # until it is saved
        try:
            for worker in range(count):
                self._start(worker)
        except BaseException:
            self.__exit__()
            raise

    def _start(self, worker):
        self._processes[worker] = self._engine.process(_pool, self._given, self._modules, f"worker {worker}")

    def _replace(self, worker):
        places = self._call("dump", {worker: ()})[worker]
        self._processes[worker].kill()
        self._start(worker)
        self._most[worker] = None  # known after its first estimates
        self._call("restore", {worker: (places,)})
        self.replaced += 1

    def _keep(self, dumped):
        self._tasks = {number: (task, draws) for number, (task, draws, _) in dumped.items()}
        self._kept, self._since = dumped if self._recall is None else None, [[] for _ in range(self._count)]

    def _kept_places(self, worker):
        kept = self._kept if self._recall is None else self._recall()
        if {number: (task, draws) for number, (task, draws, _) in kept.items()} != self._tasks:
            raise TasksetError("a worker ended, and the last checkpoint is no longer what it was: start the training again")
        return {number: place for number, place in kept.items() if self._owner(number) == worker}

    def _revive(self, worker):
        """A new process in the place of one that has died, as far as that one was; `Done`, or what went wrong."""
        self._processes[worker].kill()
        self._start(worker)
        self._most[worker] = None
        self.revived += 1
        calls = [("restore", (self._kept_places(worker),)), *(("estimates", call) for call in self._since[worker])]
        for method, arguments in calls:
            answer = self._ask(worker, method, arguments)
            if not isinstance(answer, Done):
                return answer
        return Done(None)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.kill()

    def _owner(self, number: int) -> int:
        return number % self._count

    def _call(self, method, arguments):
        """{worker: result} of `method(*arguments[worker])`, computed at the same time."""
        for worker, given in arguments.items():
            self._processes[worker].send(method, given)  # one that has ended may have left an answer that says why
        # All answers are taken before any error is raised, so that no process is left with an answer that nobody has read.
        answers = {worker: self._processes[worker].answer() for worker in arguments}
        for worker in [worker for worker, answer in answers.items() if isinstance(answer, Died)]:
            answers[worker] = self._again(worker, method, arguments[worker])
        return {worker: _value(answer) for worker, answer in answers.items()}

    def _again(self, worker, method, given):
        """The answer of a worker that has died, from a new process."""
        answer = self._revive(worker)
        return self._ask(worker, method, given) if isinstance(answer, Done) else answer

    def _ask(self, worker, method, given):
        """The answer of one worker."""
        self._processes[worker].send(method, given)
        return self._processes[worker].answer()

    def estimates(self, numbers: Sequence[int], outer_step: int, theta: np.ndarray) -> list[Result]:
        """The `Result`s of several places, in that order."""
        own: dict[int, list[int]] = {}
        for number in numbers:
            own.setdefault(self._owner(number), []).append(number)
        calls = {worker: (part, outer_step, theta) for worker, part in own.items()}
        found = self._call("estimates", calls)
        for worker, call in calls.items():
            self._since[worker].append(call)
        by_place = {number: result for worker, part in own.items() for number, result in zip(part, found[worker])}
        for worker in own:
            used = self._processes[worker].private_mib()
            most = self._most[worker]
            if most is None:
                self._most[worker] = max(self._memory, used + GROWTH_MIB)
            elif used > most:
                self._replace(worker)
        return [by_place[number] for number in numbers]

    def dump(self) -> Places:
        """All places, as `TaskPool.dump` describes them."""
        found = self._call("dump", {worker: () for worker in range(self._count)})
        places = {number: dumped for part in found.values() for number, dumped in part.items()}
        self._dumped = places
        return places

    def saved(self) -> None:
        """As `Pool.saved`."""
        self._keep(self._dumped)
        self._dumped = {}

    def restore(self, dumped: Places) -> dict[str, Any]:
        """As `Pool.restore`."""
        parts: dict[int, tuple[Places]] = {worker: ({},) for worker in range(self._count)}
        for number, place in dumped.items():
            parts[self._owner(number)][0][number] = place
        self._keep(dumped)  # before the call: a process that dies over it is started again with these places
        read = self._call("restore", parts)
        return {name: origin for part in read.values() for name, origin in part.items()}
