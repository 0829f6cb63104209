"""Files of JSON that may be missing, damaged, or of something else: errors that name the file and a way out."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from taskset.errors import StoreError, cut, system
from taskset.files.writing import write_text

# What reading and checks of values of unknown structure raise, a file's own `raise ValueError("another format")` among them.
_WRONG = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


def read_json(path: str | Path) -> Any:
    """The value in a JSON file. Raises what opening and parsing raise: call it in `readable`."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


@contextlib.contextmanager
def readable(path: str | Path, way_out: str) -> Iterator[None]:
    """Around the reading of a file and the checks of what it holds, which raise `StoreError` where either fails.

    way_out: what to do then, as an order: "make one with `python -m taskset score`".
    """
    try:
        yield
    except OSError as error:
        raise StoreError(f"can't read {path}: {system(error)}; {way_out}") from error
    except _WRONG as error:
        raise StoreError(f"{path} can't be read ({cut(f'{type(error).__name__}: {error}')}): {way_out}") from error


def different_keys(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The keys whose values differ, or that one of the two lacks; sorted."""
    return sorted(key for key in {*one, *other} if one.get(key) != other.get(key))


def settle(path: str | Path, values: dict[str, Any], what: str, way_out: str = "use the same, or another --out") -> None:
    """Note in a file of JSON what is made in its directory; raises `StoreError` where it says that something else is.

    what: how the error calls these values, "plan"; way_out: what it says to do.
    """
    path = Path(path)
    if not path.exists():
        write_text(json.dumps(values, indent=1) + "\n", path)
        return
    with readable(path, f"restore it, or {way_out}"):
        there = read_json(path)
        different = different_keys(there, values)
    if different:
        was = ", ".join(f"{key} was {there.get(key)!r}" for key in different)
        raise StoreError(f"{path.parent} was begun with another {what} ({was[:300]}): {way_out}")
