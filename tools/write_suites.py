"""The suites that ship as files, each version written once.

python -m tools.write_suites 1h:1 rivals:1    shows what they would be, made today
python -m tools.write_suites 1h:1 --publish   writes its file into the package; refuses where it is there
python -m tools.write_suites 1h:1 --out DIR   writes it into another folder
"""

import argparse
import functools
from collections import Counter
from pathlib import Path

from taskset.errors import StoreError, counted, unknown
from taskset.scoring import suites
from taskset.scoring.suites import tiers, written
from taskset.scoring.suites.tiers import tenth
from tools import report


def makers():
    """{suite that ships: what makes it from a directory of baselines}."""
    from learned.suite_files import TINY

    return {
        **{tier: functools.partial(tiers.make, tier) for tier in tiers.TIERS},
        tiers.TENTH: tenth.make,
        **makers_of_written(written.WRITTEN, written.FEWEST_TASKS),
        TINY: functools.partial(tiny, TINY),
    }


def makers_of_written(wanted, fewest):
    """Those of suites that are made together, as those for training have no task of the held-out ones."""
    made = functools.cache(lambda baselines: written.make_all(baselines, wanted, fewest))
    return {one: lambda baselines, one=one: made(baselines)[one] for one in wanted}


def tiny(one, baselines):
    """The suite of the tiny tasks of `learned`, from a sweep of them: `learned.suite_files` has its command."""
    return suites.make(one.name, ["Tiny_*"], baselines, one.source, one.horizon, version=one.version)


def chosen(labels, known):
    """Those of `known`, {suite: maker}, that are called `labels`. Raises `UnknownName`."""
    of = {str(one): one for one in known}
    for label in labels:
        if label not in of:
            raise unknown("suite", label, list(of), f"Allowed are {', '.join(of)}.")
    return {of[label]: known[of[label]] for label in labels}


def write(wanted, baselines, directory):
    """Write the files of suites, {suite: maker}, into a directory, or where each belongs (None); returns {path: suite}.

    Raises `StoreError` where one of them is there: nothing is written then.
    """
    paths = [Path(directory) / one.path.name if directory else one.path for one in wanted]
    for path in paths:
        if path.exists():
            raise StoreError(f"{path} is there, and a suite's version never changes: give the new one another version")
    made = {path: make(baselines) for path, make in zip(paths, wanted.values(), strict=True)}
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
    parser.add_argument("suites", nargs="+", metavar="NAME:VERSION", help=", ".join(map(str, makers())))
    parser.add_argument("--root", type=Path, help="Baselines to read; by default those of the package.")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--publish", action="store_true", help="Write into the package.")
    where.add_argument("--out", type=Path, metavar="DIR", help="Write into this folder.")
    arguments = parser.parse_args()
    with report.errors_of_one_line():
        wanted = chosen(arguments.suites, makers())
        if arguments.publish or arguments.out:
            made = write(wanted, arguments.root, arguments.out)
            print("\n".join(f"written: {path}" for path in made))
        else:
            made = {one.path: make(arguments.root) for one, make in wanted.items()}
    print("\n".join(map(described, made.values())))


if __name__ == "__main__":
    main()
