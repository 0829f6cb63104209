"""Directories of what this package built from prepared data: arrays, a record of how they were made, and sums of all of it.

The record, info.json, has the size and the CRC-32 of every other file under "files", and under "crc32" that of itself. Sizes are
compared whenever a directory is looked at, sums when a file is read: a flipped bit never reads as data.
"""

import json
import math
import os
import shutil
import tokenize
import zlib

import numpy as np

from taskset.datasets.sharing import mapped, write_directory

RECORD = "info.json"


class Damaged(ValueError):
    """A file that is not what was written; the text says which and how."""


def write(place, arrays, texts, record):
    """Write {name: array} as PLACE/NAME.npy, {file name: text} and the record: all or nothing, in the place of what was there."""

    def finish(part):
        files = {file.name: {"bytes": file.stat().st_size, "crc32": _crc32(file)} for file in sorted(part.iterdir())}
        told = {**record, "files": files}
        (part / RECORD).write_text(json.dumps({**told, "crc32": _own_sum(told)}, indent=2))

    aside = place.with_name(f".{place.name}.old{os.getpid()}.tmp")
    if place.is_dir():
        os.rename(place, aside)
    write_directory(place, arrays, texts, finish)
    shutil.rmtree(aside, ignore_errors=True)


def read_record(place):
    """The record as it stands; {} for a file that holds none, None where there is no file."""
    file = place / RECORD
    if not file.exists():
        return None
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def check(place, record):
    """Raise `Damaged` unless the record is as it was written and every file has its size. Reads none of them."""
    told = {key: value for key, value in record.items() if key != "crc32"}
    files = record.get("files")
    if record.get("crc32") != _own_sum(told) or not isinstance(files, dict):
        raise Damaged(f"{RECORD} is not as it was written")
    for name, about in files.items():
        file = place / name
        size = file.stat().st_size if file.is_file() else 0
        if size != about["bytes"]:
            raise Damaged(f"{name} has {size} of {about['bytes']} bytes")


def check_sum(place, record, name):
    """Raise `Damaged` unless the file is the one of the record, which must have been checked; about a second for a gigabyte."""
    if name not in record["files"]:
        raise Damaged(f"{RECORD} has no {name}")
    if _crc32(place / name) != record["files"][name]["crc32"]:
        raise Damaged(f"{name} is not as it was written: its sum is another one")


def open_array(place, record, name, dtype, shape):
    """The array NAME.npy as a read-only memory map, its sum checked.

    record: checked. dtype, shape: what it must have; None in the shape stands for any length.
    """
    file = place / f"{name}.npy"
    check_sum(place, record, file.name)
    _check_header(file, np.dtype(dtype), shape)
    return mapped(file)


def _check_header(file, dtype, shape):
    """The header decides how much memory is taken, so that it is compared with the file first."""
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


def _crc32(file):
    """CRC-32 of a file as hexadecimal digits."""
    data = np.memmap(file, np.uint8, "r") if os.path.getsize(file) else b""
    return f"{zlib.crc32(data):08x}"


def _own_sum(told):
    return f"{zlib.crc32(json.dumps(told, sort_keys=True).encode()):08x}"
