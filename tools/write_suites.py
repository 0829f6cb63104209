"""The suites of `taskset.scoring.suites.written`, each written once, from baselines with a normalizer of at least 3,300 tasks.

python -m tools.write_suites            shows what they would be
python -m tools.write_suites --publish  writes their files into the package; refuses where one is there
python -m tools.write_suites --out DIR  writes them into another folder
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from taskset.errors import TasksetError
from taskset.scoring.suites import written


def described(suite):
    """One line on a suite."""
    families = Counter(entry.family for entry in suite.tasks)
    counts = ", ".join(f"{family} {count}" for family, count in sorted(families.items()))
    return f"{suite.label}: {len(suite.tasks)} tasks, {suite.rule['core_hours']} core-hours: {counts}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="Baselines to read; by default those of the package.")
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--publish", action="store_true", help="Write into the package.")
    chosen.add_argument("--out", type=Path, metavar="DIR", help="Write into this folder.")
    arguments = parser.parse_args()
    try:
        if arguments.publish or arguments.out:
            found = written.write_all(arguments.root, arguments.out)
            print("\n".join(f"written: {path}" for path in found))
        else:
            found = written.make_all(arguments.root)
    except TasksetError as error:
        sys.exit(f"error: {error}")
    print("\n".join(map(described, found.values())))


if __name__ == "__main__":
    main()
