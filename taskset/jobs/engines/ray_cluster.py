"""Work on a Ray cluster: one task of Ray's, with one core, per job; one actor per worker of an outer training.

This process begins the jobs and writes their results, so that the nodes need no common file system. They need the same version of
this package, and real data where they shall read it.
"""

from __future__ import annotations

import collections
import contextlib
import gc
import os
import resource
import secrets
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import methodcaller
from typing import Any

from taskset import plugins
from taskset.errors import TasksetError, cut
from taskset.execution import carried, compile_cache
from taskset.execution.memory import private_mib
from taskset.jobs.answers import Answer, Died, Done, Failed, Returned, answer_of
from taskset.jobs.engines.base import FINISHED, Process, Work
from taskset.jobs.pool import LATER, Progress
from taskset.jobs.waiting import Waiting
from taskset.version import __version__

RETRIES = 3  # how often a job is begun again when its worker or node has died
AHEAD = 2  # jobs that Ray has per core
RECYCLE = 10  # jobs of a process before a fresh one takes over, which starts within some seconds
WAITING_SECONDS = 60.0  # without an answer, before a note says that the cluster has no core for a worker
CANCEL_SECONDS = 10.0  # for the nodes to remove what they shared, at the end


@dataclass(frozen=True)
class Setup:
    """What a process on another machine is set up with before its first job.

    session: of the scratch directory (`taskset.datasets.sharing.join_shared_arrays`); settings: environment variables that can
    change numbers, or say where compiled programs are kept, "" where they are not set; modules: to import; files:
    `taskset.execution.carried`.
    """

    version: str
    session: str
    settings: dict[str, str]
    modules: tuple[str, ...]
    files: Mapping[str, carried.CarriedFile]

    def apply(self) -> None:
        """Set up this process: TensorFlow with one thread, the node's scratch directory, the user's modules."""
        if self.version != __version__:
            raise TasksetError(
                f"a node has taskset {__version__}, and this process has {self.version}: install the same version on all nodes"
            )
        if _Node.session != self.session:
            from taskset.datasets.sharing import join_shared_arrays
            from taskset.execution.runtime import start_worker

            for name, value in self.settings.items():  # of a node's own, those that this process lacks would change numbers
                os.environ.pop(name, None)
                os.environ.update({name: value} if value else {})
            _Node.scratch, _Node.session = join_shared_arrays(self.session), self.session
            start_worker()
        carried.unpack(self.files, _Node.scratch)
        plugins.load(self.modules)


class _Node:
    """The state of a process on a node."""

    session = ""
    scratch: Any = None


def _compute(setup: Setup, work: Work, job: str, given: Any) -> Returned:
    """The body of a task of Ray's."""

    def compute() -> Any:
        setup.apply()
        return work.compute(job, given, lambda share: None)

    answer = answer_of(compute)
    gc.collect()  # a task and its compiled programs refer to each other in circles
    return answer


class _Held:
    """The body of an actor of Ray's: an object that is made on the first call."""

    def __init__(self, setup: Setup, make: Callable[..., object], arguments: Sequence[Any]) -> None:
        self._made: object = None
        self._make = setup, make, arguments

    def call(self, method: str, arguments: Sequence[Any]) -> tuple[Returned, float]:
        """(the answer, MiB that the process has for itself)."""
        if self._made is None:
            made = answer_of(self._begin)
            if not isinstance(made, Done):
                return made, private_mib()
        return answer_of(methodcaller(method, *arguments), self._made), private_mib()

    def _begin(self) -> None:
        setup, make, arguments = self._make
        setup.apply()
        self._made = make(*arguments)


class Ray:
    """The `taskset.jobs.engines.base.Engine` of a Ray cluster. ray: the module, connected."""

    def __init__(self, ray: Any) -> None:
        self._ray, self._session = ray, secrets.token_hex(8)

    def workers(self, asked: int | None, default: int) -> int:
        """As asked, else one per core of the cluster as it is now."""
        del default
        return asked or max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def alone(self, count: int) -> bool:
        """Nothing is computed in this process."""
        del count
        return False

    def _setup(self, modules: Sequence[str], files: Sequence[str] = ()) -> Any:
        """A reference to the `Setup`, which Ray sends to each node once."""
        here = compile_cache.settings()
        settings = {name: here.get(name, "") for name in compile_cache.SETTINGS}
        settings[compile_cache.VARIABLE] = os.environ.get(compile_cache.VARIABLE, "")
        packed = carried.pack([*(name for name in modules if name.endswith(".py")), *files])
        return self._ray.put(Setup(__version__, self._session, settings, tuple(modules), packed))

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
        """As `Engine.run`. Claims are held here, and results are written here; how far a job is isn't known before its end.

        Without a `count`, Ray has twice as many jobs as cores: a cluster that can grow sees that there is work for more.
        """
        del default
        running = _Running(self._ray, work, self._setup(modules, files), jobs, may_begin)
        try:
            while running.begin(count or AHEAD * self.workers(None, 1)):
                report(running.progress)
                running.wait()
                report(running.progress)
        finally:
            running.cancel()
        return running.progress

    def process(
        self, make: Callable[..., object], arguments: Sequence[Any], modules: Sequence[str] = (), name: str = ""
    ) -> Process:
        """As `Engine.process`: an actor."""
        actor = self._ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(_Held)
        return RayProcess(self._ray, actor.remote(self._setup(modules), make, tuple(arguments)), name)

    def close(self) -> None:
        """Have each node remove what its processes shared; one that doesn't answer removes it when it is next used."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On

        from taskset.datasets.sharing import leave_shared_arrays

        with contextlib.suppress(Exception):  # the cluster may be gone
            place = self._ray.remote(num_cpus=0, max_retries=0)(leave_shared_arrays)
            nodes = [node["NodeID"] for node in self._ray.nodes() if node["Alive"]]
            asked = [place.options(scheduling_strategy=On(node, soft=False)).remote(self._session) for node in nodes]
            self._ray.wait(asked, num_returns=len(asked), timeout=CANCEL_SECONDS)


def _allow_files(count: int) -> None:
    """Let this process have a claim, which is an open file, for each job that is running."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * count + 1024
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


