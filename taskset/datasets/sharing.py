"""Decoded arrays shared between the worker processes of a sweep through memory-mapped files.

Without a scratch directory every process makes its own arrays. With one, the first process writes them there and all map the
same files, so that they are in memory once.
"""

import contextlib
import fcntl
import mmap
import os
import re
import shutil
import signal
import stat
import sys
import tempfile
import threading
import weakref
from pathlib import Path

import numpy as np

# Internal: set by the parent of a sweep for its workers; users pass nothing.
SCRATCH_VARIABLE = "TASKSET_SHARED_ARRAYS"
_PREFIX, _LOCK = "taskset-arrays-", ".lock"
_maps: weakref.WeakSet = weakref.WeakSet()  # of the arrays that are open


@contextlib.contextmanager
def shared_arrays():
    """A scratch directory for decoded data sets, which all processes started inside map; removed at the end.

    SIGTERM ends the process as an exception does, so that the directory is removed then, too. What processes left that were
    killed outright is removed at the next start.
    """
    _remove_abandoned(Path(tempfile.gettempdir()))
    before = os.environ.get(SCRATCH_VARIABLE)
    with _terminated(), _locked_directory() as scratch:
        os.environ[SCRATCH_VARIABLE] = before or str(scratch)
        try:
            yield
        finally:
            if before is None:
                del os.environ[SCRATCH_VARIABLE]


@contextlib.contextmanager
def _terminated():
    """SIGTERM raises SystemExit(143), unless the user has a handler, or this isn't the main thread (which alone may set one)."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return

    def end(number, frame):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once: nothing is to interrupt the removal
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def _locked_directory():
    """A temporary directory with a lock file in it that this process holds: the system releases it when the process dies."""
    made = Path(tempfile.mkdtemp(prefix="taskset-new-"))
    with open(made / _LOCK, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        scratch = made.rename(made.with_name(made.name.replace("taskset-new-", _PREFIX)))  # from here on with its lock held
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _remove_abandoned(directory):
    """Remove the scratch directories of processes that are dead: ours by name, owner and lock file, with a lock nobody holds."""
    for scratch in directory.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            told = scratch.lstat()
            if not stat.S_ISDIR(told.st_mode) or told.st_uid != os.getuid():
                continue
            with open(os.open(scratch / _LOCK, os.O_RDWR | os.O_NOFOLLOW), "r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(scratch, ignore_errors=True)


def scratch_from_environment():
    """The scratch directory that the parent process named, None if there is none."""
    return os.environ.get(SCRATCH_VARIABLE) or None


def open_arrays(key, make, scratch_dir=None):
    """`make()`, a flat {name: array}; through read-only memory maps of SCRATCH_DIR/KEY/NAME.npy where `scratch_dir` is given.

    key: names the contents; the same key always means the same arrays. Processes that start at the same moment may both make
    them; the directory appears by one rename, the later one discards its own.
    """
    if scratch_dir is None:
        return make()
    place = Path(scratch_dir) / re.sub(r"[^\w.-]+", "_", key)
    if not place.is_dir():
        write_directory(place, make())
    return {file.stem: mapped(file) for file in sorted(place.glob("*.npy"))}


def mapped(file):
    """The array in an .npy file, read-only, as a memory map."""
    array = np.load(file, mmap_mode="r")
    _maps.add(array._mmap)
    return array


def release_pages():
    """Take the pages of all mapped arrays out of this process's memory. They come back when they are read, mostly from the
    system's cache of files: nothing changes but how much a process that has read many data sets seems to have."""
    if hasattr(mmap, "MADV_DONTNEED"):
        for one in _maps:
            one.madvise(mmap.MADV_DONTNEED)


def write_directory(place, arrays, texts=None, finish=None):
    """Write {name: array} as PLACE/NAME.npy, and {file name: text}, under a temporary name, then rename: all of it or nothing.

    finish: called with the temporary directory before it is renamed. A directory that is there already is left as it is.
    """
    place = Path(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{place.name}.", suffix=".tmp", dir=place.parent))
    try:
        for name, array in arrays.items():
            np.save(part / f"{name}.npy", array)
        for name, text in (texts or {}).items():
            (part / name).write_text(text, encoding="utf-8")
        if finish:
            finish(part)
        part.chmod(0o755)
        try:
            part.rename(place)
        except OSError:
            if not place.is_dir():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
