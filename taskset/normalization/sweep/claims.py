"""Claims of tasks: several processes with one --out share the work instead of doing it twice.

A claim is a lock on a file, DIRECTORY/.claims/TASK, which the system releases when its process dies, however it dies. On network
file systems it holds between machines if these support `flock`; if not, a warning says so, and a task may be done twice (with the
same curves, of which the last ones written stay).
"""

import contextlib
import fcntl
import os
import urllib.parse
import warnings
from collections.abc import Iterator
from pathlib import Path

DIRECTORY = ".claims"


@contextlib.contextmanager
def claim(root: str | Path, task: str) -> Iterator[bool]:
    """Whether this process has the task until the end of the block; False: another process has it."""
    path = Path(root, DIRECTORY, urllib.parse.quote(task, safe=""))
    file = _open(path)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError as error:
            advice = "use one process, or --shard, so that none does another's work"
            warnings.warn(f"no locks on {root} ({error.strerror}): {advice}", stacklevel=3)  # 2 is contextlib's
            yield True
            return
        if not _is_at(file, path):  # of one that was released between opening and locking it
            yield False
            return
        try:
            yield True
        finally:
            path.unlink(missing_ok=True)  # before it is released: who opened it before finds that it is gone
    finally:
        os.close(file)


def _open(path: Path) -> int:
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # the directory was removed meanwhile
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.lstat())
    except FileNotFoundError:
        return False


def tidy(root: str | Path) -> None:
    """Remove the directory of claims if it is empty."""
    with contextlib.suppress(OSError):
        Path(root, DIRECTORY).rmdir()
