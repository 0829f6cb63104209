"""Slots in several processes: each has those whose number falls to it, and one thread.

Results come back in the order of slots, and a slot's numbers don't depend on where it lives: any number of workers gives the
same weights, and a training can go on with another number.
"""

import multiprocessing
import traceback

from taskset.errors import TasksetError
from taskset.quiet import start_tensorflow


def _work(pipe, suite, options, data_dir, modules):
    """The body of a worker: (method, arguments) come in, ("done" | "failed" | "broken", value) go out."""
    start_tensorflow(threads=1)
    from learned.slots import Slots
    from taskset import plugins

    try:
        plugins.load(modules)
        slots = Slots(suite, options, data_dir)
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

    suite, options, data_dir: as of Slots; modules: those that register tasks of one's own.
    """

    def __init__(self, count, suite, options, data_dir=None, modules=()):
        context = multiprocessing.get_context("spawn")
        self._pipes, self._processes = [], []
        for _ in range(count):
            here, there = context.Pipe()
            process = context.Process(target=_work, args=(there, suite, options, data_dir, list(modules)), daemon=True)
            process.start()
            there.close()
            self._pipes.append(here)
            self._processes.append(process)

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
