"""Markdown that scripts write into docs/: sections between `<!-- NAME -->` and `<!-- /NAME -->`, tables, conditions of a run."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import date
from importlib import metadata
from pathlib import Path

from taskset.errors import counted
from taskset.execution import machine
from taskset.execution.compile_cache import tensorflow_version
from taskset.files import markdown, write_text
from taskset.version import __version__


def write_section(name: str, text: str, path: Path, title: str = "") -> None:
    """Replace the section `name` of the document `path`, or append it; text: Markdown, heading included.

    title: what a document that is not there yet begins with. Raises `ValueError` where the section is opened and not closed, or
    opened twice, `StoreError` as `write_text`.
    """
    opening, closing = f"<!-- {name} -->", f"<!-- /{name} -->"
    document = path.read_text(encoding="utf-8") if path.exists() else title
    section = f"{opening}\n{text.strip()}\n{closing}"
    if document.count(opening) > 1:
        raise ValueError(f"{path}: section {name!r} is there {document.count(opening)} times; leave one of them")
    if opening in document:
        before, rest = document.split(opening, 1)
        if closing not in rest:
            raise ValueError(f"{path}: section {name!r} is opened and not closed; add the line {closing}")
        document = before + section + rest.split(closing, 1)[1]
    else:
        document = f"{document.rstrip()}\n\n{section}\n"
    write_text(document, path)


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; the first column is text, the others are aligned to the right."""
    return markdown.table(header, rows, right=range(1, len(header)))


def conditions(*packages: str) -> str:
    """One line: kind of machine, operating system, Python, the versions of `packages`, today's date."""
    versions = [f"{name} {_version(name)}" for name in packages]
    running = ", ".join([f"Python {platform.python_version()}", *versions])
    return f"{processor_and_cores()}, {platform.system()}; {running}; {date.today()}"


def _version(package: str) -> str:
    """What runs, which what is installed may lag behind: a checkout that was installed before its version rose."""
    if package == "taskset":
        return __version__
    return tensorflow_version() if package == "tensorflow" else metadata.version(package)


def processor_and_cores() -> str:
    """The processor's kind and the number of cores that this process may use."""
    cores = machine.cores()
    return f"{machine.processor()}, {counted(cores, 'core')}"
