"""Work in processes of this machine, one core each."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from taskset import plugins
from taskset.execution.memory import private_mib
from taskset.execution.runtime import start_worker
from taskset.jobs import pool
from taskset.jobs.answers import Answer, Died, Done, answer_of
from taskset.jobs.engines import base
from taskset.jobs.pool import Progress, end_with_parent

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


class Local:
    """The `taskset.jobs.engines.base.Engine` of this machine."""

    def workers(self, asked: int | None, default: int) -> int:
        """As asked, else `default`."""
        return asked or default

    def alone(self, count: int) -> bool:
        """One worker is this process."""
        return count == 1

    def run(
        self,
        jobs: Iterable[str],
        work: base.Work,
        count: int | None = None,
        report: Callable[[Progress], object] = lambda progress: None,
        may_begin: Callable[[str], bool] = lambda job: True,
        modules: Sequence[str] = (),
        files: Sequence[str] = (),
        default: int = 1,
    ) -> Progress:
        """As `Engine.run`: each job is begun, computed and kept by one of `taskset.jobs.pool`."""
        del files  # they are here
        return pool.run(jobs, base.do, (work, tuple(modules)), count or default, report, may_begin)

    def process(
        self, make: Callable[..., object], arguments: Sequence[Any], modules: Sequence[str] = (), name: str = ""
    ) -> LocalProcess:
        """As `Engine.process`."""
        del name
        return LocalProcess(make, arguments, modules)


LOCAL = Local()


class LocalProcess:
    """A `taskset.jobs.engines.base.Process` that ends with this one, however this one ends."""

    def __init__(self, make: Callable[..., object], arguments: Sequence[Any], modules: Sequence[str]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, there = context.Pipe()
        given = there, os.getpid(), make, tuple(arguments), tuple(modules)
        self._process = context.Process(target=_serve, args=given, daemon=True)
        self._process.start()
        there.close()

    @property
    def pid(self) -> int:
        """The number of the process."""
        assert self._process.pid is not None  # it was started
        return self._process.pid

    def send(self, method: str, arguments: Sequence[Any]) -> None:
        """As `Process.send`."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._pipe.send((method, arguments))

    def answer(self) -> Answer:
        """As `Process.answer`."""
        try:
            return self._pipe.recv()
        except (EOFError, OSError):  # it ended before its answer, or while it sent it
            self._process.join()
            return Died(pool.ending(self._process.exitcode))

    def private_mib(self) -> float:
        """Of now."""
        return private_mib(self.pid)

    def kill(self) -> None:
        """As `Process.kill`; waits until the process has ended."""
        self._process.kill()
        self._process.join()


def _serve(pipe: Connection, parent: int, make: Callable[..., object], arguments: Sequence[Any], modules: Sequence[str]) -> None:
    """The body of a `LocalProcess`: (method, arguments) come in, answers go out."""
    end_with_parent(parent)
    start_worker()

    def begin() -> object:
        plugins.load(modules)
        return make(*arguments)

    try:
        begun = answer_of(begin)
        if not isinstance(begun, Done):  # the modules can't be imported, say: the answer to the first call
            pipe.send(begun)
            return
        while True:
            method, given = pipe.recv()
            pipe.send(answer_of(methodcaller(method, *given), begun.value))
    except (EOFError, KeyboardInterrupt, BrokenPipeError):
        return
