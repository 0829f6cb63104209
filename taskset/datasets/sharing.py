"""Decoded arrays shared between the worker processes of a sweep through memory-mapped files.

Without a scratch directory, every process makes its own arrays. With one, the first process writes them there, and all map the
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
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from taskset.errors import StoreError
from taskset.files import temporary_beside

# Internal: the parent process of a sweep sets it for its workers.
SCRATCH_VARIABLE = "TASKSET_SHARED_ARRAYS"
_PREFIX, _LOCK = "taskset-arrays-", ".lock"
_maps: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()  # of the arrays that are open


@contextlib.contextmanager
def shared_arrays() -> Iterator[None]:
    """A context with a scratch directory of decoded data sets, which all processes started in it map; removed at the end.

    SIGTERM is turned into an exception, so that the directory is removed then, too. Directories of processes that were killed by
    other means are removed when the next context begins.
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


def join_shared_arrays(session: str) -> Path:
    """The scratch directory of a session's processes on this machine, where none of them is the parent of the others.

    session: a name that nobody can guess. The first process makes the directory; it is kept while one of them lives, removed by
    `leave_shared_arrays` or, if that never came, when another session begins here.
    """
    place = Path(tempfile.gettempdir(), f"{_PREFIX}{session}")
    while True:
        place.mkdir(mode=0o700, exist_ok=True)
        try:
            lock = os.open(place / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_SH)  # until this process ends
            if os.path.samestat(os.fstat(lock), (place / _LOCK).lstat()):
                break
            os.close(lock)
        except FileNotFoundError:  # another process is removing it
            continue
    _remove_abandoned(place.parent)
    os.environ[SCRATCH_VARIABLE] = str(place)
    return place


def leave_shared_arrays(session: str) -> None:
    """Remove the scratch directory of a session from this machine; processes that still map its files keep what they have."""
    shutil.rmtree(Path(tempfile.gettempdir(), f"{_PREFIX}{session}"), ignore_errors=True)


@contextlib.contextmanager
def _terminated() -> Iterator[None]:
    """A context in which SIGTERM raises SystemExit(143), unless the user has a handler or this isn't the main thread."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return

    def end(number, frame):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once: nothing may interrupt the removal
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def _locked_directory() -> Iterator[Path]:
    """A temporary directory with a lock file that this process holds: the system releases the lock when the process ends."""
    made = Path(tempfile.mkdtemp(prefix="taskset-new-"))
    with open(made / _LOCK, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # It has this name only while its lock is held.
        scratch = made.rename(made.with_name(made.name.replace("taskset-new-", _PREFIX)))
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _remove_abandoned(directory: Path) -> None:
    """Remove scratch directories of dead processes: those with our prefix, of this user, whose lock nobody holds."""
    for scratch in directory.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            status = scratch.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
                continue
            with open(os.open(scratch / _LOCK, os.O_RDWR | os.O_NOFOLLOW), "r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(scratch, ignore_errors=True)


def scratch_from_environment() -> str | None:
    """The scratch directory of the parent process's `shared_arrays`, None if there is none."""
    return os.environ.get(SCRATCH_VARIABLE) or None


def open_arrays(key: str, make: Callable[[], dict[str, np.ndarray]], scratch_dir: str | None = None) -> dict[str, np.ndarray]:
    """`make()`, a flat {name: array}; with `scratch_dir`, as read-only memory maps of SCRATCH_DIR/KEY/NAME.npy.

    key: names the contents; the same key always means the same arrays. Processes that start at the same moment may both make
    them; the directory appears by one rename, and the later process discards its own.
    """
    if scratch_dir is None:
        return make()
    place = Path(scratch_dir) / re.sub(r"[^\w.-]+", "_", key)
    if not place.is_dir():
        arrays = make()
        try:
            write_directory(place, arrays)
        except OSError as error:  # NumPy says how much it wrote, and not where
            raise StoreError(
                f"can't write data to {scratch_dir}: {error}; free some room there, or set TMPDIR to another directory"
            ) from error
    return {file.stem: mapped(file) for file in sorted(place.glob("*.npy"))}


def mapped(file: Path) -> np.ndarray:
    """The array in an .npy file, read-only, as a memory map."""
    array = np.load(file, mmap_mode="r")
    _maps.add(array._mmap)
    return array


def release_pages() -> None:
    """Release the pages of all mapped arrays from this process's memory.

    They are mapped again when they are read, mostly from the system's file cache. This only lowers the memory that a process
    which has read many data sets seems to use.
    """
    if hasattr(mmap, "MADV_DONTNEED"):
        for one in _maps:
            one.madvise(mmap.MADV_DONTNEED)


def write_directory(
    place: str | os.PathLike[str],
    arrays: Mapping[str, np.ndarray],
    texts: Mapping[str, str] | None = None,
    finish: Callable[[Path], None] | None = None,
) -> None:
    """Write {name: array} as PLACE/NAME.npy, and {file name: text}, under a temporary name, then rename: all of it or nothing.

    finish: called with the temporary directory before it is renamed. An existing directory is left unchanged.
    """
    place = Path(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    part = temporary_beside(place)
    part.mkdir(mode=0o700)
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
