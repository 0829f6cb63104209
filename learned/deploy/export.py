"""A trained optimizer for use outside TensorFlow: weights in an .npz, and beside it the one file that reads them."""

from __future__ import annotations

from pathlib import Path

from learned.deploy import numpy_update
from learned.deploy.weights import load_weights
from learned.outer_training import checkpoint
from learned.types import PathLike
from taskset.errors import StoreError
from taskset.normalization.store import write_text

READER = "numpy_update.py"


def export(path: PathLike, output: PathLike) -> tuple[Path, Path]:
    """Write the weights in the checkpoint `path` to `output` (.npz) and `numpy_update.py` beside it; returns both paths.

    The .npz has the weights and the record of how they were trained. It can be loaded wherever a checkpoint can; a training
    can't be resumed from it. Raises `StoreError` where the optimizer is one of a user's own, whose rule the reader doesn't have.
    """
    output = Path(output)
    if output.suffix != ".npz":
        raise StoreError(f"output {str(output)!r}: allowed is the name of an .npz file")
    found = load_weights(path)
    if found.optimizer not in numpy_update.RULES:
        raise StoreError(
            f"{path} has weights of {found.optimizer!r}, which {READER} doesn't know: allowed are the package's own, "
            f"{', '.join(numpy_update.RULES)}; use the checkpoint itself in Keras or `evaluate --import`"
        )
    meta = {key: value for key, value in found.meta.items() if key not in ("format", "slots")}
    checkpoint.save(output, meta, {f"theta/{name}": array for name, array in found.theta.items()})
    reader = output.with_name(READER)
    write_text(Path(__file__).with_name(READER).read_text(encoding="utf-8"), reader)
    return output, reader
