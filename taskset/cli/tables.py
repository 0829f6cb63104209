"""Tables on the terminal."""

from rich.console import Console
from rich.table import Table


def show_table(table: Table, out: Console) -> None:
    """Print a table without cutting off names, even where the terminal is narrow (or is a file)."""
    for column in table.columns:
        column.no_wrap = True
    Console(file=out.file, width=1000, color_system=out.color_system, highlight=False).print(table)
