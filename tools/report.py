"""Where scripts write, with --publish only: into docs/, a section between `<!-- NAME -->` and `<!-- /NAME -->`, and pictures."""

import contextlib
import sys
from pathlib import Path

from taskset.errors import TasksetError
from taskset.files.documents import conditions, processor_and_cores, table, write_section

__all__ = ["conditions", "processor_and_cores", "table", "write_section"]

DOCS = Path(__file__).resolve().parents[1] / "docs"
BENCHMARKS = DOCS / "benchmarks.md"


@contextlib.contextmanager
def errors_of_one_line():
    """A context in which an error of the package ends the script in one line."""
    try:
        yield
    except TasksetError as error:
        sys.exit(f"error: {error}")


def publish_option(parser, what="the section of docs/benchmarks.md"):
    """Add the option without which a script changes nothing in the package or its documentation."""
    parser.add_argument("--publish", action="store_true", help=f"Write {what}; without this option nothing is changed.")


def require_whole(parser, arguments, *options):
    """End the script where --publish would replace a section by a part of it: by one for which an option chose some lines."""
    plain = lambda value: list(value) if isinstance(value, tuple) else value  # noqa: E731
    chosen = [option for option in options if plain(getattr(arguments, option)) != plain(parser.get_default(option))]
    if arguments.publish and chosen:
        parser.error(f"--publish writes the whole section: leave out {', '.join('--' + option for option in chosen)}")


def folder_options(parser):
    """Add --out DIR and --publish, of which one is needed: where a script puts its page and its pictures."""
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--out", type=Path, metavar="DIR", help="Write into this folder.")
    chosen.add_argument("--publish", action="store_true", help="Write into docs/.")


def folder(arguments):
    """The folder that was chosen by `folder_options`."""
    return DOCS if arguments.publish else arguments.out


def show(arguments, name, text, path=BENCHMARKS):
    """Print a section; with --publish, replace the one called `name` in the document `path`, or append it.

    arguments: with `publish_option`; text: Markdown, heading included.
    """
    print(text)
    if arguments.publish:
        write_section(name, text, path)
