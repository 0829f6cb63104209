"""What each family of tasks is, for docs/families.md.

python -m tools.family_list                prints the table
python -m tools.family_list --publish      writes it into the page
"""

import argparse

from taskset import catalogue
from taskset.cli import lists
from taskset.files import markdown
from taskset.samplers import about
from tools import report

DOCUMENT = report.DOCS / "families.md"
HEADER = ("family", "what it is", "data", "an example")


def example(family):
    """The name of a task of the family."""
    if family in catalogue.families():
        return f"{family}_seed12"
    return next(name for name in catalogue.fixed_tasks() if catalogue.family_of(name) == family)


def section():
    """The table."""
    rows = []
    for family in lists.family_names():
        told = about.family(family)
        rows.append((family, told.what, told.data, f"`{example(family)}`"))
    return markdown.table(HEADER, rows, right=())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    report.publish_option(parser, "the first table of docs/families.md")
    report.show(parser.parse_args(), "what", section(), DOCUMENT)


if __name__ == "__main__":
    main()
