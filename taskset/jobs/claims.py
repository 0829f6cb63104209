"""Claims of tasks: several processes with one --out share the work instead of doing it twice.

A claim is a lock on a file, DIRECTORY/.claims/TASK, which the system releases when its process dies, however it dies. On network
file systems it holds between machines if these support `flock`; if not, a warning says so, and a task may be done twice (with the
same curves, of which the last ones written stay).

`turn` is for work that every process has to do, one after the other: the tables of a directory are made from all its curves. Its
files are called +WORK, which no task's is: a task may have any name.
"""

import contextlib
import fcntl
import os
import stat
import urllib.parse
import warnings
from collections.abc import Iterator
from pathlib import Path

from taskset.errors import StoreError, system

DIRECTORY = ".claims"


@contextlib.contextmanager
def claim(root: str | Path, task: str) -> Iterator[bool]:
    """Whether this process has the task until the end of the block; False: another process has it."""
    path = _path(root, task)
    file = _open(path)
    try:
        if not _lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB, root, path):
            yield False
            return
        with _released(path):
            yield True
    finally:
        os.close(file)


@contextlib.contextmanager
def turn(root: str | Path, work: str) -> Iterator[None]:
    """As `claim`, of work by its name, after waiting until no other process has it."""
    path = Path(root, DIRECTORY, f"+{work}")
    while True:
        file = _open(path)
        try:
            if _lock(file, fcntl.LOCK_EX, root, path):
                with _released(path):
                    yield
                return
        finally:
            os.close(file)


def _path(root: str | Path, task: str) -> Path:
    return Path(root, DIRECTORY, urllib.parse.quote(task, safe=""))


def _open(path: Path) -> int:
    while True:
        try:
            return _opened(path)
        except FileNotFoundError:  # the directory was removed meanwhile
            continue
        except OSError as error:
            raise StoreError(f"can't write to {path.parent}: {system(error)}") from error


def _opened(path: Path) -> int:
    """The file of a claim, open. Who may write in the directory of results may write there: a group shares work."""
    directory = path.parent
    if not directory.exists():
        directory.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(PermissionError):  # another user was faster, and has done so
            directory.chmod(stat.S_IMODE(directory.parent.stat().st_mode))
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    with contextlib.suppress(PermissionError):  # another user's, who has done so
        os.fchmod(file, 0o666 & directory.stat().st_mode)
    return file


def _lock(file: int, kind: int, root: str | Path, path: Path) -> bool:
    """Whether an open file is locked now, and still the one at `path`: not one that was released between the two.

    True as well, with a warning, where the file system has no locks.
    """
    try:
        fcntl.flock(file, kind)
    except BlockingIOError:
        return False
    except OSError as error:
        advice = "use one process, or --shard, so that none does another's work"
        warnings.warn(f"no locks on {root} ({system(error)}): {advice}", stacklevel=4)  # 2 is `claim`, 3 contextlib's
        return True
    return _is_at(file, path)


@contextlib.contextmanager
def _released(path: Path) -> Iterator[None]:
    """Remove the file of a claim at the end of the block.

    That is before the lock is released: who opened the file before finds that it is gone.
    """
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.lstat())
    except FileNotFoundError:
        return False


def tidy(root: str | Path) -> None:
    """Remove the directory of claims if it is empty."""
    with contextlib.suppress(OSError):
        Path(root, DIRECTORY).rmdir()
