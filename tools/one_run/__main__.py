"""How learned optimizers do in one run, beside what needs one run as well, and beside Adam.

    python -m tools.one_run suite --out SUITE [--max-parameters N] [--judged SUITE]
    python -m tools.one_run weights SUITE --split valid --out DIR NAME=CHECKPOINT ..        weights of one learned optimizer
    python -m tools.one_run rivals SUITE --split valid --out DIR [--only NAME ..]    hand-designed rules, mlp_pes
    python -m tools.one_run table SUITE --split valid [DIR ..] [--publish SECTION]

The suite is provisional: tasks of the package's baselines of 2,000 steps, on synthetic data or none, of at most 2.5 ms a step and
100,000 parameters. The hash of names leaves 6 of them for validation, so a quarter of the training tasks of each family, by a
second hash, is set aside for that as well; test tasks stay test tasks. Tasks without data that the baselines have for 10,000
steps are more to train on, with scales from the first 2,000.

SUITE is a file, or the name of a suite. `weights` and `rivals` make runs of 200 and of 2,000 steps, each with that number as its
horizon. The table has Adam from the package's baselines of 2,000 steps, cut at 200, which Adam without a schedule allows, and the
learned list from those of each length, where there are any; without a DIR it has nothing else. --publish writes the section of
docs/one_run.md, or of docs/one_run_history.md where it is there.
"""

import argparse
from pathlib import Path

from taskset.execution.runtime import start_tensorflow
from tools import report
from tools.one_run import HORIZONS, contenders, document_of, run_curves, run_table, task_choice


def make_suite(arguments):
    """`suite`: write the provisional suite."""
    from taskset.scoring import suites

    there = suites.load(arguments.judged).tasks if arguments.judged else ()
    judged = {entry.task for entry in there if entry.split != "train"}
    suites.save(task_choice.provisional(arguments.max_parameters, judged), arguments.out)


def run(suite, arguments):
    """`weights` and `rivals`: make their runs."""
    from tools.one_run import side_by_side

    if arguments.command == "weights":
        given = side_by_side.table(*contenders.trained_weights(arguments.weights))
    else:
        given = contenders.rivals(arguments.only)
    names = task_choice.in_turn(suite.of_split(arguments.split))
    side_by_side.run(suite, names, given, arguments.horizons, arguments.out, seeds=range(arguments.seeds))


def show_table(suite, arguments):
    """`table`: print it, and write its section where one is asked for."""
    if arguments.directories:
        own = run_curves.of_split(run_curves.read(arguments.directories), suite, arguments.split)
        found, ours = run_curves.beside_baselines(own, suite, arguments.sweeps), list(own["optimizer"].unique())
    else:
        found, ours = run_curves.baselines_alone(suite, arguments.split, arguments.sweeps), []
    text = run_table.text_of(found, ours, suite, arguments.split, arguments.view)
    text += f"\n\n{report.conditions('tensorflow', 'numpy')}."
    print(text)
    if arguments.publish:
        report.write_section(arguments.publish, text, document_of(arguments.publish))


def main():
    parser = argparse.ArgumentParser(
        prog="python -m tools.one_run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("suite")
    command.add_argument("--out", type=Path, required=True, help="JSON file to write.")
    command.add_argument("--max-parameters", type=int, default=task_choice.MOST_PARAMETERS, help="Of a task.")
    command.add_argument("--judged", metavar="SUITE", help="Suite whose validation and test tasks are left out.")
    weights, rivals, shown = (commands.add_parser(name) for name in ("weights", "rivals", "table"))
    for command in (weights, rivals, shown):
        command.add_argument("suite", help="Suite file, or a name of `python -m learned suite --list`.")
        command.add_argument("--split", default="valid", help="Tasks of the suite: train, valid or test.")
    for command in (weights, rivals):
        command.add_argument("--out", type=Path, required=True, help="Directory of the curves.")
        command.add_argument("--seeds", type=int, default=2, help="Runs of each task, from seeds 0, 1, ..")
        command.add_argument("--horizons", type=int, nargs="+", default=HORIZONS, help="Steps of the runs.")
    weights.add_argument(
        "weights", nargs="+", type=contenders.named_checkpoint, metavar="NAME=CHECKPOINT", help="NAME=start: before training."
    )
    known = contenders.RIVALS
    rivals.add_argument("--only", nargs="+", choices=known, default=known, metavar="NAME", help="Default: all.")
    shown.add_argument("directories", nargs="*", type=Path, help="What the others wrote.")
    shown.add_argument("--sweeps", nargs="+", type=Path, default=[], help="Baselines beside the package's.")
    shown.add_argument("--view", default="mean", help="Number taken from each curve: mean, end or lowest.")
    shown.add_argument("--publish", metavar="SECTION", help="Section of the document to write.")
    arguments = parser.parse_args()
    start_tensorflow(threads=1)
    import learned  # noqa: F401
    from taskset.scoring.suites import by_name

    if arguments.command == "suite":
        make_suite(arguments)
    else:
        (show_table if arguments.command == "table" else run)(by_name.get_suite(arguments.suite), arguments)


if __name__ == "__main__":
    with report.errors_of_one_line():
        main()
