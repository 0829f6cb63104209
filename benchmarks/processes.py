"""Processes of their own, whose memory and caches have nothing of what ran before, and what the system says of them.

`result_of` and `Process` start them; the rest watches processes by their ids, in /proc: Linux only.
"""

import contextlib
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path


def compile_everything():
    """No programs from the cache on disk, here and in processes that are started: where compiling is in the time."""
    os.environ["TASKSET_COMPILE_CACHE"] = "off"


def result_of(function, *arguments):
    """What `function(*arguments, pipe)` sends through the pipe, from a fresh process; RuntimeError where that dies."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=function, args=(*arguments, there))
    process.start()
    there.close()
    try:
        return here.recv()
    except EOFError:
        process.join()
        given = ", ".join(map(str, arguments))
        raise RuntimeError(f"{given}: the process ended with status {process.exitcode}; its message is above") from None
    finally:
        process.join()


def _serve(pipe, side, core):
    os.sched_setaffinity(0, {core})
    side = side()
    while (request := pipe.recv()) is not None:
        method, *args = request
        pipe.send(getattr(side, method)(*args))


class Process:
    """A side of a comparison in a process of its own, pinned to a core; `ask` calls one of its methods."""

    def __init__(self, side, core):
        context = multiprocessing.get_context("spawn")
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, side, core), daemon=True)
        self._process.start()
        there.close()

    def ask(self, *request):
        """The answer; ends the program where the side has died, whose message is on stderr."""
        self._pipe.send(request)
        try:
            return self._pipe.recv()
        except EOFError:
            raise SystemExit(1) from None

    def close(self):
        """End the process."""
        self._pipe.send(None)
        self._process.join()


def children(pid):
    """Ids of the worker processes of a process (its tracker of shared resources is none)."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [p for p in listed if "spawn_main" in Path(f"/proc/{p}/cmdline").read_text()]


def resident_mib(pid):
    """{"VmRSS": MiB, "RssAnon": MiB, "RssFile": MiB, ..}: resident memory of a process, and of which kind it is."""
    lines = [line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(("Rss", "VmRSS"))]
    return {line[0].rstrip(":"): int(line[1]) / 1024 for line in lines}


def proportional_mib(pid):
    """{"Pss": MiB, ..} of a process: shared pages count in parts (Pss), as a whole (Rss), not at all (Anonymous)."""
    lines = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]]
    return {line[0].rstrip(":"): int(line[1]) / 1024 for line in lines}


def cpu_seconds(pid):
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def waited_seconds():
    """Seconds in which threads of this process were ready to run and waited for a core; None where the system doesn't say."""
    waited = []
    for thread in Path("/proc/self/task").glob("*/schedstat"):
        with contextlib.suppress(OSError, IndexError):  # a thread that has just ended
            waited.append(int(thread.read_text().split()[1]) / 1e9)
    return sum(waited) if waited else None


def watch(command, by="VmRSS", environment=None):
    """Run a command; ({worker: (`resident_mib` when `by` of it was largest, CPU seconds)}, wall seconds)."""
    start, seen = time.perf_counter(), {}
    process = subprocess.Popen(command, env=environment)
    while process.poll() is None:
        try:
            for pid in children(process.pid):
                now, cpu = resident_mib(pid), cpu_seconds(pid)
                before = seen.get(pid, ({by: 0.0}, 0.0))[0]
                seen[pid] = (max(before, now, key=lambda m: m[by]), cpu)
        except (OSError, IndexError):  # a worker that has just ended
            pass
        time.sleep(0.2)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with status {process.returncode}")
    return seen, time.perf_counter() - start
