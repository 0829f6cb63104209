"""The page: values, styles and scripts in one HTML file.

Names in results may be anybody's. They reach the page as JSON alone, in which every `<`, `>` and `&` is an escape, and its
scripts show them as text. A Content-Security-Policy lets nothing run but the scripts that are put in here, by their sums, and
nothing be loaded from anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Iterable, Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from taskset.errors import StoreError
from taskset.files import write_text
from taskset.scoring.report.contents import contents
from taskset.scoring.report.results import read
from taskset.version import __version__

LIBRARIES = ("echarts.min.js", "tabulator.min.js")
SCRIPTS = (
    "format.js",
    "packing.js",
    "data.js",
    "statistics.js",
    "filters.js",
    "charts.js",
    "tasks.js",
    "curves.js",
    "task.js",
    "families.js",
    "optimizers.js",
    "main.js",
)
STYLES = ("vendor/tabulator_simple.min.css", "assets/page.css")
LICENCES = ("echarts.LICENSE.txt", "echarts.NOTICE.txt", "echarts.LICENSE-d3.txt", "tabulator.LICENSE.txt")


def write(
    roots: Sequence[str | Path],
    out: str | Path,
    view: str = "end",
    optimizers: Sequence[str] = (),
    title: str | None = None,
) -> int:
    """Write the page of directories of results (none: the package's baselines) to a file; returns its size in bytes.

    view: the loss that is normalized: "end", "mean" or "lowest" of a curve. optimizers: names or globs of those that have a
    column each in the table, instead of the best of each family. title: of the page; None: the names of the directories.

    Raises `StoreError`, `ConfigError` and `UnknownName` as `results.read` and `contents.contents` do.
    """
    if Path(out).suffix.lower() not in (".html", ".htm"):
        raise StoreError(f"can't write {out}: allowed endings are .html and .htm")
    found = read(roots, view)
    title = title or (", ".join(map(str, roots)) if roots else "The baselines of TaskSet")
    text = page(*contents(found, title, optimizers))
    write_text(text, out)
    return len(text.encode())


def page(document: dict[str, Any], curves: Iterable[str]) -> str:
    """The HTML of `contents`."""
    scripts = [_read("vendor", name) for name in LIBRARIES] + [_read("assets", name) for name in SCRIPTS]
    wrong = [text[:80] for text in scripts if "</script" in text.lower() or "<!--" in text]
    assert not wrong, f"a script that can't stand in HTML: {wrong}"
    sums = [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in scripts]
    policy = f"default-src 'none'; script-src {' '.join(sums)}; style-src 'unsafe-inline'; img-src data:"
    styles = [_read(*name.split("/")) for name in STYLES]
    return Template(_read("assets", "page.html")).substitute(
        policy=html.escape(policy, quote=False),
        title=html.escape(str(document["title"])),
        styles="".join(f"<style>{style}</style>\n" for style in styles),
        scripts="".join(f"<script>{script}</script>\n" for script in scripts),
        document=as_json(document),
        curves="\n".join(curves),
        licences=html.escape("\n\n".join(f"{name}\n\n{_read('vendor', name)}" for name in LICENCES)),
        version=html.escape(__version__),
    )


def as_json(values: Any) -> str:
    """JSON that can stand inside a `<script>`: no `<`, `>` or `&`, and no line breaks that JavaScript alone knows."""
    text = json.dumps(values, separators=(",", ":"), allow_nan=False)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _read(*place: str) -> str:
    """A file beside this one, without the line that names a source map: there is none in the page."""
    text = resources.files(__package__).joinpath(*place).read_text(encoding="utf-8")
    return re.sub(r"\n(?://|/\*)# sourceMappingURL=\S+(?: ?\*/)?\s*\Z", "\n", text)
