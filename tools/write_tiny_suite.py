"""Write `tiny:1`, the suite of the tiny tasks of `learned`, from a sweep of them: python -m tools.write_tiny_suite DIR

`learned.suite_files` has the command of the sweep. A suite's version never changes: refuses where the file is there.
"""

import argparse
import sys

from taskset.errors import StoreError, TasksetError


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("baselines", metavar="DIR", help="Results of the sweep.")
    arguments = parser.parse_args()
    from learned.suite_files import TINY
    from taskset.scoring import suites

    try:
        if TINY.path.exists():
            raise StoreError(f"{TINY.path} is there: give a new suite another version")
        made = suites.make(TINY.name, ["Tiny_*"], arguments.baselines, TINY.source, TINY.horizon, version=TINY.version)
        suites.save(made, TINY.path)
    except TasksetError as error:
        sys.exit(f"error: {error}")
    print(f"{TINY.path}: {len(made.tasks)} tasks")


if __name__ == "__main__":
    main()
