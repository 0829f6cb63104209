"""Tables on the terminal."""

import textwrap
from typing import Literal, cast

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from taskset.cli.options import Output


def show_table(table: Table, out: Console) -> None:
    """Print a table without cutting off names, even where the terminal is narrow (or is a file)."""
    for column in table.columns:
        column.no_wrap = True
    colours = cast("Literal['standard', '256', 'truecolor', 'windows'] | None", out.color_system)
    wide = Output(file=out.file, width=1000, color_system=colours)
    for line in wide.render_lines(table, pad=False):
        text = Text.assemble(*((segment.text, segment.style or "") for segment in line))
        text.rstrip()  # the last column is filled with blanks
        wide.print(text)


def show_fact(label: str, text: str, out: Console) -> None:
    """Print what is known under a label, on lines of at most 80 characters."""
    lines = textwrap.wrap(text, 70, break_long_words=False, break_on_hyphens=False)
    for shown, line in zip([label] + [""] * len(lines), lines):
        out.print(f"[bold]{shown:<9}[/bold] {escape(line)}")
