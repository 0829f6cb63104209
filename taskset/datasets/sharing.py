"""Decoded arrays shared between the worker processes of a sweep through memory-mapped files.

Without a scratch directory every process makes its own arrays. With one, the first process writes them there and all map the
same files, so that they are in memory once.
"""

import contextlib
import mmap
import os
import re
import shutil
import tempfile
import weakref
from pathlib import Path

import numpy as np

# Internal: set by the parent of a sweep for its workers; users pass nothing.
SCRATCH_VARIABLE = "TASKSET_SHARED_ARRAYS"
_maps: weakref.WeakSet = weakref.WeakSet()  # of the arrays that are open


@contextlib.contextmanager
def shared_arrays():
    """A scratch directory for decoded data sets, which all processes started inside map; removed at the end."""
    with tempfile.TemporaryDirectory(prefix="taskset-arrays-", ignore_cleanup_errors=True) as scratch:
        before = os.environ.get(SCRATCH_VARIABLE)
        os.environ[SCRATCH_VARIABLE] = before or scratch
        try:
            yield
        finally:
            if before is None:
                del os.environ[SCRATCH_VARIABLE]


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


def write_directory(place, arrays, texts=None):
    """Write {name: array} as PLACE/NAME.npy, and {file name: text}, under a temporary name, then rename: all of it or nothing.

    A directory that is there already is left as it is.
    """
    place = Path(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{place.name}.", suffix=".tmp", dir=place.parent))
    try:
        for name, array in arrays.items():
            np.save(part / f"{name}.npy", array)
        for name, text in (texts or {}).items():
            (part / name).write_text(text)
        part.chmod(0o755)
        try:
            part.rename(place)
        except OSError:
            if not place.is_dir():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
