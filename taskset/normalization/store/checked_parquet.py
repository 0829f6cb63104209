"""Parquet files that show when they were damaged: every bit of them is covered by a sum, which every reader here verifies.

Pages carry Parquet's own checksums, for readers everywhere. What those leave out (headers of pages, the footer) is covered by a
line of the file's metadata, `taskset_crc32`:

    crc32=FFFFFFFF GGGGGGGG ..      CRC-32 of the footer (with the digits of this line as 0), then of each row group's bytes

Files of other writers, and those from before version 0.2, have no such line and are read without it.
"""

from __future__ import annotations

import contextlib
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from taskset.errors import StoreError, system

KEY = "taskset_crc32"
_VALUE = re.compile(rb"crc32=([0-9a-f]{8}(?: [0-9a-f]{8})*)")
_ZEROS = "0" * 8
_TAIL = 8  # after the footer: its length in four bytes, and the mark PAR1
FAULTS = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError)
FORMAT = ds.ParquetFileFormat(default_fragment_scan_options=ds.ParquetFragmentScanOptions(page_checksum_verification=True))


def broken(path: str | Path) -> StoreError:
    """The error for a file that is cut short or was damaged."""
    return StoreError(
        f"{path} is no complete Parquet file (cut short, or damaged?): delete it, and run what made it again; nothing else is "
        "recomputed"
    )


def write(tables: Iterable[pa.Table], schema: pa.Schema, path: str | Path, **options: Any) -> None:
    """Write Arrow tables of one schema to `path`, a row group each. options: of `pq.ParquetWriter`."""
    count = 0
    with pq.ParquetWriter(path, schema, write_page_checksum=True, **options) as writer:
        for table in tables:
            writer.write_table(table, row_group_size=max(len(table), 1))
            count += 1
        writer.add_key_value_metadata({KEY: "crc32=" + " ".join([_ZEROS] * (1 + count))})
    _seal(path)


def _seal(path: str | Path) -> None:
    metadata = pq.read_metadata(path)
    with open(path, "r+b") as file:
        start, footer = _footer(file)
        groups = [_group_sum(file, metadata.row_group(i)) for i in range(metadata.num_row_groups)]
        place = footer.index(b"crc32=" + _ZEROS.encode()) + len(b"crc32=")
        file.seek(start + place)
        file.write(" ".join(f"{n:08x}" for n in [zlib.crc32(footer), *groups]).encode())


def _footer(file: BinaryIO) -> tuple[int, bytes]:
    """(place, bytes) of the footer of an open file. Raises ValueError where there is none."""
    size = file.seek(0, 2)
    file.seek(max(size - _TAIL, 0))
    tail = file.read()
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != b"PAR1" or not 0 < length <= size - _TAIL:
        raise ValueError("no footer")
    file.seek(size - _TAIL - length)
    return size - _TAIL - length, file.read(length)


def _group_sum(file: BinaryIO, group: pq.RowGroupMetaData) -> int:
    columns = [group.column(i) for i in range(group.num_columns)]
    starts = [c.dictionary_page_offset if c.has_dictionary_page else c.data_page_offset for c in columns]
    end = max(start + c.total_compressed_size for start, c in zip(starts, columns))
    file.seek(min(starts))
    return zlib.crc32(file.read(end - min(starts)))


def _sums(file: BinaryIO) -> list[int] | None:
    """The sums stored in an open file, its footer's own verified; None where it has none. Raises ValueError."""
    _, footer = _footer(file)
    found = list(_VALUE.finditer(footer))
    if not found and KEY.encode() not in footer:
        return None
    if len(found) != 1 or KEY.encode() not in footer:
        raise ValueError("damaged sums")
    start, end = found[0].span(1)
    sums = [int(text, 16) for text in found[0][1].split()]
    blank = b" ".join([_ZEROS.encode()] * len(sums))
    if zlib.crc32(footer[:start] + blank + footer[end:]) != sums[0]:
        raise ValueError("damaged footer")
    return sums


@contextlib.contextmanager
def _one_line(path: str | Path) -> Iterator[None]:
    """`StoreError` for whatever a damaged file, or one that isn't there, raises."""
    try:
        yield
    except FileNotFoundError as error:
        raise StoreError(f"there is no {path}") from error
    except FAULTS as error:
        raise _fault(path, error) from error


def _fault(path: str | Path, error: Exception) -> StoreError:
    """The error for a file at which reading stopped: the system's own where it has a number; errors of damage have none."""
    if isinstance(error, OSError) and error.errno:
        return StoreError(f"can't read {path}: {system(error)}")
    return broken(path)


def footer_sums(path: str | Path) -> list[int] | None:
    """The sums stored in a file, its footer's own verified; None where it has none. Raises `StoreError`.

    To be called before Arrow reads the footer: some damage would end the process there.
    """
    with _one_line(path), open(path, "rb") as file:
        return _sums(file)


def verify_groups(path: str | Path, groups: Iterable[int], metadata: pq.FileMetaData, sums: list[int] | None) -> None:
    """Raise `StoreError` unless the sums of these row groups are right; sums: `footer_sums` of the file."""
    with _one_line(path):
        if sums is None:
            return
        if len(sums) != 1 + metadata.num_row_groups:
            raise ValueError("not a sum for each row group")
        with open(path, "rb") as file:
            for i in groups:
                if _group_sum(file, metadata.row_group(i)) != sums[1 + i]:
                    raise ValueError("damaged row group")


def verify(path: str | Path, groups: Sequence[int] | None = None, metadata: pq.FileMetaData | None = None) -> pq.FileMetaData:
    """The metadata of a file, once its sums are verified: of the footer, and of the row groups in `groups` (None: all).

    metadata: of the file, if it was read already. Raises `StoreError` where the file is damaged, cut short or no Parquet.
    """
    sums = footer_sums(path)
    with _one_line(path):
        metadata = metadata or pq.read_metadata(path)
    verify_groups(path, range(metadata.num_row_groups) if groups is None else groups, metadata, sums)
    return metadata


def read(
    path: str | Path,
    groups: Sequence[int] | None = None,
    columns: Sequence[str] | None = None,
    metadata: pq.FileMetaData | None = None,
) -> pa.Table:
    """A file, or the row groups `groups` of it, as an Arrow table; all of what is read is verified. Raises `StoreError`.

    metadata: as in `verify`.
    """
    metadata = verify(path, groups, metadata)
    names = metadata.schema.to_arrow_schema().names
    lacking = [name for name in columns or () if name not in names]
    if lacking:
        raise StoreError(f"{path} has no column {lacking[0]!r}, it has {', '.join(names)}: make it again")
    try:
        file = pq.ParquetFile(path, metadata=metadata, page_checksum_verification=True)
        groups = range(metadata.num_row_groups) if groups is None else groups
        return file.read_row_groups(list(groups), columns=columns)
    except FAULTS as error:
        raise _fault(path, error) from error
