"""The jobs of an engine that wait for a core."""

import collections
import time
from collections.abc import Callable, Iterable

LATER_SECONDS = 1.0


class Waiting:
    """Jobs in their order, then those that were put off, when they are due again.

    may_begin: asked for each job whenever its turn comes; left: the list to which those go that may not.
    """

    def __init__(self, jobs: Iterable[str], may_begin: Callable[[str], bool], left: list[str]) -> None:
        self.jobs = collections.deque(jobs)
        self.later: dict[str, float] = {}  # {job: when it may be tried again}
        self._may_begin, self._left = may_begin, left

    def __bool__(self) -> bool:
        return bool(self.jobs or self.later)

    def put_off(self, job: str) -> None:
        """Have a job tried again in LATER_SECONDS."""
        self.later[job] = time.monotonic() + LATER_SECONDS

    def next(self) -> str | None:
        """The next job that may begin, which waits no longer; None where none may now."""
        while self.jobs:
            if self._may(job := self.jobs.popleft()):
                return job
        for job in [job for job, at in self.later.items() if time.monotonic() >= at]:
            del self.later[job]
            if self._may(job):
                return job
        return None

    def _may(self, job: str) -> bool:
        may = self._may_begin(job)
        if not may:
            self._left.append(job)
        return may
