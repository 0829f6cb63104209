"""Checkpoints: one .npz with arrays and a JSON text inside; no pickles. No TensorFlow.

    meta                JSON: format, optimizer, options, suite, outer step, versions, slots
    theta/PATH          the weights, each in its shape, float32: all that using the optimizer takes
    adam/x|m|v          flat float64 vectors: the trainer's own copy of the weights, and Adam's averages
    slot/NUMBER/NAME    leaves of the slots' states

Files appear whole: they are written under a temporary name and renamed.
"""

import json
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from taskset.errors import StoreError
from taskset.normalization.store import make_directory

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """meta: JSON values; arrays: {name: array}."""

    meta: dict
    arrays: dict

    @property
    def optimizer(self):
        """The name of the learned optimizer."""
        return self.meta["optimizer"]

    @property
    def theta(self):
        """{path: float32 array}: what the learned optimizer is called with."""
        return {name.removeprefix("theta/"): array for name, array in self.arrays.items() if name.startswith("theta/")}

    def under(self, prefix):
        """{rest of the name: array} of the arrays below `prefix/`."""
        return {name.removeprefix(f"{prefix}/"): array for name, array in self.arrays.items() if name.startswith(f"{prefix}/")}


def save(path, meta, arrays):
    """Write a checkpoint; whoever reads sees all of it or none."""
    path = Path(path)
    make_directory(path.parent)
    part = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(part, "wb") as file:
            np.savez(file, meta=np.array(json.dumps({"format": FORMAT, **meta})), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise StoreError(f"can't write {path}: {str(error.strerror).lower()}; free the disk or choose another --out") from error
    finally:
        part.unlink(missing_ok=True)


def load(path):
    """The `Checkpoint` in a file. Raises `StoreError` where it isn't there, is cut short, or is no checkpoint."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        meta = json.loads(str(arrays.pop("meta")))
    except OSError as error:
        raise StoreError(
            f"can't read the checkpoint {path}: {str(error.strerror or error).lower()}; give the .npz of a training"
        ) from error
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise StoreError(f"{path} is no checkpoint, or is cut short ({type(error).__name__}): give another one") from error
    if meta.get("format") != FORMAT:
        raise StoreError(
            f"{path} has format {meta.get('format')!r}; allowed is {FORMAT}: it is of another version of this package"
        )
    return Checkpoint(meta, arrays)
