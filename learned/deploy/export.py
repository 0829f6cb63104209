"""A trained optimizer for use outside this package: weights in an .npz, and beside it the one file that reads them.

The readers are `numpy_update.py`, `torch_update.py` and `jax_update.py` of this folder, which import nothing of the package.
"""

from __future__ import annotations

import ast
from pathlib import Path

from learned.deploy.weights import load_weights
from learned.outer_training import checkpoint
from learned.types import PathLike
from taskset.errors import StoreError
from taskset.files import write_text

READERS = {"numpy": "numpy_update.py", "torch": "torch_update.py", "jax": "jax_update.py"}


def export(path: PathLike, output: PathLike, format: str = "numpy") -> tuple[Path, Path]:
    """Write the weights in the checkpoint `path` to `output` (.npz) and their reader beside it; returns both paths.

    format: numpy, torch or jax, what the reader needs. The .npz is the same for all of them: the weights and the record of how
    they were trained. It can be loaded wherever a checkpoint can; a training can't be resumed from it. Raises `StoreError` where
    the reader doesn't have the optimizer's rule, as that of a user's own optimizer, or `output` is a training's checkpoint.
    """
    output = Path(output)
    if output.suffix != ".npz":
        raise StoreError(f"output {str(output)!r}: allowed is the name of an .npz file")
    if checkpoint.can_be_resumed(output):
        raise StoreError(f"{output} is the checkpoint of a training, which resumes from it: give another output")
    if format not in READERS:
        raise StoreError(f"format {format!r}: allowed are {', '.join(READERS)}")
    text = Path(__file__).with_name(READERS[format]).read_text(encoding="utf-8")
    found, known = load_weights(path), rules(text)
    if found.optimizer not in known:
        raise StoreError(
            f"{path} has weights of {found.optimizer!r}, which {READERS[format]} doesn't know: allowed are {', '.join(known)}; "
            "use the checkpoint itself in Keras or `evaluate --import`"
        )
    meta = {key: value for key, value in found.meta.items() if key not in ("format", "slots")}
    checkpoint.save(output, meta, {f"theta/{name}": array for name, array in found.theta.items()})
    reader = output.with_name(READERS[format])
    write_text(text, reader)
    return output, reader


def rules(text: str) -> list[str]:
    """The names in the table `RULES` of a reader's text; reading them doesn't import PyTorch or JAX."""
    tables = [node for node in ast.parse(text).body if isinstance(node, (ast.Assign, ast.AnnAssign))]
    (table,) = [node.value for node in tables if ast.unparse(node).startswith("RULES")]
    assert isinstance(table, ast.Dict)
    return [ast.literal_eval(key) for key in table.keys if key]
