"""Tables on the terminal."""

from typing import Literal, cast

from rich.console import Console
from rich.table import Table


def show_table(table: Table, out: Console) -> None:
    """Print a table without cutting off names, even where the terminal is narrow (or is a file)."""
    for column in table.columns:
        column.no_wrap = True
    colours = cast("Literal['standard', '256', 'truecolor', 'windows'] | None", out.color_system)
    Console(file=out.file, width=1000, color_system=colours, highlight=False, emoji=False).print(table)
