"""`python -m taskset report`: results as a page for a browser."""

from pathlib import Path
from typing import Annotated

import typer

from taskset import plugins
from taskset.cli.options import Modules, View, out


def report(
    directories: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Directories of `baseline`, `score` or `learned evaluate`. Default: the baselines of the package.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[Path, typer.Option("--out", "-o", help="HTML file to write.")] = Path("report.html"),
    optimizers: Annotated[
        list[str] | None,
        typer.Option(
            "--optimizer",
            help="Optimizer name or glob that gets a column in the table. May be repeated. Default: the best of each family.",
        ),
    ] = None,
    view: View = "end",
    title: Annotated[
        str | None, typer.Option(help="Title of the page. Default: the directories' names.", show_default=False)
    ] = None,
    modules: Modules = None,
) -> None:
    """Write a page with results: tasks, curves, optimizers.

    It is one HTML file for a browser.
    """
    from taskset.scoring import report as pages

    plugins.load(modules or [])
    size = pages.write(directories or [], output, view, optimizers or (), title)
    out.print(f"written: {output} ({size / 1e6:.1f} MB); open it in a browser", markup=False)
