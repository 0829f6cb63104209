"""Tables in docs/: a script prints its section and, with --publish, writes it between `<!-- NAME -->` and `<!-- /NAME -->`."""

import os
import platform
from datetime import date
from importlib import metadata
from pathlib import Path

from taskset.normalization.sweep import provenance

DOCS = Path(__file__).resolve().parents[1] / "docs"
DOCUMENT = DOCS / "benchmarks.md"
_TITLE = "# Benchmarks\n\nEvery section is written by a script in benchmarks/ (`make bench`), with machine, versions and date.\n"


def publish_option(parser, what="the section of docs/benchmarks.md"):
    """Add the option without which a script changes nothing in the package or its documentation."""
    parser.add_argument("--publish", action="store_true", help=f"Write {what}; without this option nothing is changed.")


def folder_options(parser):
    """Add --out DIR and --publish, of which one is needed: where a script puts its page and its pictures."""
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--out", type=Path, metavar="DIR", help="Write into this folder.")
    chosen.add_argument("--publish", action="store_true", help="Write into docs/.")


def folder(arguments):
    """The folder that was chosen by `folder_options`."""
    return DOCS if arguments.publish else arguments.out


def write_section(name, text, path=DOCUMENT):
    """Replace the section called `name`, or append it where there is none. text: markdown, heading included."""
    opening, closing = f"<!-- {name} -->", f"<!-- /{name} -->"
    document = path.read_text() if path.exists() else _TITLE
    section = f"{opening}\n{text.strip()}\n{closing}"
    if opening in document:
        before, rest = document.split(opening, 1)
        if closing not in rest:
            raise ValueError(f"{path}: section {name!r} is opened and not closed; add the line {closing}")
        document = before + section + rest.split(closing, 1)[1]
    else:
        document = f"{document.rstrip()}\n\n{section}\n"
    path.parent.mkdir(exist_ok=True)
    path.write_text(document)


def compile_everything():
    """No programs from the cache on disk, here and in processes that are started: where compiling is in the time."""
    os.environ["TASKSET_COMPILE_CACHE"] = "off"


def table(header, rows):
    """A markdown table; the first column is text, the others are aligned to the right."""
    lines = [header, [":--", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def conditions(*packages):
    """One line: kind of machine, operating system, Python, the versions of `packages`, today's date."""
    versions = [f"{name} {metadata.version(name)}" for name in packages]
    return f"{processor()}, {platform.system()}; {', '.join([f'Python {platform.python_version()}', *versions])}; {date.today()}"


def processor():
    """The processor's kind and the number of cores at hand."""
    return f"{provenance.processor()}, {len(os.sched_getaffinity(0))} cores"
