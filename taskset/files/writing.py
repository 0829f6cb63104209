"""Writing files whole or not at all, and removing what dead processes left half written."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskset.errors import StoreError, shown, system

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Names that `temporary_beside` gives: .NAME.PROCESS.DIGITS.tmp; earlier versions gave curves .TASK.parquet.PROCESS.tmp.
_TEMPORARY = re.compile(r"\.(?:.+\.(\d+)\.[0-9a-f]{16}|.+\.parquet\.(\d+))\.tmp")


def is_utf8(path: str | Path) -> bool:
    """Whether a path is text in UTF-8, as those of Parquet files must be."""
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def make_directory(path: str | Path) -> None:
    """Create a directory for results; `StoreError` where that can't be."""
    if not is_utf8(path):
        raise StoreError(f"{shown(os.fspath(path))} is no text in UTF-8. Choose another directory with --out")
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK):
            raise PermissionError(13, "permission denied")
    except OSError as error:
        raise StoreError(f"can't write to {path}: {system(error)}. Choose another directory with --out") from error


def temporary_owner(name: str) -> int | None:
    """The process id in a name of `temporary_beside`; None for any other name."""
    match = _TEMPORARY.fullmatch(name)
    return int(match[1] or match[2]) if match else None


def temporary_beside(path: Path) -> Path:
    """A hidden path beside another, for what is renamed to it: its name can't be guessed, and says whose process it is."""
    return path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(8)}.tmp")


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A temporary path to write to; at the end it is renamed to `path`: whoever reads sees all of the file or none.

    Its name can't be guessed and it must not exist yet, so that nothing planted there is followed; it is on the disk before it
    gets its final name. Raises `StoreError` where the directory can't be made or written to, or the disk is full.
    """
    path = Path(path)
    make_directory(path.parent)
    temporary = temporary_beside(path)
    with writable(path):
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        with writable(path):
            yield temporary
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def writable(path: Path) -> Iterator[None]:
    """Around the writing of a file, which raises `StoreError` where it fails."""
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> StoreError:
    """The error of a file that can't be written."""
    return StoreError(f"can't write {path}: {system(error)}; free the disk or choose another --out")


def remove_temporaries(directory: str | Path, age: float = 0.0) -> None:
    """Delete the half-written files that dead processes of this user left in a directory: those of `whole_file`, nothing else.

    age: the seconds that they have to be old; for directories in which a process of another machine may be writing.
    """
    for path in abandoned(Path(directory).glob(".*.tmp"), age):
        with contextlib.suppress(OSError):
            path.unlink()


def remove_temporary_directories(directory: str | Path, age: float) -> None:
    """The same of half-written directories: those called as by `temporary_beside`, with all that is in them."""
    for path in abandoned(Path(directory).glob(".*.tmp"), age, stat.S_ISDIR):
        shutil.rmtree(path, ignore_errors=True)


def abandoned(paths: Iterable[Path], age: float = 0.0, kind: Callable[[int], bool] = stat.S_ISREG) -> Iterator[Path]:
    """Those of `paths` that are half-written files of this user's, at least `age` seconds old, whose process isn't alive here.

    kind: of a file's mode, whether it is of the kind that is asked for: regular files, or directories (`stat.S_ISDIR`).
    """
    for path in paths:
        owner = temporary_owner(path.name)
        if owner is None or is_alive(owner):
            continue
        with contextlib.suppress(OSError):
            there = path.lstat()
            if kind(there.st_mode) and there.st_uid == os.getuid() and time.time() - there.st_mtime >= age:
                yield path


def is_alive(pid: int) -> bool:
    """Whether there is a process of this id on this machine."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def write_text(text: str, path: str | Path) -> None:
    """Write a text file in UTF-8, whole or not at all. Raises `StoreError` as `whole_file`."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_picture(figure: Figure, path: str | Path, **options: Any) -> None:
    """Write a figure in the format of the path's ending (PNG without one), whole or not at all.

    options: of Matplotlib's `savefig`. Raises `StoreError` as `whole_file`, and for a format that Matplotlib hasn't.
    """
    kind = Path(path).suffix.lstrip(".").lower() or "png"
    if kind not in (known := figure.canvas.get_supported_filetypes()):
        raise StoreError(f"{path}: pictures can't be written as {kind!r}; allowed are {', '.join(sorted(known))}")
    with whole_file(path) as temporary:
        figure.savefig(temporary, format=kind, **options)


def copy_file(source: str | Path, target: str | Path) -> None:
    """Copy what a file holds, whole or not at all. Raises `StoreError` as `whole_file`."""
    with whole_file(target) as temporary:
        shutil.copyfile(source, temporary)
