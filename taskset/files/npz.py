"""Reading .npz files that may be damaged or hostile: every byte is checked. NumPy only.

An .npz is a zip archive of .npy files, each with a CRC-32. `numpy.load` doesn't notice a damaged shape (it stops reading before
the checksum is compared), and allocates as much memory as a header claims. `read` checks sizes before it allocates, reads every
member to its end, which compares its checksum, and never unpickles. A flipped bit raises an error, or is in no array.
"""

import io
import math
import os
import struct
import zipfile
import zlib
from typing import BinaryIO

import numpy as np

from taskset.errors import cut, shown

RATIO = 100  # of unpacked to packed bytes, at most: weights and images come nowhere near it
SMALL = 2**20  # bytes that a file may unpack to, however small it is
_END = 22  # bytes of the last record of a zip archive
_BAD = (ValueError, KeyError, EOFError, IndexError, OSError, OverflowError, RuntimeError, SyntaxError, TypeError, zlib.error)


class Damaged(ValueError):
    """A file that is not an .npz, is cut short, is damaged, or claims more than it holds. The message says which."""


def read(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """{name: array} of an .npz file. Raises `Damaged`, and `OSError` if the file can't be opened."""
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                _check_members(members, file)
                return {member.filename.removesuffix(".npy"): array(_content(archive, member)) for member in members}
        except Damaged:
            raise
        except (*_BAD, zipfile.BadZipFile, NotImplementedError) as error:
            raise Damaged(f"cut short or damaged: {cut(str(error) or type(error).__name__)}") from error


def array(content: bytes) -> np.ndarray:
    """The array in the bytes of an .npy file. Raises `Damaged`, also if they are more or fewer than its header says."""
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = header(file)
        there = len(content) - file.tell()
        if dtype.hasobject:
            raise Damaged("it holds Python objects, which this package never unpickles")
        if any(size < 0 for size in shape) or math.prod(shape) * dtype.itemsize != there:
            raise Damaged(f"an array of shape {shown(shape)} and type {shown(dtype)} is claimed, {there:,} bytes are there")
        return np.ndarray(shape, dtype, content, file.tell(), order="F" if fortran else "C").copy(order="K")
    except Damaged:
        raise
    except _BAD as error:
        raise Damaged(f"cut short or damaged: {cut(str(error) or type(error).__name__)}") from error


def _check_members(members: list[zipfile.ZipInfo], file: BinaryIO) -> None:
    size = file.seek(0, io.SEEK_END)
    file.seek(-_END, io.SEEK_END)
    # A damaged length in the directory can hide the members behind it. The last record has their number.
    signature, count, comment = struct.unpack("<4s6xH8xH", file.read(_END))
    if signature != b"PK\5\6" or comment or count != min(len(members), 0xFFFF):
        raise Damaged("cut short or damaged: its directory is incomplete")
    # These are the two for which Python limits how much it unpacks at a time.
    if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
        raise Damaged("its compression is not that of NumPy's .npz")
    total = sum(member.file_size for member in members)
    if total > max(RATIO * size, SMALL):
        raise Damaged(f"{size:,} bytes claim to unpack to {total:,}, allowed is {RATIO} times as many")
    names = {member.filename for member in members}
    if len(names) < len(members):
        raise Damaged("two arrays have the same name")


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    # Read by size: `archive.read(member)` would unpack up to 2 GiB, whatever size the member claims.
    with archive.open(member) as file:
        content = file.read(member.file_size)
    if len(content) != member.file_size:
        raise Damaged(f"cut short or damaged: {shown(member.filename)} has {len(content):,} of {member.file_size:,} bytes")
    return content
