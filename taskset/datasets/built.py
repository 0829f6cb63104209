"""Directories of data that this package built from prepared data: arrays, a record of how they were made, and checksums.

The record, info.json, has the size and the CRC-32 of every other file under "files", and its own CRC-32 under "crc32". Sizes are
checked whenever a directory is looked up, checksums when a file is read: a flipped bit is never read as data.
"""

import json
import math
import os
import shutil
import tokenize
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from taskset.datasets.prepared import CACHE_VARIABLE
from taskset.datasets.sharing import mapped, write_directory
from taskset.errors import StoreError, cut, shown, system
from taskset.files import remove_temporary_directories, temporary_beside

RECORD = "info.json"
HOUR = 3600.0  # seconds: so old is nothing that a process of another machine is still writing
Record: TypeAlias = dict[str, Any]  # JSON values


class Damaged(ValueError):
    """A file that is not as it was written; the message says which, and what is wrong with it."""


def write(place: Path, arrays: Mapping[str, np.ndarray], texts: Mapping[str, str], record: Record) -> None:
    """Replace the directory by {name: array} as PLACE/NAME.npy, {file name: text} and the record: all of it or nothing.

    Raises `StoreError` where that can't be written.
    """

    def finish(part: Path) -> None:
        files = {file.name: {"bytes": file.stat().st_size, "crc32": _crc32(file)} for file in sorted(part.iterdir())}
        whole = {**record, "files": files}
        (part / RECORD).write_text(json.dumps({**whole, "crc32": _own_sum(whole)}, indent=2))

    remove_temporary_directories(place.parent, age=HOUR)  # of processes that were killed
    new, old = temporary_beside(place), temporary_beside(place)
    try:
        write_directory(new, arrays, texts, finish)
        if place.is_dir():
            os.rename(place, old)
        try:
            os.rename(new, place)
        except OSError:
            if not place.is_dir():  # else another process was faster
                raise
    except OSError as error:  # NumPy says how much it wrote, and not where
        raise StoreError(
            f"can't write {str(place)!r} ({system(error)}): free some room there, or set {CACHE_VARIABLE} to another directory"
        ) from error
    finally:
        if old.is_dir() and not place.is_dir():  # also where the user stops it between the two
            os.rename(old, place)
        for leftover in (new, old):
            shutil.rmtree(leftover, ignore_errors=True)


def read_record(place: Path) -> Record | None:
    """The record, unchecked; {} if its file can't be read as one, None if there is no file."""
    file = place / RECORD
    if not file.exists():
        return None
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def check(place: Path, record: Record) -> None:
    """Raise `Damaged` unless the record is as it was written and every file has its size. Reads no other file."""
    rest = {key: value for key, value in record.items() if key != "crc32"}
    files = record.get("files")
    if record.get("crc32") != _own_sum(rest) or not isinstance(files, dict):
        raise Damaged(f"{RECORD} is not as it was written")
    for name, about in files.items():
        if "/" in name or not isinstance(about, dict) or type(about.get("bytes")) is not int or "crc32" not in about:
            raise Damaged(f"{RECORD} has no size and sum of {cut(name)}")
        file = place / name
        size = os.path.getsize(file) if os.path.isfile(file) else 0
        if size != about["bytes"]:
            raise Damaged(f"{cut(name)} has {size} of {shown(about['bytes'])} bytes")


def check_sum(place: Path, record: Record, name: str) -> None:
    """Raise `Damaged` unless a file has its CRC-32; takes about a second per gigabyte. record: checked by `check`."""
    if name not in record["files"]:
        raise Damaged(f"{RECORD} has no {name}")
    if _crc32(place / name) != record["files"][name]["crc32"]:
        raise Damaged(f"{name} is not as it was written: its checksum differs")


def text(record: Record, name: str) -> str:
    """The text that a record has under `name`. Raises `Damaged` where it has none."""
    if not isinstance(record.get(name), str):
        raise Damaged(f"{RECORD} doesn't say {name}")
    return record[name]


def open_array(place: Path, record: Record, name: str, dtype: DTypeLike, shape: Sequence[int | None]) -> np.ndarray:
    """The array NAME.npy as a read-only memory map. Raises `Damaged` if its checksum, type or shape is wrong.

    record: checked by `check`. dtype, shape: those it must have; None in the shape stands for any length.
    """
    file = place / f"{name}.npy"
    check_sum(place, record, file.name)
    _check_header(file, np.dtype(dtype), shape)
    return mapped(file)


def _check_header(file: Path, dtype: np.dtype, shape: Sequence[int | None]) -> None:
    """Compare the header, which determines how much memory is allocated, with the size of the file."""
    try:
        with open(file, "rb") as opened:
            if np.lib.format.read_magic(opened) != (1, 0):
                raise ValueError("another version of the format")
            found, fortran, kind = np.lib.format.read_array_header_1_0(opened)
            size = opened.tell() + math.prod(found) * kind.itemsize
    except (ValueError, TypeError, SyntaxError, EOFError, RecursionError, MemoryError, tokenize.TokenError) as error:
        raise Damaged(f"{file.name} is no array file ({str(error)[:60]!r})") from None
    fits = len(found) == len(shape) and all(n in (None, m) for n, m in zip(shape, found))
    if kind != dtype or fortran or not fits or size != file.stat().st_size:
        wanted = " x ".join("n" if n is None else str(n) for n in shape)
        raise Damaged(f"{file.name} claims to be {kind} {list(found)}: it must be {dtype} of {wanted} and fill the file")


def _crc32(file: Path) -> str:
    """CRC-32 of a file as hexadecimal digits."""
    data = np.memmap(file, np.uint8, "r").data if os.path.getsize(file) else b""
    return f"{zlib.crc32(data):08x}"


def _own_sum(record: Record) -> str:
    """The CRC-32 that a record has under "crc32", which it lacks here."""
    return f"{zlib.crc32(json.dumps(record, sort_keys=True).encode()):08x}"
