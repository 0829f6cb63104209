"""Writes report.html, the page of the package's baselines, while the site is built: it is too large to be committed.

`mkdocs-gen-files` runs this.
"""

import tempfile
import warnings
from pathlib import Path

import mkdocs_gen_files

from taskset.errors import OutdatedBaselines
from taskset.scoring import report

with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
    warnings.simplefilter("ignore", OutdatedBaselines)  # the page says so itself
    page = Path(place) / "report.html"
    report.write([], page)
    with mkdocs_gen_files.open("report.html", "w") as file:
        file.write(page.read_text(encoding="utf-8"))
