"""The provisional suite; a few tasks of a suite, and the order in which they are run."""

import dataclasses
import fnmatch
import itertools
import zlib

from tools.one_run import STEPS

LONGER, MOST_MILLISECONDS, MOST_PARAMETERS = 10_000, 2.5, 100_000
ASIDE_OF, MOST_ASIDE = 3, 4  # of the training tasks of a family, one of so many is set aside for validation; at most so many


def provisional(most_parameters=MOST_PARAMETERS, judged=()):
    """The suite; without the tasks that are in `judged`, a collection of names."""
    from taskset.normalization import store
    from taskset.normalization.release.merged_tables import fit_adam
    from taskset.scoring import suites

    made = suites.make("provisional", ["*"], None, "synthetic", STEPS, MOST_MILLISECONDS, most_parameters)
    aside = set()
    for family in {entry.family for entry in made.tasks}:
        names = [entry.task for entry in made.of_split("train") if entry.family == family]
        names.sort(key=lambda name: zlib.crc32(f"aside {name}".encode()))
        aside |= set(names[: min(len(names) // ASIDE_OF, MOST_ASIDE)])
    tasks = [dataclasses.replace(entry, split="valid") if entry.task in aside else entry for entry in made.tasks]
    longer = suites.make("longer", ["*"], None, "synthetic", LONGER, MOST_MILLISECONDS, most_parameters)
    more = [entry for entry in longer.of_split("train") if entry.task not in {one.task for one in made.tasks}]
    curves = store.load_curves(task=[entry.task for entry in more], horizon=[LONGER])
    scales = suites.scales(fit_adam(curves[curves["step"] <= STEPS]), "synthetic", LONGER)
    tasks += [dataclasses.replace(entry, scales=scales[entry.task]) for entry in more if entry.task in scales]
    kept = tuple(entry for entry in tasks if entry.task not in judged)
    return dataclasses.replace(made, tasks=kept, rule={**made.rule, "aside": sorted(aside), "longer": LONGER})


def few(suite, per_family):
    """The suite with a few training tasks of each family, spread evenly over them; per_family: (glob, how many), first match."""
    families = {}
    for entry in suite.of_split("train"):
        families.setdefault(entry.family, []).append(entry)
    kept = []
    for family, entries in families.items():
        most = next((most for glob, most in per_family if fnmatch.fnmatchcase(family, glob)), 0)
        count = min(most, len(entries))
        kept += [entries[(2 * i + 1) * len(entries) // (2 * count)] for i in range(count)]
    return dataclasses.replace(suite, tasks=tuple(kept))


def few_of_file(path, per_family):
    """`few` of the suite in a file."""
    from taskset.scoring import suites

    return few(suites.load(path), per_family)


def per_family_option(parser, default):
    """Add --per-family GLOB=N .., as `few` takes it."""
    parser.add_argument(
        "--per-family", nargs="+", type=_glob_and_count, metavar="GLOB=N", default=default, help="Training tasks of a family."
    )


def _glob_and_count(text):
    glob, _, count = text.partition("=")
    return glob, int(count)


def in_turn(entries):
    """Names of tasks, one of each family after the other: what is finished first stands for all."""
    families = {}
    for entry in entries:
        families.setdefault(entry.family, []).append(entry.task)
    return [task for tasks in itertools.zip_longest(*families.values()) for task in tasks if task]
