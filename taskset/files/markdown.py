"""Tables in Markdown."""

import re
from collections.abc import Collection, Iterable, Sequence

_UNESCAPED_BAR = re.compile(r"(?<!\\)\|")


def table(header: Sequence[str], rows: Iterable[Sequence[object]], right: Collection[int] | None = None) -> str:
    """A Markdown table; a text with a bar or a line break stays in its cell.

    right: places of the columns that are aligned to the right; None: those that hold numbers alone.
    """
    cells = [[_UNESCAPED_BAR.sub(r"\\|", " ".join(str(cell).splitlines())) for cell in row] for row in rows]
    if right is None:
        right = [i for i in range(len(header)) if all(_is_number(row[i]) for row in cells)]
    lines = [header, ["--:" if i in right else ":--" for i in range(len(header))], *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _is_number(text: str) -> bool:
    if text in ("", "-"):
        return True
    try:
        float(text.replace(",", "").removesuffix("%"))
    except ValueError:
        return False
    return True
