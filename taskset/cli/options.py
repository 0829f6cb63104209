"""What several commands share: the consoles they print to, and the options that mean the same in each."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from taskset.errors import ConfigError


class Output(Console):
    """Where commands print. options: of Rich's console."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, emoji=False, **options)
        if not self.width:  # COLUMNS is 0, with which Rich prints nothing
            self.width = 80

    def on_broken_pipe(self) -> None:
        """Print no more: the reader of a pipe, such as `head`, has seen enough, which is no reason to leave a sweep undone."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)  # for what is printed otherwise, and what Python writes when it ends
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)


out = Output(soft_wrap=True)
err = Output(stderr=True, soft_wrap=True)

MOST_SEEDS = MOST_BATCHES = 10_000  # of a command: of more, lists alone would take the memory
MOST_EVALUATIONS = 100_000

DataDir = Annotated[
    str | None,
    typer.Option(help="TFDS directory. Default: the environment variable TFDS_DATA_DIR, else TFDS's own.", show_default=False),
]
Source = Annotated[
    str, typer.Option(help="Source of the data: tfds (real, from a TFDS directory) or synthetic (generated, no download).")
]
Modules = Annotated[
    list[str] | None,
    typer.Option(
        "--import",
        help="Module or .py file that registers your own families, optimizers and so on. May be repeated.",
    ),
]
Mode = Annotated[
    str | None,
    typer.Option(help="Execution mode: xla_loop, graph_loop or eager_loop. Default: the fastest.", show_default=False),
]
EngineName = Annotated[
    str, typer.Option("--engine", help="Where tasks are computed: local (processes of this machine) or ray (a Ray cluster).")
]
Address = Annotated[
    str | None,
    typer.Option(
        help="HOST:PORT of the Ray cluster's head, auto, or local. Default: RAY_ADDRESS, else this machine.", show_default=False
    ),
]
Baselines = Annotated[
    Path | None,
    typer.Option(help="Results of `python -m taskset baseline`; default: those of the package.", show_default=False),
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Worker processes. Default: 1, of a cluster one per core of it.", show_default=False)
]
View = Annotated[str, typer.Option(help="Loss of a curve that is normalized: end, mean or lowest.")]
TaskName = Annotated[str, typer.Argument(help="Task name.")]
Results = Annotated[Path, typer.Argument(help="Directory that `baseline --out` wrote.")]


def refuse_others(context: typer.Context, option: str) -> None:
    """Raise `ConfigError` where anything is given beside an option that takes nothing else."""
    given = [
        each.opts[0]
        for each in context.command.params
        if each.name and each.opts[0] != option and getattr(context.get_parameter_source(each.name), "name", "") == "COMMANDLINE"
    ]
    if given:
        raise ConfigError(f"{option} takes nothing else: leave out {', '.join(given)}")
