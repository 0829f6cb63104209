"""Slots in several processes: each has those whose number falls to it, and one thread.

Results come back in the order of slots, and a slot's numbers don't depend on where it lives: any number of workers gives the
same weights, and a training can go on with another number.
"""

import multiprocessing
import traceback

from learned.programs import MEMORY_MIB
from taskset.errors import TasksetError
from taskset.memory import private_mib
from taskset.quiet import start_tensorflow

GROWTH_MIB = 200  # a new process that needs more memory than it should may grow by as much before it is replaced


def _work(pipe, suite, options, data_dir, modules, memory):
    """The body of a worker: (method, arguments) come in, ("done" | "failed" | "broken", value) go out."""
    start_tensorflow(threads=1)
    from learned.slots import Slots
    from taskset import plugins

    try:
        plugins.load(modules)
        slots = Slots(suite, options, data_dir, memory=memory)
        while True:
            method, arguments = pipe.recv()
            try:
                pipe.send(("done", getattr(slots, method)(*arguments)))
            except TasksetError as error:
                pipe.send(("failed", str(error)))
            except Exception:
                pipe.send(("broken", traceback.format_exc()))
    except (EOFError, KeyboardInterrupt, BrokenPipeError):
        return


class Workers:
    """As `learned.slots.Slots`, in `count` processes; a context manager, which ends them.

    suite, options, data_dir, memory: as of Slots; modules: those that register tasks of one's own. A process that has more than
    `memory` MiB for itself is replaced by a new one, which goes on with its slots: what TensorFlow keeps of programs that are
    gone, some 20 MiB each, goes with the process. The numbers are the same.
    """

    def __init__(self, count, suite, options, data_dir=None, modules=(), memory=MEMORY_MIB):
        self._given, self._memory, self.replaced = (suite, options, data_dir, list(modules), memory), memory, 0
        self._pipes, self._processes, self._most = [None] * count, [None] * count, [memory] * count
        for worker in range(count):
            self._start(worker)

    def _start(self, worker):
        context = multiprocessing.get_context("spawn")
        self._pipes[worker], there = context.Pipe()
        self._processes[worker] = context.Process(target=_work, args=(there, *self._given), daemon=True)
        self._processes[worker].start()
        there.close()

    def _replace(self, worker):
        slots = self._call("dump", {worker: ()})[worker]
        self._processes[worker].kill()
        self._processes[worker].join()
        self._start(worker)
        self._most[worker] = None  # known after its first estimates
        self.replaced += 1
        self._call("restore", {worker: (slots,)})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.join()

    def _owner(self, number):
        return number % len(self._pipes)

    def _call(self, method, arguments):
        """{worker: result} of `method(*arguments[worker])`, computed at the same time."""
        for worker, given in arguments.items():
            self._pipes[worker].send((method, given))
        # All answers are taken before any error is raised, so that no pipe is left with an answer in it.
        answers = {worker: self._answer(worker) for worker in arguments}
        for kind, value in answers.values():
            if kind == "failed":
                raise TasksetError(value)
            if kind == "broken":
                raise RuntimeError(f"a worker failed:\n{value}")
        return {worker: value for worker, (_, value) in answers.items()}

    def _answer(self, worker):
        try:
            return self._pipes[worker].recv()
        except EOFError:
            process = self._processes[worker]
            process.join()
            return "failed", (
                f"a worker process ended with status {process.exitcode} (out of memory?): the last checkpoint is kept; "
                "go on with fewer --slots, --pairs or --workers"
            )

    def estimates(self, numbers, outer_step, theta):
        """The `Result`s of several slots, in that order."""
        own = {}
        for number in numbers:
            own.setdefault(self._owner(number), []).append(number)
        found = self._call("estimates", {worker: (part, outer_step, theta) for worker, part in own.items()})
        by_slot = {number: result for worker, part in own.items() for number, result in zip(part, found[worker])}
        for worker in own:
            used = private_mib(self._processes[worker].pid)
            if self._most[worker] is None:
                self._most[worker] = max(self._memory, used + GROWTH_MIB)
            elif used > self._most[worker]:
                self._replace(worker)
        return [by_slot[number] for number in numbers]

    def dump(self):
        """{slot: (task, life, {name: array})} of all slots."""
        found = self._call("dump", {worker: () for worker in range(len(self._pipes))})
        return {number: dumped for part in found.values() for number, dumped in part.items()}

    def restore(self, dumped):
        """Take up the slots that `dump` described."""
        parts = {worker: ({},) for worker in range(len(self._pipes))}
        for number, slot in dumped.items():
            parts[self._owner(number)][0][number] = slot
        self._call("restore", parts)
