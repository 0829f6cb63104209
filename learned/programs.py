"""The estimators of many tasks, with their compiled programs, in a bounded amount of memory."""

import ctypes
import gc

from taskset.memory import PRIVATE_MIB, private_mib


class Programs:
    """`make(name)` of each name, kept as long as there is memory for it.

    A program of a window is some 60 MB and seconds of compilation. Above `most` MiB those that were asked for longest ago go, but
    never those that are `needed()` (a set of names). One that is asked for again is made again: traced, and its machine code read
    from `taskset.compile_cache`. The numbers are the same.
    """

    def __init__(self, make, needed, most=PRIVATE_MIB, used=private_mib):
        self._make, self._needed, self._most, self._used = make, needed, most, used
        self._kept = {}

    def __call__(self, name):
        if name in self._kept:
            self._kept[name] = self._kept.pop(name)  # the last in order
        else:
            self._kept[name] = self._make(name)
            self._fit(name)
        return self._kept[name]

    def __contains__(self, name):
        return name in self._kept

    def _fit(self, newest):
        spare = [name for name in self._kept if name != newest and name not in self._needed()]
        while spare and self._used() > self._most:
            del self._kept[spare.pop(0)]
            gc.collect()  # programs and what they were made of refer to each other in circles
            _return_memory()


def _return_memory():
    """Have the C library give freed pages back to the system; where it has no such call, they stay for later use."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)
