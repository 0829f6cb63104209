"""`python -m learned export | pretrained`."""

import textwrap
from pathlib import Path
from typing import Annotated

import typer

from learned.deploy import pretrained
from taskset.cli.options import out
from taskset.execution.runtime import start_tensorflow


def export(
    path: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="Checkpoint file, or a name of `python -m learned pretrained`.")
    ],
    output: Annotated[Path, typer.Option("--out", help="The .npz to write; its reader is put beside it.")],
    format: Annotated[
        str,
        typer.Option(help="What the reader needs: numpy, torch or jax; it is numpy_update.py, torch_update.py, jax_update.py."),
    ] = "numpy",
) -> None:
    """Write trained weights, and a file that uses them.

    That file needs NumPy, PyTorch or JAX alone.
    """
    start_tensorflow(threads=1)
    from learned.deploy.export import export as write

    for written in write(path, output, format):
        out.print(str(written), markup=False)


def list_pretrained() -> None:
    """List the weights that come with the package.

    How they were trained is said of each.
    """
    for name in pretrained.names():
        print(textwrap.fill(pretrained.describe(name), 80, subsequent_indent="    ", break_on_hyphens=False))
    out.print(f"Best on validation tasks: {pretrained.BEST}; docs/one_run.md has its results.", markup=False)
