"""The suites that ship as files, each version written once.

python -m tools.write_suites 1h:1 rivals:1    shows what they would be, made today
python -m tools.write_suites 1h:1 --publish   writes its file into the package; refuses where it is there
python -m tools.write_suites 1h:1 --out DIR   writes it into another folder
"""

import argparse
import functools
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from taskset.errors import StoreError, TasksetError, counted, unknown
from taskset.scoring import suites
from taskset.scoring.suites import tiers, written
from taskset.scoring.suites.suite import Suite
from taskset.scoring.suites.tiers import tenth


@dataclass(frozen=True)
class Shipped:
    """A suite's version. label: NAME:VERSION; path: of its file; make: the suite from a directory of baselines."""

    label: str
    path: Path
    make: Callable[[Path | None], Suite]


def shipped():
    """All of them, a row each."""
    from learned.suite_files import TINY

    return [
        *(Shipped(str(tier), tier.path, functools.partial(tiers.make, tier)) for tier in tiers.TIERS),
        Shipped(":".join(map(str, tiers.TENTH)), tiers.path_of(*tiers.TENTH), tenth.make),
        *rows_of_written(written.WRITTEN, written.FEWEST_TASKS),
        Shipped(str(TINY), TINY.path, functools.partial(tiny, TINY)),
    ]


def rows_of_written(wanted, fewest):
    """The rows of suites that are made together, as those for training have no task of the held-out ones."""
    made = functools.cache(lambda baselines: written.make_all(baselines, wanted, fewest))
    return [Shipped(str(one), one.path, lambda baselines, one=one: made(baselines)[one]) for one in wanted]


def tiny(one, baselines):
    """The suite of the tiny tasks of `learned`, from a sweep of them: `learned.suite_files` has its command."""
    return suites.make(one.name, ["Tiny_*"], baselines, one.source, one.horizon, version=one.version)


def chosen(labels, rows):
    """The rows called `labels`. Raises `UnknownName`."""
    of = {row.label: row for row in rows}
    for label in labels:
        if label not in of:
            raise unknown("suite", label, list(of), f"Allowed are {', '.join(of)}.")
    return [of[label] for label in labels]


def write(rows, baselines, directory):
    """Write the files of suites into a directory, or where each belongs (None); returns {path: suite}.

    Raises `StoreError` where one of them is there: nothing is written then.
    """
    paths = [Path(directory) / row.path.name if directory else row.path for row in rows]
    for path in paths:
        if path.exists():
            raise StoreError(f"{path} is there, and a suite's version never changes: give the new one another version")
    made = {path: row.make(baselines) for path, row in zip(paths, rows, strict=True)}
    for path, suite in made.items():
        suites.save(suite, path)
    return made


def described(suite):
    """One line on a suite."""
    families = Counter(entry.family for entry in suite.tasks)
    counts = ", ".join(f"{family} {count}" for family, count in sorted(families.items()))
    cost = f", {sum(suite.rule['costs'].values()) / 3600:.2f} core-hours" if "costs" in suite.rule else ""
    return f"{suite.label}: {counted(len(suite.tasks), 'task')}{cost}: {counts}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="+", metavar="NAME:VERSION", help=", ".join(row.label for row in shipped()))
    parser.add_argument("--root", type=Path, help="Baselines to read; by default those of the package.")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--publish", action="store_true", help="Write into the package.")
    where.add_argument("--out", type=Path, metavar="DIR", help="Write into this folder.")
    arguments = parser.parse_args()
    try:
        rows = chosen(arguments.suites, shipped())
        if arguments.publish or arguments.out:
            made = write(rows, arguments.root, arguments.out)
            print("\n".join(f"written: {path}" for path in made))
        else:
            made = {row.path: row.make(arguments.root) for row in rows}
    except TasksetError as error:
        sys.exit(f"error: {error}")
    print("\n".join(map(described, made.values())))


if __name__ == "__main__":
    main()
