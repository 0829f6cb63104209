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
horizon (`tools.side_by_side`). The table has Adam from the package's baselines of 2,000 steps, cut at 200, which Adam without a
schedule allows, and the learned list from those of each length, where there are any; without a DIR it has nothing else. --publish
writes the section of docs/one_run.md, or of docs/one_run_history.md where it is there.
"""

from __future__ import annotations

import argparse
import dataclasses
import fnmatch
import itertools
import sys
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from taskset.errors import StoreError
from taskset.execution.runtime import start_tensorflow
from tools import report

if TYPE_CHECKING:
    from taskset.scoring.rivals import Rival

HORIZONS = (200, 2000)
STEPS, LONGER, MOST_MILLISECONDS, MOST_PARAMETERS = 2000, 10_000, 2.5, 100_000
ASIDE_OF, MOST_ASIDE = 3, 4  # of the training tasks of a family, one of so many is set aside for validation; at most so many
QUADRATIC = "quadratic_family"
DOCUMENT, HISTORY = report.DOCS / "one_run.md", report.DOCS / "one_run_history.md"


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


def per_family_option(parser, default):
    """Add --per-family GLOB=N .., as `few` takes it."""
    parser.add_argument(
        "--per-family", nargs="+", type=_glob_and_count, metavar="GLOB=N", default=default, help="Training tasks of a family."
    )


def _glob_and_count(text):
    glob, _, count = text.partition("=")
    return glob, int(count)


def scored_runs(curves, suite, view):
    """One row per run and split: horizon, task, optimizer, seed, split, score, diverged."""
    import pandas as pd

    from taskset.scoring import run_scores

    parts = []
    for horizon, part in curves.groupby("horizon"):
        steps = sorted(int(step) for step in part["step"].unique())
        parts.append(run_scores.scores(part, suite.scales, steps, run_scores.view(view)).assign(horizon=int(horizon)))
    return pd.concat(parts)


def scored(curves, suite, view):
    """(scores, diverged runs, runs), index (split, horizon, task), one column per optimizer; means, and counts, over seeds."""
    groups = scored_runs(curves, suite, view).groupby(["split", "horizon", "task", "optimizer"])
    return groups["score"].mean().unstack(), groups["diverged"].sum().unstack(), groups.size().unstack()


def baselines(suite, tasks, horizons, steps, sweeps=()):
    """Curves of the package's baselines with a column `horizon` of the runs that they stand for; steps: of evaluations.

    sweeps: directories of `baseline --out` whose runs count as well. Adam's runs are cut, which a constant rate allows; the
    learned list, whose rates fall, has runs of each horizon.
    """
    import pandas as pd

    from taskset.normalization import store
    from taskset.scoring import rivals

    wanted = sorted({suite.horizon, *horizons})
    chosen = {"task": list(tasks), "source": store.sources_of(suite.source), "horizon": wanted}
    roots = [{}, *({"root": sweep} for sweep in sweeps)]
    whole = pd.concat([store.with_text_names(store.load_curves(**chosen, **root)) for root in roots], ignore_index=True)
    kind, parts = rivals.families(whole["optimizer"]), []
    for horizon in horizons:
        runs = (kind == rivals.ADAM) & (whole["horizon"] == suite.horizon) | (kind == rivals.LIST) & (whole["horizon"] == horizon)
        part = whole[runs & (whole["step"] <= horizon) & whole["step"].isin(steps)]
        parts.append(part.assign(horizon=horizon))
    return pd.concat(parts, ignore_index=True)


def read(directories):
    """The curves that `weights` and `rivals` wrote into some directories."""
    import pandas as pd

    files = [path for directory in directories for path in sorted(directory.glob("*.parquet"))]
    if not files:
        raise StoreError(f"no curves in {', '.join(map(str, directories))}: give directories that `weights` or `rivals` wrote")
    return pd.concat([pd.read_parquet(path) for path in files], ignore_index=True)


def beside_baselines(curves, suite):
    """The curves, and those of the baselines on the same tasks at the same horizons and steps."""
    import pandas as pd

    tasks, horizons = sorted(curves["task"].unique()), sorted(int(h) for h in curves["horizon"].unique())
    return pd.concat([curves, baselines(suite, tasks, horizons, curves["step"].unique())], ignore_index=True)


def baselines_alone(suite, split, sweeps=()):
    """The curves of the baselines on the tasks of a split, as `beside_baselines` has them; sweeps: as of `baselines`."""
    from tools.side_by_side import INTERVAL

    tasks = [entry.task for entry in suite.of_split(split)]
    return baselines(suite, tasks, HORIZONS, range(0, max(HORIZONS) + 1, INTERVAL), sweeps)


@dataclasses.dataclass(frozen=True)
class Line:
    """A rival (`taskset.scoring.rivals.Rival`) in the table: the number of tasks, "1 of 34" diverged runs, {statistic: value}."""

    rival: Rival
    tasks: int
    diverged: str
    numbers: dict[str, float]

    def cells(self):
        """In the columns of `text_of`."""
        numbers = [f"{value:.3f}" for value in self.numbers.values()]
        return [self.rival.title, self.rival.trials, self.tasks, self.diverged, *numbers]


def lines_of(curves, ours, suite, view, split):
    """{horizon: {key: `Line`}}, and the scores by task, with columns (horizon, key).

    curves: with those of the baselines (`beside_baselines`); ours: the optimizers that aren't baselines.
    """
    import pandas as pd

    from taskset.scoring.rivals import rivals_of

    means, diverged, runs = scored(curves, suite, view)
    found, chosen = {}, {}
    for horizon in sorted(int(h) for h in curves["horizon"].unique()):
        part, lines = means.xs(horizon, level="horizon").dropna(axis=1, how="all"), {}
        for rival in rivals_of(part.loc[["train", "valid_outer"]], ours)[0]:
            values = np.array(
                [part.at[(split, task), name] for task, name in rival.chosen.items() if (split, task) in part.index]
            )
            lost, of = (
                sum(int(counts.at[(split, horizon, task), name]) for task, name in rival.chosen.items())
                for counts in (diverged, runs)
            )
            lines[rival.key] = Line(rival, len(values), f"{lost} of {of}", numbers_of(values))
            chosen[horizon, rival.key] = {task: float(part.at[(split, task), name]) for task, name in rival.chosen.items()}
        found[horizon] = lines
    return found, pd.DataFrame(chosen)


def numbers_of(values):
    """{statistic: value} over tasks; values: [tasks]."""
    from taskset.scoring import statistics

    of_all = {name: float(statistic(values)) for name, statistic in statistics.STATISTICS.items()}
    return {**of_all, "worst quarter": statistics.worst_quarter(values)}


def by_family(scores_by_task, families):
    """Means over the tasks of each family; columns as those of `scores_by_task`. families: {task: family}."""
    table = scores_by_task.groupby(families).mean()
    table.insert(0, "tasks", scores_by_task.groupby(families).size())
    return table


def against_tuned(scores_by_task, ours, families):
    """Rows: optimizer, on how many tasks it is better than tuned Adam, the paired difference of the means with its interval over
    the tasks, and mean and IQM of both without the quadratics, whose scores can be far below 0."""
    from taskset.scoring import statistics
    from taskset.scoring.rivals import ADAM_TUNED

    rest = [task for task in scores_by_task.index if families[task] != QUADRATIC]
    for name in ours:
        difference = (scores_by_task[name] - scores_by_task[ADAM_TUNED]).to_numpy()
        both = [scores_by_task.loc[rest, key].to_numpy() for key in (name, ADAM_TUNED)]
        pairs = [" / ".join(f"{statistics.STATISTICS[kind](values):.3f}" for values in both) for kind in ("mean", "IQM")]
        better = f"{int((difference < 0).sum())} of {len(difference)}"
        yield [name, better, statistics.estimate(difference).text(), *pairs]


def text_of(curves, ours, suite, split, view):
    """The tables as Markdown; arguments of `lines_of`."""
    from taskset.scoring.rivals import LIST, family_of

    tasks = curves["task"].nunique()
    found, scores_by_task = lines_of(curves, ours, suite, view, "train")
    families = {task: suite.entry(task).family for task in scores_by_task.index}
    parts = []
    for horizon, lines in found.items():
        parts.append(f"After {horizon:,} steps, {tasks} tasks of split {split}, {view} of the normalized train loss:")
        header = ["optimizer", "trials", "tasks", "diverged runs", *next(iter(lines.values())).numbers]
        parts.append(report.table(header, [line.cells() for line in lines.values()]))
        table = by_family(scores_by_task[horizon], families)
        rules = [line.rival.rule for line in lines.values()]
        shown = [rule for rule in rules if family_of(rule.members[0]) != LIST]
        rows = [[family, int(row["tasks"]), *(f"{row[rule.key]:.3f}" for rule in shown)] for family, row in table.iterrows()]
        parts.append(report.table(["family", "tasks", *(rule.title for rule in shown)], rows))
        if not ours:
            continue
        columns = [
            "against tuned Adam",
            "better on",
            "difference of the means",
            "mean / tuned Adam's, no quadratics",
            "IQM / tuned Adam's",
        ]
        parts.append(report.table(columns, list(against_tuned(scores_by_task[horizon], ours, families))))
    return "\n\n".join(parts)


def document_of(section):
    """The document that has a section; docs/one_run.md where none has."""
    mark = f"<!-- {section} -->"
    return next((path for path in (DOCUMENT, HISTORY) if mark in path.read_text(encoding="utf-8")), DOCUMENT)


def named_checkpoint(text):
    """(NAME, CHECKPOINT) of NAME=CHECKPOINT, as a type of argparse."""
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"{text!r}: allowed is NAME=CHECKPOINT")
    return name, path


def trained_weights(given):
    """(learned optimizer, {name: weights}) of (name, checkpoint) pairs; checkpoint "start": the weights before training."""
    from learned import optimizers
    from learned.deploy import pretrained
    from learned.outer_training import checkpoint

    loaded = {}
    for name, path in given:
        loaded[name] = None if path == "start" else checkpoint.load(pretrained.find(path))
    (kind,) = {found.optimizer for found in loaded.values() if found} or {"anchored"}
    optimizer = optimizers.get(kind)
    start = {path: np.asarray(w) for path, w in optimizer.init_theta(0).items()}
    return optimizer, {name: found.theta if found else start for name, found in loaded.items()}


RIVALS = ("relative_nadam", "relative_muon", "schedule_free_adamw", "prodigy", "mlp_pes")


def rivals(names):
    """Those of RIVALS, optimizers of one run that the table compares with."""
    import learned
    from taskset.optimizers import get_optimizer

    found = [get_optimizer(name) for name in names if name != "mlp_pes"]
    if "mlp_pes" in names:
        found.append(learned.load("mlp_pes", "mlp_pes"))
    return found


def in_turn(entries):
    """Names of tasks, one of each family after the other: what is finished first stands for all."""
    families = {}
    for entry in entries:
        families.setdefault(entry.family, []).append(entry.task)
    return [task for tasks in itertools.zip_longest(*families.values()) for task in tasks if task]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("suite")
    command.add_argument("--out", type=Path, required=True, help="JSON file to write.")
    command.add_argument("--max-parameters", type=int, default=MOST_PARAMETERS, help="Of a task.")
    command.add_argument("--judged", metavar="SUITE", help="Suite whose validation and test tasks are left out.")
    for name in ("weights", "rivals", "table"):
        command = commands.add_parser(name)
        command.add_argument("suite", help="Suite file, or a name of `python -m learned suite --list`.")
        command.add_argument("--split", default="valid", help="Tasks of the suite: train, valid or test.")
        if name == "table":
            command.add_argument("directories", nargs="*", type=Path, help="What the others wrote.")
            command.add_argument("--sweeps", nargs="+", type=Path, default=[], help="Of `baseline --out`, without a DIR.")
            command.add_argument("--view", default="mean", help="Number taken from each curve: mean, end or lowest.")
            command.add_argument("--publish", metavar="SECTION", help="Section of the document to write.")
            continue
        command.add_argument("--out", type=Path, required=True, help="Directory of the curves.")
        command.add_argument("--seeds", type=int, default=2, help="Runs of each task, from seeds 0, 1, ..")
        command.add_argument("--horizons", type=int, nargs="+", default=HORIZONS, help="Steps of the runs.")
        if name == "rivals":
            command.add_argument("--only", nargs="+", choices=RIVALS, default=RIVALS, metavar="NAME", help="Default: all.")
        if name == "weights":
            command.add_argument(
                "weights", nargs="+", type=named_checkpoint, metavar="NAME=CHECKPOINT", help="NAME=start: before training."
            )
    arguments = parser.parse_args()
    start_tensorflow(threads=1)
    import learned  # noqa: F401
    from taskset.scoring import suites
    from taskset.scoring.suites import by_name
    from tools import side_by_side

    if arguments.command == "suite":
        there = suites.load(arguments.judged).tasks if arguments.judged else ()
        judged = {entry.task for entry in there if entry.split != "train"}
        suites.save(provisional(arguments.max_parameters, judged), arguments.out)
        return
    suite = by_name.find(arguments.suite)
    if arguments.command != "table":
        given = (
            side_by_side.table(*trained_weights(arguments.weights)) if arguments.command == "weights" else rivals(arguments.only)
        )
        tasks, seeds = in_turn(suite.of_split(arguments.split)), range(arguments.seeds)
        side_by_side.run(suite, tasks, given, arguments.horizons, arguments.out, seeds=seeds)
        return
    if arguments.directories:
        own = read(arguments.directories)
        curves, ours = beside_baselines(own, suite), list(own["optimizer"].unique())
    else:
        curves, ours = baselines_alone(suite, arguments.split, arguments.sweeps), []
    text = text_of(curves, ours, suite, arguments.split, arguments.view) + f"\n\n{report.conditions('tensorflow', 'numpy')}."
    print(text)
    if arguments.publish:
        report.write_section(arguments.publish, text, document_of(arguments.publish))


if __name__ == "__main__":
    from taskset.errors import TasksetError

    try:
        main()
    except TasksetError as error:
        sys.exit(f"error: {error}")
