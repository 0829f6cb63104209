"""Compiled programs on disk: what one process has compiled, later ones load.

Kept in TASKSET_COMPILE_CACHE, by default ~/.cache/taskset/programs (XDG_CACHE_HOME is heeded); "off" switches it off. A directory
for each version of TensorFlow, kind of processor, number of threads and XLA_FLAGS: a program is machine code. At MOST_BYTES the
oldest go.
"""

import contextlib
import hashlib
import importlib.metadata
import os
import platform
import sys
import time
import warnings
from pathlib import Path

VARIABLE = "TASKSET_COMPILE_CACHE"
MOST_BYTES = 2 * 2**30
YOUNG = 3600  # seconds for which a file is kept in any case: another process may be about to read it
_FLAG = "--tf_xla_persistent_cache_directory"


def root():
    """The directory of all programs, None where the cache is off."""
    chosen = os.environ.get(VARIABLE)
    if chosen == "off":
        return None
    if chosen:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "taskset" / "programs"


def switch_on(threads=None):
    """Have TensorFlow keep its programs for CPUs on disk. Must come before TensorFlow is imported, which reads its flags then.

    threads: of a process, on which its programs depend. Where the directory can't be written, there is a warning and no cache.
    """
    flags = os.environ.get("TF_XLA_FLAGS", "")
    if root() is None or _FLAG in flags or "tensorflow" in sys.modules:
        return
    place = root() / _key(threads)
    try:
        place.mkdir(parents=True, exist_ok=True)
        writable = os.access(place, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        warnings.warn(f"can't write {place}: programs are compiled anew in each process; {VARIABLE}=DIR or off", stacklevel=3)
        return
    prune(root())
    # Accelerators aren't asked for: there nothing was measured.
    os.environ["TF_XLA_FLAGS"] = f"{flags} {_FLAG}={place} --tf_xla_persistent_cache_device_types=CPU".strip()


def _key(threads):
    version = importlib.metadata.version("tensorflow")
    told = "\n".join([version, platform.machine(), _processor(), str(threads), os.environ.get("XLA_FLAGS", "")])
    return f"tensorflow-{version}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"


def _processor():
    """The model and what it can do, by which XLA chooses instructions."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return "\n".join(sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))}))


def prune(directory, most=MOST_BYTES):
    """Delete the oldest programs until at most `most` bytes are left."""
    files = []
    for path in directory.rglob("*.pb*"):
        with contextlib.suppress(OSError):  # deleted by another process
            files.append((path.stat().st_mtime, path.stat().st_size, path))
    left = sum(size for _, size, _ in files)
    for written, size, path in sorted(files):
        if left <= most or written > time.time() - YOUNG:
            return
        with contextlib.suppress(OSError):
            path.unlink()
        left -= size
