"""The estimators of many tasks, with their compiled programs, in a bounded amount of memory."""

import gc

from taskset.execution.memory import private_mib, return_memory

# Of a process, above which programs go or it is replaced. Compiling the next one may take 450 more, libraries and data that
# processes share up to 400 of what counts against 1.5 GB: docs/benchmarks.md, "Memory of an outer training".
MEMORY_MIB = 650


class EstimatorCache:
    """`make(name)` of each name, kept as long as there is memory for it.

    The program of a truncation is some 60 MB and seconds of compilation. Above `most` MiB the least recently used ones go, but
    never those that are `needed()` (a set of names). One that is asked for again is rebuilt: traced, and its machine code read
    from `taskset.execution.compile_cache`. The numbers are the same.
    """

    def __init__(self, make, needed, most=MEMORY_MIB, used=private_mib):
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
            return_memory()
