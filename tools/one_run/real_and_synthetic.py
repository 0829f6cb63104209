"""One run on real and on synthetic data of the same tasks, beside Adam, for docs/one_run.md.

    python -m tools.one_run.real_and_synthetic suites --out DIR
    TFDS_DATA_DIR=.. python -m tools.one_run weights DIR/tfds.json --split test --out DIR/tfds NAME=CHECKPOINT ..
    python -m tools.one_run weights DIR/synthetic.json --split test --out DIR/synthetic NAME=CHECKPOINT ..
    python -m tools.one_run.real_and_synthetic table DIR [--publish]

The tasks are those of the splits valid and test (all of split test in these suites) that the package's baselines have for 2,000
steps with both kinds of data, and that are not in heldout-valid:1. Each kind has its own normalizers and its own tuned Adam.
--publish writes the section "real_and_synthetic" of docs/one_run.md.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from taskset.execution.runtime import start_tensorflow
from tools import one_run, report
from tools.one_run import run_curves, run_table

TITLES = {"tfds": "real", "synthetic": "synthetic"}
KINDS = ("mean", "IQM", "worst quarter")


def both():
    """{source: suite} of the tasks; those of split train, and those by which checkpoints are chosen, are left out."""
    from taskset.normalization import store
    from taskset.scoring import suites
    from taskset.scoring.suites import by_name

    normalizers = store.load_normalizers()
    names = sorted(set(normalizers.loc[normalizers["source"] == "tfds", "task"]))
    made = {source: suites.make(source, names, None, source, one_run.STEPS) for source in TITLES}
    chosen_by = {one.task for one in by_name.get_suite("heldout-valid:1").tasks}
    common = set.intersection(*({one.task for one in suite.tasks if one.split != "train"} for suite in made.values())) - chosen_by

    def judged(suite):
        return tuple(dataclasses.replace(one, split="test") for one in suite.tasks if one.task in common)

    return {source: dataclasses.replace(suite, tasks=judged(suite)) for source, suite in made.items()}


def rows(found):
    """Rows (steps, title, trials, tasks, `KINDS` of each source). found: {source: what `one_run.lines_of` returns first}."""
    for horizon, lines in found[next(iter(TITLES))].items():
        for key, line in lines.items():
            if all(key in found[source][horizon] for source in TITLES):
                numbers = [f"{found[source][horizon][key].numbers[kind]:.3f}" for source in TITLES for kind in KINDS]
                yield [f"{horizon:,}", line.rival.rule.title, line.rival.trials, line.tasks, *numbers]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("suites")
    command.add_argument("--out", type=Path, required=True, help="Directory of the two suite files.")
    command = commands.add_parser("table")
    command.add_argument("directory", type=Path, help="Directory of the suites and of the curves.")
    report.publish_option(command, "the section real_and_synthetic of docs/one_run.md")
    arguments = parser.parse_args()
    start_tensorflow(threads=1)
    from taskset.scoring import suites

    if arguments.command == "suites":
        arguments.out.mkdir(parents=True, exist_ok=True)
        for source, suite in both().items():
            suites.save(suite, arguments.out / f"{source}.json")
        return
    found = {}
    for source in TITLES:
        own, suite = run_curves.read([arguments.directory / source]), suites.load(arguments.directory / f"{source}.json")
        ours = list(own["optimizer"].unique())
        found[source] = run_table.lines_of(run_curves.beside_baselines(own, suite), ours, suite, "mean", "train")[0]
    header = ["steps", "optimizer", "trials", "tasks", *(f"{title}: {kind}" for title in TITLES.values() for kind in KINDS)]
    text = f"{report.table(header, list(rows(found)))}\n\n{report.conditions('tensorflow', 'numpy')}."
    report.show(arguments, "real_and_synthetic", text, one_run.DOCUMENT)


if __name__ == "__main__":
    with report.errors_of_one_line():
        main()
