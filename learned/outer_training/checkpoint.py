"""Checkpoints: one .npz with arrays and a JSON text inside; no pickles. No TensorFlow.

    meta                JSON: format, optimizer, options, suite, tasks of phases before, origins of data, step, versions, slots
    theta/PATH          the weights, each in its shape, float32: all that using the optimizer takes
    adam/x|m|v          flat float64 vectors: the trainer's own copy of the weights, and Adam's averages
    slot/NUMBER/NAME    leaves of the states of the task pool's places, which this format calls slots

Files appear whole: they are written under a temporary name and renamed. Each array has a CRC-32 (that of the zip archive), which
`load` checks to the last byte (`taskset.files.npz`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from learned.types import Arrays, PathLike
from taskset.errors import StoreError, cut, shown, system
from taskset.files import npz, whole_file

FORMAT = 1
# Weights that an optimizer got after checkpoints of it were written, and the value with which it is what it was.
ADDED: dict[str, Arrays] = {"anchored": {"length": np.zeros((), np.float32)}}

T = TypeVar("T", str, int, float, dict[str, Any], list[Any])


@dataclass(frozen=True)
class Checkpoint:
    """meta: JSON values; arrays: {name: array}; path: of the file, for errors."""

    meta: dict[str, Any]
    arrays: Arrays
    path: str = "the checkpoint"

    @property
    def optimizer(self) -> str:
        """The name of the learned optimizer."""
        return self.value("optimizer", str)

    @property
    def theta(self) -> Arrays:
        """{path: float32 array}: what the learned optimizer is called with."""
        return {name.removeprefix("theta/"): array for name, array in self.arrays.items() if name.startswith("theta/")}

    @property
    def step(self) -> int:
        """The outer steps that were taken."""
        step = self.value("step", int)
        if not 0 <= step < 2**31:
            raise StoreError(f"{self.path}: step is {step}: allowed is an integer 0 <= step < 2**31; give another checkpoint")
        return step

    @property
    def seconds(self) -> float:
        """For how long the weights were trained, in a training that ends after some hours (`Trainer.train_for`)."""
        seconds = self.value("seconds", float)
        if not 0 <= seconds < math.inf:
            raise StoreError(f"{self.path}: seconds is {seconds}: allowed is a number of at least 0; give another checkpoint")
        return seconds

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The names of the tasks that the weights were trained on, sorted, in the phases before as well.

        Of its suite the split train, and `trained_before`; () where neither is known.
        """
        suite = self.meta.get("suite")
        entries = suite.get("tasks") if isinstance(suite, dict) else None
        named = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
        return tuple(sorted({*self.trained_before, *(str(one.get("task")) for one in named if one.get("split") == "train")}))

    @property
    def trained_before(self) -> tuple[str, ...]:
        """The names of the tasks that the weights which the training started from were trained on, as far as they are known."""
        return tuple(map(str, self.value("trained_before", list))) if "trained_before" in self.meta else ()

    def under(self, prefix: str) -> Arrays:
        """{rest of the name: array} of the arrays below `prefix/`."""
        return {name.removeprefix(f"{prefix}/"): array for name, array in self.arrays.items() if name.startswith(f"{prefix}/")}

    def value(self, name: str, kind: type[T], *inner: str) -> T:
        """`meta[name]`, or what lies in it under the keys `inner`. Raises `StoreError` where it is missing or no `kind`."""
        found: Any = self.meta
        for key in (name, *inner):
            found = found.get(key) if isinstance(found, dict) else None
        if not isinstance(found, kind) or isinstance(found, bool):
            where = ".".join((name, *inner))
            problem = "is missing" if found is None else f"is {shown(found)}"
            raise StoreError(
                f"{self.path} is no checkpoint of a learned optimizer: its {where} {problem}; allowed is {_KINDS[kind]}; "
                "give another one"
            )
        return found


def _with_added(meta: dict[str, Any], arrays: Arrays) -> Arrays:
    """The arrays, with the weights that the optimizer got later; `meta["shapes"]` gets theirs."""
    name, shapes, more = meta.get("optimizer"), meta.get("shapes"), {}
    if isinstance(name, str) and isinstance(shapes, dict) and any(key.startswith("theta/") for key in arrays):
        for weight, value in ADDED.get(name, {}).items():
            if f"theta/{weight}" not in arrays and weight not in shapes:
                shapes[weight] = list(value.shape)
                more[f"theta/{weight}"] = value
    return {**arrays, **more}


_KINDS = {str: "a text", int: "an integer", float: "a float", dict: "an object", list: "a list"}


def digest(weights: Mapping[str, np.ndarray]) -> str:
    """A text that other weights don't have: what a training records of its start, and an evaluation of what it judges."""
    return hashlib.sha256(b"".join(name.encode() + weights[name].tobytes() for name in sorted(weights))).hexdigest()[:16]


def can_be_resumed(path: PathLike) -> bool:
    """Whether a file holds the state of a training, and not weights alone; False where there is none, or of another kind."""
    with contextlib.suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        return "adam/x.npy" in archive.namelist()
    return False


def save(path: PathLike, meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write a checkpoint; whoever reads sees all of it or none."""
    entries: dict[str, Any] = {"meta": np.array(json.dumps({"format": FORMAT, **meta})), **arrays}
    with whole_file(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **entries)


def load(path: PathLike) -> Checkpoint:
    """The `Checkpoint` in a file.

    Raises `StoreError` where it isn't there, is cut short or damaged, is no checkpoint, or has weights that are not finite.
    """
    try:
        arrays = npz.read(path)
        meta = json.loads(str(arrays.pop("meta")))
    except OSError as error:
        raise StoreError(
            f"can't read the checkpoint {cut(str(path), 200)}: {system(error)}; give the .npz of a training"
        ) from error
    except npz.Damaged as error:
        raise StoreError(f"{path} is no checkpoint, or is cut short ({error}): give another one") from error
    except (ValueError, KeyError, RecursionError) as error:
        raise StoreError(f"{path} is no checkpoint, or is cut short ({type(error).__name__}): give another one") from error
    there = meta.get("format") if isinstance(meta, dict) else None
    if there != FORMAT or isinstance(there, bool):
        raise StoreError(f"{path} has format {shown(there)}; allowed is {FORMAT}: it is of another version of this package")
    found = Checkpoint(meta, _with_added(meta, arrays), str(path))
    for name, weight in found.theta.items():
        if weight.dtype.kind != "f" or not np.isfinite(weight).all():
            what = f"is of type {weight.dtype}" if weight.dtype.kind != "f" else "has entries that are not finite"
            raise StoreError(f"{path}: weight {shown(name)} {what}; allowed are finite floats: give another checkpoint")
    return found
