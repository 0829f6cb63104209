"""The estimators of many tasks, with their compiled programs, in a bounded amount of memory."""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection
from typing import Generic, TypeVar

from taskset.execution.memory import private_mib, return_memory

# Memory of a process, above which programs are dropped or it is replaced. Compiling the next one may take 450 more, and libraries
# and data that processes share up to 400, of what counts against 1.5 GB: docs/benchmarks.md, "Memory of an outer training".
MEMORY_MIB = 650
ROOM_MIB = 400  # for programs, in a process that has much else: a notebook with other libraries, say

T = TypeVar("T")


class EstimatorCache(Generic[T]):
    """`make(name)` of each name, kept as long as there is memory for it.

    The program of a truncation takes some 60 MB, and seconds of compilation. Above `most` MiB the least recently used ones are
    dropped, but never those that are `needed()` (a set of names). One that is used again is rebuilt: traced, and its machine code
    is read from `taskset.execution.compile_cache`. The numbers are the same.

    A process that has more than `most` MiB before the first program may have `room` more: with `most` alone, each program
    would be dropped for the next one, and compiled at each turn.
    """

    def __init__(
        self,
        make: Callable[[str], T],
        needed: Callable[[], Collection[str]],
        most: float = MEMORY_MIB,
        used: Callable[[], float] = private_mib,
        room: float = ROOM_MIB,
    ) -> None:
        self._make, self._needed, self._most, self._used, self._room = make, needed, most, used, room
        self._kept: dict[str, T] = {}

    def __call__(self, name: str) -> T:
        if name in self._kept:
            self._kept[name] = self._kept.pop(name)  # most recently used: the last in order
        else:
            if not self._kept and (before := self._used()) > self._most:
                self._most = before + self._room
            self._kept[name] = self._make(name)
            self._fit(name)
        return self._kept[name]

    def __contains__(self, name: object) -> bool:
        return name in self._kept

    def _fit(self, newest):
        spare = [name for name in self._kept if name != newest and name not in self._needed()]
        while spare and self._used() > self._most:
            del self._kept[spare.pop(0)]
            gc.collect()  # programs and the objects that they were made from refer to each other
            return_memory()
