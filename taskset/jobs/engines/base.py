"""What runs the work of a sweep, a score, an evaluation or an outer training: the protocols of engines and of their work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from taskset import plugins
from taskset.jobs.answers import Answer
from taskset.jobs.pool import LATER, Progress

FINISHED = "finished"  # what `Work.begin` gives for a job that needs nothing more


class Work(Protocol):
    """What is done for each job, in two parts: `compute` where there is a core, `begin` and `keep` where the files are.

    It is pickled: a module-level class with plain fields.
    """

    def begin(self, job: str) -> AbstractContextManager[Any]:
        """A context in which the job is this engine's: gives what `compute` is given, `FINISHED`, or `LATER` (try again)."""
        ...

    def compute(self, job: str, given: Any, report: Callable[[float], object]) -> Any:
        """The job's result, from arguments and `data_dir` alone. report: called with the share that is done."""
        ...

    def keep(self, job: str, result: Any) -> None:
        """Write the result, whole or not at all."""
        ...


class Process(Protocol):
    """An object in a process of its own, with one core: its methods are called by `send`, and each call is answered in turn."""

    def send(self, method: str, arguments: Sequence[Any]) -> None:
        """Call a method; `answer` says so where the process has ended."""
        ...

    def answer(self) -> Answer:
        """How the first call ended that was not answered yet; `Died` where the process has ended since."""
        ...

    def private_mib(self) -> float:
        """MiB that the process had for itself when it answered last, or has now."""
        ...

    def kill(self) -> None:
        """End the process at once, whatever it is doing."""
        ...


class Engine(Protocol):
    """Where work is done: processes of this machine (`local.Local`), or a Ray cluster (`ray_cluster.Ray`)."""

    def workers(self, asked: int | None, default: int) -> int:
        """How many jobs are done at a time: what was asked for, else `default` on this machine, or the cores of a cluster now."""
        ...

    def alone(self, count: int) -> bool:
        """Whether work for `count` workers needs no other process than this one."""
        ...

    def run(
        self,
        jobs: Iterable[str],
        work: Work,
        count: int | None = None,
        report: Callable[[Progress], object] = lambda progress: None,
        may_begin: Callable[[str], bool] = lambda job: True,
        modules: Sequence[str] = (),
        files: Sequence[str] = (),
        default: int = 1,
    ) -> Progress:
        """Do the work of all jobs, `count` at a time; returns the `Progress` at the end.

        count: None: `default` on this machine, or all cores of a cluster, as it grows.
        modules: those that register names from outside the package, imported before the work; files: others that `compute`
        opens, by `taskset.execution.carried.place`. report, may_begin: as of `taskset.jobs.pool.run`. A job
        whose process dies is done again. On any exception here all work is stopped at once, and the exception is raised again.
        """
        ...

    def process(
        self, make: Callable[..., object], arguments: Sequence[Any], modules: Sequence[str] = (), name: str = ""
    ) -> Process:
        """`make(*arguments)` as a `Process`. make: module-level; its errors are the answer to the first call."""
        ...


def do(job: str, work: Work, modules: Sequence[str], report: Callable[[float], object]) -> str | None:
    """All of a job, in a process that has the files; `LATER` where another process is doing it."""
    plugins.load(modules)
    with work.begin(job) as given:
        if isinstance(given, str) and given == LATER:
            return LATER
        if not (isinstance(given, str) and given == FINISHED):
            work.keep(job, work.compute(job, given, report))
        return None
