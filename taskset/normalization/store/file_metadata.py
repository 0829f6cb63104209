"""What a curve file's metadata says of how its curves were made: texts by name, some of them JSON, checked before they are used.

The metadata has a sum like all of the file, which shows damage and no intent: whoever writes a file can give it any values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from taskset.errors import StoreError, is_finite, shown

_WAY_OUT = "delete the file to recompute it, or use another directory"


def check(path: str | Path, metadata: Mapping[str, str], rows: int) -> None:
    """Raise `StoreError` where an entry that this package reads is not what it writes there; entries may be missing.

    rows: of the file, which bound the evaluations that its options may claim.
    """
    for name in _KINDS:
        if name in metadata:
            _checked(path, metadata, name)
    if "options" in metadata and options(path, metadata)["evaluations"] >= rows:
        said = options(path, metadata)["evaluations"]
        raise StoreError(f"{path}: its options say {shown(said)} evaluations, it has {rows} rows: {_WAY_OUT}")


def options(path: str | Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """The options of the sweep that made a file, JSON values. Raises `StoreError`, also where the metadata lacks them."""
    return _required(path, metadata, "options")


def config(path: str | Path, metadata: Mapping[str, str]) -> Any:
    """The config of the task that a file has curves of: an object, or a list (losg_tasks_family). Raises as `options`."""
    return _required(path, metadata, "config")


def own_code(path: str | Path, metadata: Mapping[str, str]) -> dict[str, str]:
    """{what: digest of its code} of what a user had registered, {} where it isn't known. Raises `StoreError`."""
    return _checked(path, metadata, "own_code") if "own_code" in metadata else {}


def core_seconds(path: str | Path, metadata: Mapping[str, str]) -> dict[str, float]:
    """{purpose: processor seconds} that a sweep took, {} where it isn't known. Raises `StoreError`."""
    value = _checked(path, metadata, "core_seconds") if "core_seconds" in metadata else None
    return value if isinstance(value, dict) else {} if value is None else {"total": value}


def whole_number(path: str | Path, metadata: Mapping[str, str], name: str) -> int | None:
    """num_params or copies; None where it isn't known. Raises `StoreError`."""
    return _checked(path, metadata, name) if name in metadata else None


def text(path: str | Path, metadata: Mapping[str, str], name: str) -> str:
    """An entry as it stands there. Raises `StoreError` where it is missing."""
    if name not in metadata:
        raise StoreError(f"{path} doesn't say its {name}: {_WAY_OUT}")
    return metadata[name]


def _required(path: str | Path, metadata: Mapping[str, str], name: str) -> Any:
    text(path, metadata, name)
    return _checked(path, metadata, name)


def _checked(path: str | Path, metadata: Mapping[str, str], name: str) -> Any:
    value, (allowed, fits) = _value(path, metadata, name), _KINDS[name]
    if not fits(value):
        raise StoreError(f"{path}: its {name} is {shown(metadata[name])}; allowed is {allowed}: {_WAY_OUT}")
    return value


def _value(path: str | Path, metadata: Mapping[str, str], name: str) -> Any:
    try:
        return json.loads(metadata[name] or "null")
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path}: its {name} is no valid JSON ({shown(metadata[name])}): {_WAY_OUT}") from error


def _is_count(value: Any) -> bool:
    return type(value) is int and 1 <= value < 2**31


def _is_seconds(value: Any) -> bool:
    return is_finite(value) and value >= 0


def are_options(value: object) -> bool:
    """Whether JSON values are options of a sweep: whatever else they hold, what every sweep has had."""
    return (
        isinstance(value, dict)
        and all(_is_count(value.get(name)) for name in ("steps", "evaluations", "batches"))
        and _are_distinct(value.get("optimizers"), lambda name: isinstance(name, str))
        and _are_distinct(value.get("seeds"), lambda seed: type(seed) is int and abs(seed) < 2**63)
    )


def _are_distinct(values: Any, fits: Callable[[Any], bool]) -> bool:
    return isinstance(values, list) and bool(values) and all(map(fits, values)) and len(set(values)) == len(values)


def _are_core_seconds(value: Any) -> bool:
    return value is None or _is_seconds(value) or (isinstance(value, dict) and all(map(_is_seconds, value.values())))


def _are_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _is_origin(value: Any) -> bool:
    return value is None or isinstance(value, dict) or (isinstance(value, list) and all(map(_is_origin, value)))


_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "options": ("an object with optimizers, seeds, steps, evaluations and batches", are_options),
    "config": ("an object or a list", lambda value: isinstance(value, (dict, list))),
    "core_seconds": ("a number of seconds, or an object of such numbers", _are_core_seconds),
    "num_params": ("an integer of at least 0", lambda value: value is None or (type(value) is int and 0 <= value < 2**63)),
    "copies": ("an integer of at least 1", _is_count),
    "own_code": ("an object of texts", _are_texts),
    "data_origin": ("an object, a list of objects, or null", _is_origin),
    "ms_per_step": ("a number of milliseconds", _is_seconds),
}
