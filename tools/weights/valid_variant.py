"""`anchored` trained for validation losses: the suite that it is trained on, the choice among weights, and the judgement.

    python -m tools.weights.valid_variant suite --out SUITE
    python -m tools.one_run weights SUITE --split valid --seeds 1 --out DIR NAME=CHECKPOINT ..
    python -m tools.weights.valid_variant choose SUITE DIR [--publish]
    TFDS_DATA_DIR=DIR python -m tools.weights.valid_variant judge NAME=CHECKPOINT .. [--publish]

suite: the tasks of tiny:1 whose validation examples say anything, those on which Adam's best validation loss is at least a tenth
below the initial one. Left out are mnist and fashion_mnist, whose real images judge, and quadratics, which have no examples.

choose: mean normalized validation loss of each NAME on the suite's validation tasks.

judge: losses after 1,000 steps on all training and on all test images of small networks that see 1,000 real images of mnist or
fashion_mnist, 8x8 pixels. By hand, the setting is tuned on each problem by itself, on 4 seeds, by the loss at the end on
validation images: 19 rates of Adam; 256 settings of adam8p, which has penalties and decay of the rate.
--publish writes the sections "valid_choice" and "valid_real" of docs/one_run.md.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from taskset.errors import counted
from taskset.execution.runtime import start_tensorflow
from tools import report
from tools.experiments import objectives, page
from tools.experiments.training import tiny_name
from tools.one_run import DOCUMENT
from tools.one_run.contenders import named_checkpoint
from tools.one_run.run_curves import read, scored

LEAST = 0.1  # of the initial validation loss: how much lower the best one has to be
JUDGED = ("mnist", "fashion_mnist")
FAMILIES = ("tiny_mlp", "tiny_conv")
HANDS = ("Adam, 19", "adam8p")
VALIDATION = "valid_outer"


def training_suite():
    """The suite, with the splits and scales of tiny:1."""
    import learned  # noqa: F401 (registers the tiny tasks)
    from taskset.scoring.suites import by_name

    whole = by_name.get_suite("tiny:1")
    kept = [one for one in whole.tasks if informative(one) and not any(f"_{name}_" in one.task for name in JUDGED)]
    return replace(whole, name="tiny_valid", tasks=tuple(kept))


def informative(entry):
    """Whether a task's validation loss falls by enough."""
    initial, best = entry.scales[VALIDATION]
    return entry.family != "tiny_quadratic" and initial - best >= LEAST * abs(initial)


def choice(curves, suite):
    """Rows (name, steps of the runs, tasks, mean over the curve, mean at the end) of normalized validation losses."""
    views = {view: scored(curves, suite, view)[0].loc[VALIDATION] for view in ("mean", "end")}
    for horizon in sorted(views["mean"].index.unique("horizon")):
        parts = {view: table.xs(horizon, level="horizon") for view, table in views.items()}
        for name in parts["mean"].columns:
            cells = [f"{parts[view][name].mean():.4f}" for view in views]
            yield [name, f"{int(horizon):,}", parts["mean"][name].count(), *cells]


def chosen_text(curves, suite):
    """The table of `choice` in Markdown."""
    header = ["weights", "steps", "tasks", "mean of the curve", "end"]
    return f"{report.table(header, list(choice(curves, suite)))}\n\n{report.conditions('tensorflow', 'numpy')}."


def problems():
    """Names of the tasks that judge."""
    return [tiny_name(family, dataset) for family in FAMILIES for dataset in JUDGED]


def judged_text(found):
    """A table of each problem in Markdown. found: {task: what `objectives.judge` returns}."""
    parts = []
    for name, (labels, _) in found.items():
        kept = {label: values for label, values in labels.items() if not label.endswith("tuned for train")}
        rows = [
            [
                label,
                *(page.with_interval(values[split][:, -1]) for split in ("train", "test")),
                page.with_interval(values["test"].min(axis=1)),
            ]
            for label, values in kept.items()
        ]
        header = ["optimizer", "train loss at the end", "test loss at the end", "least test loss"]
        parts += [f"`{name}`, real images:", report.table(header, rows)]
    return f"""{(chr(10) * 2).join(parts)}

Losses in nats after {objectives.STEPS:,} steps on all 1,000 training and all 500 test images, {len(objectives.JUDGING)} seeds
that nothing was tuned on; brackets: 95% bootstrap intervals over them. Least: of each run by itself, what stopping at the best
moment would give.
{report.conditions("tensorflow", "numpy")}."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    suite = commands.add_parser("suite", help="Write the suite to train on.")
    suite.add_argument("--out", type=Path, required=True)
    choose = commands.add_parser("choose", help="Compare weights on the suite's validation tasks.")
    choose.add_argument("suite", type=Path)
    choose.add_argument("directories", nargs="+", type=Path, help="What `tools.one_run weights` wrote.")
    judge = commands.add_parser("judge", help="Compare weights on real images.")
    judge.add_argument("weights", nargs="+", type=named_checkpoint, metavar="NAME=CHECKPOINT")
    for command, section in ((choose, "valid_choice"), (judge, "valid_real")):
        command.set_defaults(section=section)
        report.publish_option(command, f"the section {section} of docs/one_run.md")
    arguments = parser.parse_args()
    start_tensorflow(threads=1)
    import learned  # noqa: F401 (registers the tiny tasks)
    from taskset.scoring import suites

    if arguments.command == "suite":
        made = training_suite()
        suites.save(made, arguments.out)
        to_train_on = counted(len(made.of_split("train")), "task")
        print(f"{arguments.out}: {to_train_on} to train on, {len(made.of_split('valid'))} to choose by")
        return
    if arguments.command == "choose":
        text = chosen_text(read(arguments.directories), suites.load(arguments.suite))
    else:
        from taskset.catalogue import get_task

        trained = dict(arguments.weights)
        text = judged_text({name: objectives.judge(get_task(name, "tfds"), trained, HANDS) for name in problems()})
    report.show(arguments, arguments.section, text, DOCUMENT)


if __name__ == "__main__":
    with report.errors_of_one_line():
        main()