class _Running:
    """The jobs of one `Ray.run`: those that wait, and those that are with Ray."""

    def __init__(self, ray: Any, work: Work, setup: Any, jobs: Iterable[str], may_begin: Callable[[str], bool]) -> None:
        self.progress = Progress()
        self._ray, self._work, self._setup = ray, work, setup
        self._sent = ray.put(work)
        self._compute = ray.remote(num_cpus=1, max_retries=RETRIES, max_calls=RECYCLE)(_compute)
        self._waiting = Waiting(jobs, may_begin, self.progress.left)
        self._begun: dict[Any, tuple[str, contextlib.ExitStack]] = {}  # {reference: (job, its claim)}

    def begin(self, count: int) -> bool:
        """Begin jobs until `count` are with Ray; whether there is anything left to wait for."""
        _allow_files(count)
        while len(self._begun) < count and (job := self._waiting.next()) is not None:
            with contextlib.ExitStack() as claim:
                answer = answer_of(claim.enter_context, self._work.begin(job))
                given = answer.value if isinstance(answer, Done) else FINISHED
                if isinstance(given, str) and given == LATER:
                    self._waiting.put_off(job)
                elif isinstance(given, str) and given == FINISHED:
                    self.progress.note(job, answer)
                else:
                    reference = self._compute.options(name=job).remote(self._setup, self._sent, job, given)
                    self._begun[reference] = job, claim.pop_all()
                    self.progress.working[job] = 0.0
        return bool(self._begun or self._waiting)

    def wait(self) -> None:
        """Wait half a second, or until a job has ended; keep its result."""
        if not self._begun:
            time.sleep(0.5)
            return
        for reference in self._ray.wait(list(self._begun), num_returns=1, timeout=0.5)[0]:
            job, claim = self._begun.pop(reference)
            with claim:
                answer = self._computed(reference)
                if isinstance(answer, Done):
                    answer = answer_of(self._work.keep, job, answer.value)
            del self.progress.working[job]
            self.progress.note(job, answer)

    def _computed(self, reference: Any) -> Returned:
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:  # of Ray's own around our code: a result that can't be sent, say
            return Failed(str(error))
        except self._ray.exceptions.RayError as error:
            return Failed(f"its worker or node died {RETRIES + 1} times (out of memory?): {cut(str(error), 300)}")

    def cancel(self) -> None:
        """End what is still with Ray, and give up its claims."""
        for reference, (_, claim) in self._begun.items():
            with contextlib.suppress(Exception), claim:  # the cluster may be gone
                self._ray.cancel(reference, force=True)


class RayProcess:
    """A `taskset.jobs.engines.base.Process`: an actor, which ends with this process."""

    def __init__(self, ray: Any, actor: Any, name: str) -> None:
        self._ray, self._actor, self._name, self._mib = ray, actor, name, 0.0
        self._placed = actor.__ray_ready__.remote()  # answered once the actor has its core
        self._calls: collections.deque[Any] = collections.deque()

    def send(self, method: str, arguments: Sequence[Any]) -> None:
        """As `Process.send`."""
        self._calls.append(self._actor.call.remote(method, tuple(arguments)))

    def answer(self) -> Answer:
        """As `Process.answer`. A note says so where the cluster has no core for the worker."""
        reference, answered = self._calls.popleft(), False
        while not answered:
            answered = bool(self._ray.wait([reference], timeout=WAITING_SECONDS)[0])
            if not answered and not self._ray.wait([self._placed], timeout=0)[0]:
                warnings.warn(f"{self._name} waits for a core of the cluster: give fewer --workers or add nodes", stacklevel=2)
        try:
            answer, self._mib = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            return Died(f"or its node did ({cut(str(error), 300)})")
        return answer

    def private_mib(self) -> float:
        """At its last answer."""
        return self._mib

    def kill(self) -> None:
        """As `Process.kill`."""
        with contextlib.suppress(Exception):  # the cluster may be gone
            self._ray.kill(self._actor, no_restart=True)
