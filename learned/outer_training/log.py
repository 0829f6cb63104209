"""The log of an outer training: one JSON object per line, each with a CRC-32 of its own. No TensorFlow.

    {"step": 1, "loss": 0.93, .., "tasks": [..], "crc32": "0a1b2c3d"}

The sum is that of the line without it: of everything before `, "crc32"`, closed by a brace. Lines of version 0.1 have none and
are read as they are.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

from learned.types import Line, PathLike
from taskset.errors import StoreError, cut, system
from taskset.files import writable, write_text

KEYS = (
    "step", "loss", "gradient_norm", "clipped_share", "learning_rate", "non_finite_share", "inner_steps", "tasks",
)  # fmt: skip
_SUM = re.compile(r', "crc32": "([0-9a-f]{8})"\}')
_TAIL = len(', "crc32": "01234567"}')


def as_line(values: Line) -> str:
    """The line of JSON values, with its sum and the newline."""
    text = json.dumps(values)
    return f'{text[:-1]}, "crc32": "{zlib.crc32(text.encode()):08x}"}}\n'


def read(path: PathLike, steps: int | None = None) -> list[Line]:
    """The objects of all lines, without their sums; or of those up to outer step `steps`, where the log must not end before.

    A last line that is cut short, as killing leaves it, is left out. Raises `StoreError` where another line is damaged or where
    steps don't follow each other.
    """
    return [values for values, _ in lines(path, steps)]


def lines(path: PathLike, steps: int | None = None) -> list[tuple[Line, str]]:
    """[(object, line)] as of `read`."""
    try:
        *whole, _ = Path(path).read_bytes().split(b"\n")
    except OSError as error:
        raise StoreError(f"can't read {path}: {system(error)}; give the steps.jsonl of a training") from error
    found: list[tuple[Line, str]] = []
    for number, line in enumerate(whole, 1):
        if found and found[-1][0]["step"] == steps:
            break  # what comes behind is computed again
        values = _values(line, path, number)
        if steps is not None and not found and values["step"] > steps:
            break
        if found and values["step"] != found[-1][0]["step"] + 1:
            raise _damaged(path, number, f"has step {values['step']}, expected is {found[-1][0]['step'] + 1}")
        found.append((values, line.decode() + "\n"))
    last = found[-1][0]["step"] if found else steps  # a log that was removed begins behind them
    if steps is not None and last != steps:
        raise StoreError(
            f"{path} ends at outer step {last}, the checkpoint beside it is at {steps}: restore one of them, or remove the log: "
            "the training continues without its earlier lines"
        )
    return found


def _values(line: bytes, path: PathLike, number: int) -> Line:
    try:
        text = line.decode()
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError("it is no object")
        if "crc32" in values:
            noted = _SUM.fullmatch(text[-_TAIL:])
            if not noted or f"{zlib.crc32(text[:-_TAIL].encode() + b'}'):08x}" != noted[1]:
                raise ValueError("its sum is another one")
            del values["crc32"]
        if set(values) != set(KEYS):  # nor can a line lose its sum unnoticed
            raise ValueError("its entries are not those of a step")
        if type(values["step"]) is not int or not 1 <= values["step"] < 2**31:
            raise ValueError("its step is no integer of at least 1")
    except (ValueError, RecursionError) as error:
        raise _damaged(path, number, f"is damaged ({cut(str(error))})") from error
    return values


def _damaged(path: PathLike, number: int, what: str) -> StoreError:
    return StoreError(
        f"{path}: line {number} {what}: restore the file, or remove it: the training continues without its earlier lines"
    )


class Writer:
    """Writes a log that begins with these lines; a context manager. All methods raise `StoreError` where the disk is full."""

    def __init__(self, path: Path, lines: Sequence[str]) -> None:
        self.path = path
        write_text("".join(lines), path)
        with writable(self.path):
            self._file = open(path, "a")  # noqa: SIM115  (closed by __exit__)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        with writable(self.path):
            self._file.close()

    def write(self, values: Line) -> None:
        """Add the line of a step; on disk after `flush`."""
        with writable(self.path):
            self._file.write(as_line(values))

    def flush(self) -> None:
        """Bring all lines to the disk."""
        with writable(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())
