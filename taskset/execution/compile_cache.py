"""Compiled programs on disk: what one process has compiled, later ones load.

They are kept in TASKSET_COMPILE_CACHE, by default ~/.cache/taskset/programs (or under XDG_CACHE_HOME); "off" means no cache.
Programs are machine code: each version of TensorFlow, kind of processor, number of threads and settings of XLA has a directory of
its own. Beyond MOST_BYTES, the oldest programs are deleted.

TensorFlow itself reads and writes programs in memory only. This module moves them to and from the disk: a checksum detects a
damaged program before TensorFlow sees it, and a full disk doesn't fail the program that was compiled.
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
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from taskset.errors import ConfigError, system
from taskset.execution import machine

VARIABLE = "TASKSET_COMPILE_CACHE"
_CHOICES = f"set {VARIABLE} to another directory, or to off"
MOST_BYTES = 2 * 2**30
YOUNG = 3600  # seconds for which a file is always kept: another process may be about to read it
DISTRIBUTIONS = ("tensorflow", "tensorflow-cpu", "tensorflow-intel", "tf-nightly", "tf-nightly-cpu")  # names of TensorFlow's
# Variables that can change compiled programs, and numbers.
SETTINGS = ("XLA_FLAGS", "TF_XLA_FLAGS", "TF_ENABLE_ONEDNN_OPTS", "TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")
_FLAG = "--tf_xla_persistent_cache_directory"
_MEMORY = "ram://taskset-programs"  # a file system of TensorFlow's, in the memory of this process
# Not for accelerators, where nothing was measured.
_OURS = f"{_FLAG}={_MEMORY} --tf_xla_persistent_cache_device_types=CPU"
_FORMAT = "1"
_SUM_BYTES = hashlib.sha256().digest_size


class _Process:
    """The state of this process. place: the directory of its programs; None: no cache."""

    place: Path | None = None


_process = _Process()
_first_calls = threading.Lock()


def root() -> Path | None:
    """The directory of all programs; None where the cache is off."""
    chosen = os.environ.get(VARIABLE)
    if chosen == "off":
        return None
    if chosen:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "taskset" / "programs"


def settings() -> dict[str, str]:
    """{variable: value} of the SETTINGS that are set, without the flags that this module adds."""
    values = {name: os.environ.get(name, "").replace(_OURS, "").strip() for name in SETTINGS}
    return {name: value for name, value in values.items() if value}


def tensorflow_version() -> str:
    """The version of TensorFlow, under whichever name it was installed; TensorFlow itself is not imported.

    Raises `ConfigError` where it isn't installed.
    """
    for name in DISTRIBUTIONS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    others = importlib.metadata.packages_distributions().get("tensorflow", [])  # slow: reads what every distribution contains
    if not others:
        raise ConfigError(f"TensorFlow is not installed (looked for {', '.join(DISTRIBUTIONS)}): run `pip install tensorflow`")
    return importlib.metadata.version(others[0])


def switch_on(threads: int | None = None) -> None:
    """Keep compiled programs for CPUs on disk. Must come before TensorFlow is imported, which reads its flags then.

    threads: number of threads of the process, on which its programs depend. Where no directory can be written, there is a warning
    and no cache.
    """
    if "tensorflow" in sys.modules:
        return
    _process.place = None
    flags = settings().get("TF_XLA_FLAGS", "")  # those of a parent process contain ours
    os.environ["TF_XLA_FLAGS"] = flags
    if _FLAG in flags:
        return
    try:
        directory = root()
    except RuntimeError:
        warnings.warn(f"no home directory to keep compiled programs in: each process recompiles; {_CHOICES}", stacklevel=3)
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
        warnings.warn(f"can't write {place}: each process recompiles its programs; {_CHOICES}", stacklevel=3)
        return
    prune(directory)
    os.environ["TF_XLA_FLAGS"] = f"{flags} {_OURS}".strip()
    _process.place = place


def _key(threads: int | None) -> str:
    version, used = tensorflow_version(), threads or machine.cores()  # TensorFlow's default: a thread for each core
    described = "\n".join(
        [_FORMAT, version, platform.machine(), machine.instructions(), str(used), repr(sorted(settings().items()))]
    )
    return f"tensorflow-{version}-{hashlib.sha256(described.encode()).hexdigest()[:16]}"


def first_call(key: str, call: Callable[[], Any], afresh: Callable[[], Any]) -> Any:
    """`call()`, the first call of the program `key`, which is loaded from disk or else compiled and saved there.

    A program on disk that is damaged, or that TensorFlow rejects, is deleted and compiled again, with a warning.
    afresh: the same call under a name other than `key`: TensorFlow doesn't compile under a name for which loading failed.
    """
    if _process.place is None:
        return call()
    import tensorflow as tf

    with _first_calls:  # programs that appear in memory meanwhile belong to this one
        loaded, made = _load(_process.place, key), dict[str, bytes]()
        try:
            result = call()
            made = _empty_memory()
        except tf.errors.OpError:
            if not loaded:
                raise
            result = afresh()  # an error of the program itself is raised again
            for path in loaded.values():
                _drop(path, "TensorFlow doesn't accept it")
        finally:
            _empty_memory()
        new = {name: program for name, program in made.items() if name not in loaded}
        _save(_process.place, key, new)
        return result


def _load(place: Path, key: str) -> dict[str, Path]:
    """Copy the intact programs of `key` from disk to memory; {TensorFlow's name: path}."""
    import tensorflow as tf

    found = {}
    for path in place.glob(f"{key}.*.pb"):
        try:
            content = path.read_bytes()
        except FileNotFoundError:  # pruned by another process
            continue
        except OSError as error:
            _drop(path, system(error))
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


def _sum(name: str, program: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + program).digest()


def _drop(path: Path, reason: str) -> None:
    warnings.warn(f"compiled again: {path} ({reason})", stacklevel=4)
    with contextlib.suppress(OSError):
        path.unlink()


def _empty_memory() -> dict[str, bytes]:
    """Remove all programs from memory; {TensorFlow's name: program}."""
    import tensorflow as tf

    found = {}
    if tf.io.gfile.exists(_MEMORY):
        for name in tf.io.gfile.listdir(_MEMORY):
            with tf.io.gfile.GFile(f"{_MEMORY}/{name}", "rb") as file:
                found[name] = file.read()
            tf.io.gfile.remove(f"{_MEMORY}/{name}")
    return found


def _save(place: Path, key: str, programs: Mapping[str, bytes]) -> None:
    """Write {TensorFlow's name: program} to disk; on a full disk the programs are lost, and nothing else."""
    for name, program in programs.items():
        temporary = place / f".{secrets.token_hex(8)}.pb.tmp"
        try:
            with open(temporary, "xb") as file:
                file.write(_sum(name, program) + program)
            os.replace(temporary, place / f"{key}.{name}")
        except OSError as error:
            warnings.warn(f"can't keep compiled programs in {place}: {system(error)}; {_CHOICES}", stacklevel=4)
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            return


def prune(directory: Path, most: int = MOST_BYTES) -> None:
    """Delete the oldest programs until at most `most` bytes are left; whatever else lies there stays."""
    files = []
    for path in directory.glob(f"tensorflow-*-{16 * '[0-9a-f]'}/*.pb*"):
        with contextlib.suppress(OSError):  # deleted by another process
            files.append((path.stat().st_mtime, path.stat().st_size, path))
    left = sum(size for _, size, _ in files)
    for written, size, path in sorted(files):
        if left <= most or written > time.time() - YOUNG:
            return
        with contextlib.suppress(OSError):
            path.unlink()
        left -= size
