"""Tables in docs/benchmarks.md: each script writes its own section, between `<!-- NAME -->` and `<!-- /NAME -->`."""

import os
from pathlib import Path

from taskset.normalization.release import documents
from taskset.normalization.release.documents import conditions, processor, table

__all__ = ["compile_everything", "conditions", "processor", "table", "write_section"]

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
_TITLE = "# Benchmarks\n\nEvery section is written by a script in benchmarks/ (`make bench`), with machine, versions and date.\n"


def write_section(name, text, path=DOCUMENT):
    """Replace the section called `name`, or append it where there is none. text: markdown, heading included."""
    documents.write_section(name, text, path, _TITLE)


def compile_everything():
    """No programs from the cache on disk, here and in processes that are started: where compiling is in the time."""
    os.environ["TASKSET_COMPILE_CACHE"] = "off"
