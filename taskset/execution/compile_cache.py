"""Compiled programs on disk: what one process has compiled, later ones load.

Kept in TASKSET_COMPILE_CACHE, by default ~/.cache/taskset/programs (XDG_CACHE_HOME is heeded); "off" switches it off. A directory
for each version of TensorFlow, kind of processor, number of threads and settings of XLA: a program is machine code. At MOST_BYTES
the oldest go.

TensorFlow itself reads and writes programs in memory only. What is on disk goes through this module, so that a damaged program
is noticed by its sum before TensorFlow sees it, and a full disk is no error of the program that was compiled.
"""

import contextlib
import hashlib
import importlib.metadata
import os
import platform
import secrets
import sys
import threading
import time
import warnings
from pathlib import Path

VARIABLE = "TASKSET_COMPILE_CACHE"
MOST_BYTES = 2 * 2**30
YOUNG = 3600  # seconds for which a file is kept in any case: another process may be about to read it
SETTINGS = ("XLA_FLAGS", "TF_XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS")  # variables by which compiled programs, and numbers, can differ
_FLAG = "--tf_xla_persistent_cache_directory"
_MEMORY = "ram://taskset-programs"  # a file system of TensorFlow's, in the memory of this process
# Accelerators aren't asked for: there nothing was measured.
_OURS = f"{_FLAG}={_MEMORY} --tf_xla_persistent_cache_device_types=CPU"
_FORMAT = "1"
_SUM_BYTES = hashlib.sha256().digest_size

_place = None  # the directory of this process; None: no cache
_first_calls = threading.Lock()


def root():
    """The directory of all programs, None where the cache is off."""
    chosen = os.environ.get(VARIABLE)
    if chosen == "off":
        return None
    if chosen:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "taskset" / "programs"


def settings():
    """{variable: value} of SETTINGS that are set, without what this module adds."""
    told = {name: os.environ.get(name, "").replace(_OURS, "").strip() for name in SETTINGS}
    return {name: value for name, value in told.items() if value}


def switch_on(threads=None):
    """Keep compiled programs for CPUs on disk. Must come before TensorFlow is imported, which reads its flags then.

    threads: of a process, on which its programs depend. Where there is no directory that can be written, there is a warning and
    no cache.
    """
    global _place
    if "tensorflow" in sys.modules:
        return
    _place = None
    flags = settings().get("TF_XLA_FLAGS", "")  # a parent's have ours among them
    os.environ["TF_XLA_FLAGS"] = flags
    if _FLAG in flags:
        return
    try:
        directory = root()
    except RuntimeError:
        warnings.warn(f"no home directory to keep compiled programs in: each process compiles anew; set {VARIABLE}=DIR or off")
        return
    if directory is None:
        return
    place = directory / _key(threads)
    try:
        place.mkdir(parents=True, exist_ok=True)
        writable = os.access(place, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        warnings.warn(f"can't write {place}: programs are compiled anew in each process; {VARIABLE}=DIR or off", stacklevel=3)
        return
    prune(directory)
    os.environ["TF_XLA_FLAGS"] = f"{flags} {_OURS}".strip()
    _place = place


def _key(threads):
    version = importlib.metadata.version("tensorflow")
    told = "\n".join([_FORMAT, version, platform.machine(), _processor(), str(threads), repr(sorted(settings().items()))])
    return f"tensorflow-{version}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"


def first_call(key, call, afresh):
    """`call()`, the first of the program called `key`: compiled, or loaded if it is on disk; afterwards it is on disk.

    A program on disk that is damaged, or that TensorFlow doesn't accept, is deleted and compiled again, with a warning.
    afresh: as `call`, under a name that isn't `key`: TensorFlow doesn't compile under a name under which loading failed.
    """
    if _place is None:
        return call()
    import tensorflow as tf

    with _first_calls:  # what appears in memory meanwhile belongs to this program
        loaded, made = _load(key), {}
        try:
            result = call()
            made = _empty_memory()
        except tf.errors.OpError:
            if not loaded:
                raise
            result = afresh()  # an error of the program itself comes again
            for path in loaded.values():
                _drop(path, "TensorFlow doesn't accept it")
        finally:
            _empty_memory()
        _save({_path(key, name): program for name, program in made.items() if name not in loaded})
        return result


def _path(key, name):
    return _place / f"{key}.{name}"


def _load(key):
    """Copy the whole programs of `key` from disk to memory; {TensorFlow's name: path}."""
    import tensorflow as tf

    found = {}
    for path in _place.glob(f"{key}.*.pb"):
        try:
            content = path.read_bytes()
        except FileNotFoundError:  # pruned by another process
            continue
        except OSError as error:
            _drop(path, error.strerror)
            continue
        name, program = path.name.removeprefix(f"{key}."), content[_SUM_BYTES:]
        if _sum(name, program) != content[:_SUM_BYTES]:
            _drop(path, "it is damaged")
            continue
        tf.io.gfile.makedirs(_MEMORY)
        with tf.io.gfile.GFile(f"{_MEMORY}/{name}", "wb") as file:
            file.write(program)
        found[name] = path
    return found


def _sum(name, program):
    return hashlib.sha256(name.encode() + b"\0" + program).digest()


def _drop(path, reason):
    warnings.warn(f"compiled again: {path} ({reason})", stacklevel=4)
    with contextlib.suppress(OSError):
        path.unlink()


def _empty_memory():
    """{TensorFlow's name: program} of all in memory, which is empty then."""
    import tensorflow as tf

    found = {}
    if tf.io.gfile.exists(_MEMORY):
        for name in tf.io.gfile.listdir(_MEMORY):
            with tf.io.gfile.GFile(f"{_MEMORY}/{name}", "rb") as file:
                found[name] = file.read()
            tf.io.gfile.remove(f"{_MEMORY}/{name}")
    return found


def _save(programs):
    """Write {path: program} to disk; a disk that is full costs nothing but the programs."""
    for path, program in programs.items():
        temporary = _place / f".{secrets.token_hex(8)}.pb.tmp"
        try:
            with open(temporary, "xb") as file:
                file.write(_sum(path.name.partition(".")[2], program) + program)
            os.replace(temporary, path)
        except OSError as error:
            warnings.warn(f"can't keep compiled programs in {_place}: {error.strerror}; {VARIABLE}=DIR or off", stacklevel=4)
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            return


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
