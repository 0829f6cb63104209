"""What one run of an optimizer is worth beside Adam's trials: the pictures of docs/one_run.md.

    python -m tools.one_run.pictures SUITE --split test --name NAME DIR .. (--out OUT | --publish)

DIR: what `tools.one_run weights` and `rivals` wrote, with runs of 200 and 2,000 steps; NAME: the optimizer that the pictures are
about. Adam is the package's: its 17 rates on each task.

- `one_run_NAME.png`: the mean over tasks against the number of Adam's rates that are tried, chosen at random and the best kept,
  by train loss; the histogram of the differences between NAME and Adam with all rates, task by task; and the means by family.
- `one_run_NAME_curves.png`: the learning curves of three tasks, chosen by that difference: the one with a tenth of the tasks
  below it, the median, and the one with a tenth above it.
"""

import argparse
import itertools
import sys
from pathlib import Path

import numpy as np

from taskset.execution.runtime import start_tensorflow
from taskset.normalization.normalizer import normalize
from taskset.scoring import rivals, statistics
from taskset.scoring.rows import expected_of_best
from taskset.scoring.suites import by_name
from tools import report
from tools.experiments import page
from tools.one_run import run_curves

ADAM_COLOUR, OURS, OTHERS = "0.35", "#D55E00", ("#0072B2", "#009E73", "#CC79A7", "#E69F00")  # told apart by colour-blind eyes
MARKS = "xsv^"  # of the others, as their colours are; `OURS` has a diamond
SEED_LINES = ("-", "--", ":", "-.")  # of the runs of an optimizer, in the order of their seeds
HEIGHTS = (1, 0.8, 1.5)  # of the rows of the overview
WIDTH, BINS = 8.4, np.linspace(-1, 1, 41)
PLACES = {"a tenth of the tasks are better": 0.1, "the median task": 0.5, "a tenth of the tasks are worse": 0.9}


def measured(suite, split, directories):
    """(scores [task, horizon] x optimizer, curves of the train loss with Adam's) of a split; directories: of `tools.one_run`."""
    ours = run_curves.of_split(run_curves.read(directories), suite, split)
    both = run_curves.beside_baselines(ours, suite)
    found = run_curves.scored(both, suite, "mean")[0].xs("train", level="split")
    learned = set(ours["optimizer"])
    kept = [name for name in found.columns if name in learned or rivals.family_of(name) == rivals.ADAM]
    return found[kept], both[both["optimizer"].isin(kept)]


def adams(found):
    """The names of Adam's rates among the columns, by rate."""
    names = [name for name in found.columns if rivals.family_of(name) == rivals.ADAM]
    return sorted(names, key=lambda name: float(name.rpartition("_")[2]))


def others(found, name):
    """The names of the optimizers that are neither `name` nor Adam's rates."""
    return [other for other in found.columns if other != name and other not in adams(found)]


def differences(found, name):
    """Score of the optimizer less that of Adam's best rate on each task: a series."""
    return found[name] - found[adams(found)].min(axis=1)


def of_trials(rates):
    """[trials, tasks]: the expected score of the best of 1, 2, .. rates drawn at random; rates: scores [tasks, rates]."""
    rates = np.asarray(rates)
    return np.array([[expected_of_best(one, one, trials) for one in rates] for trials in range(1, rates.shape[1] + 1)])


def overview(found, name, families, path):
    """A column for each horizon: against trials, differences, families."""
    horizons = sorted(found.index.unique("horizon"))
    with page.figure(
        path,
        size=(WIDTH, 10),
        rows=len(HEIGHTS),
        columns=len(horizons),
        dpi=110,
        squeeze=False,
        sharex="row",
        sharey="row",
        height_ratios=HEIGHTS,
    ) as (figure, panels):
        colours = dict(zip([name, *others(found, name)], (OURS, *OTHERS)))
        for (top, middle, bottom), horizon in zip(panels.T, horizons):
            part = found.xs(horizon, level="horizon")
            against_trials(top, part, colours)
            top.set_title(f"{horizon:,} steps, {len(part)} tasks", fontsize=10)
            difference = differences(part, name).clip(BINS[0], BINS[-1])
            middle.hist(difference, BINS, color=OURS, alpha=0.8)
            middle.set_xticks((-1, -0.5, 0, 0.5, 1))
            middle.axvline(0, color="black", linewidth=0.8)
            middle.set_xlabel(f"{name} less Adam's best rate, each task", fontsize=8)
            better = f"better on {int((difference < 0).sum())}"
            middle.text(0.03, 0.93, better, transform=middle.transAxes, va="top", fontsize=8)
            by_family(bottom, part, families, colours)
        for axes in panels.flat:
            axes.tick_params(labelsize=8)
            axes.spines[["top", "right"]].set_visible(False)
        panels[0, 0].set_ylabel("mean normalized train loss", fontsize=8)
        panels[1, 0].set_ylabel("tasks", fontsize=8)
        panels[0, -1].legend(loc="upper right", fontsize=8, frameon=False)  # losses of the longest runs are the lowest
        figure.legend(*panels[2, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8, frameon=False)


def against_trials(axes, part, colours):
    """Adam's curve with the 95% interval of its mean over tasks, and a line with one for each optimizer of one run."""
    curve = of_trials(part[adams(part)])
    trials = np.arange(1, len(curve) + 1)
    low, high = np.array([statistics.interval(values, statistics.mean) for values in curve]).T
    axes.plot(trials, curve.mean(axis=1), color=ADAM_COLOUR, label="Adam, best of so many rates")
    axes.fill_between(trials, low, high, color=ADAM_COLOUR, alpha=0.15, linewidth=0, label="95% interval of its mean: Adam")
    for i, (name, colour) in enumerate(colours.items()):
        values = part[name].to_numpy()
        axes.axhline(values.mean(), color=colour, label=f"{name}, one run", linestyle="-" if i == 0 else "--")
        if i == 0:
            interval = statistics.interval(values, statistics.mean)
            axes.axhspan(*interval, color=colour, alpha=0.12, linewidth=0, label=f"95% interval of its mean: {name}")
    axes.set(xlim=(1, len(curve)), ylim=(0, 1), xticks=(1, 5, 9, 13, 17))
    axes.set_xlabel("Adam's rates that are tried", fontsize=8)


def by_family(axes, part, families, colours):
    """Means over the tasks of each family: a mark for each optimizer, and Adam's best rate of each task."""
    grouped = part.assign(adam=part[adams(part)].min(axis=1)).groupby(families)
    means, counts = grouped.mean(), grouped.size()
    places = np.arange(len(means))[::-1]
    axes.hlines(places, means["adam"], means[next(iter(colours))], color="0.8", linewidth=1.2)
    axes.plot(means["adam"], places, "o", color=ADAM_COLOUR, markersize=5, label="Adam's best rate of each task")
    for mark, (name, colour) in zip(("D", *MARKS), colours.items()):
        axes.plot(means[name], places, mark, color=colour, markersize=5, label=name)
    labels = [f"{family.removesuffix('_family').replace('_', ' ')} ({counts[family]})" for family in means.index]
    axes.set_yticks(places, labels)  # the panels of a row share them
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel("mean normalized train loss of a family", fontsize=8)


def chosen(found, name, horizon):
    """{why: task}: where the difference has the quantiles of PLACES, of the tasks at a horizon."""
    ordered = differences(found.xs(horizon, level="horizon"), name).sort_values(kind="stable")
    return {why: ordered.index[round(place * (len(ordered) - 1))] for why, place in PLACES.items()}


def learning_curves(found, curves, name, suite, path):
    """Three tasks, a row each, and a column for each horizon: normalized train losses, a line for each run (seed)."""
    horizons = sorted(found.index.unique("horizon"))
    tasks = chosen(found, name, horizons[-1])
    size, shape = (WIDTH, 8.2), {"rows": len(tasks), "columns": len(horizons), "squeeze": False, "sharey": "row"}
    with page.figure(path, size=size, dpi=110, **shape) as (figure, panels):
        for row, (why, task) in zip(panels, tasks.items()):
            for axes, horizon in zip(row, horizons):
                rates = found.xs(horizon, level="horizon").loc[task, adams(found)]
                runs = curves[(curves["task"] == task) & (curves["horizon"] == horizon)]
                initial, best = suite.entry(task).scales["train"]
                adam = rates.idxmin(), ADAM_COLOUR, "Adam, best rate of the task"
                for optimizer, colour, label in (adam, (name, OURS, name)):
                    seeds = runs[runs["optimizer"] == optimizer].groupby("seed")
                    for i, ((_, run), line) in enumerate(zip(seeds, itertools.cycle(SEED_LINES))):
                        losses = normalize(run["train"], initial, best)
                        text = f"{label}, {len(seeds)} seeds" if i == 0 else None
                        axes.plot(run["step"], losses, line, color=colour, linewidth=1.2, label=text)
                axes.set_xlim(0, horizon)
                axes.set_title(f"{horizon:,} steps", fontsize=8, loc="right")
                axes.tick_params(labelsize=8)
                axes.spines[["top", "right"]].set_visible(False)
            row[0].set_title(f"{task}:\n{why}", fontsize=8, loc="left")
        for axes in panels[:, 0]:
            axes.set_ylabel("normalized train loss", fontsize=8)
        for axes in panels[-1]:
            axes.set_xlabel("step", fontsize=8)
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8, frameon=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    report.folder_options(parser)
    parser.add_argument("suite", help="Suite file, or a name of `python -m learned suite --list`.")
    parser.add_argument("directories", nargs="+", type=Path, help="What `tools.one_run weights` and `rivals` wrote.")
    parser.add_argument("--split", default="valid", help="Tasks of the suite: train, valid or test.")
    parser.add_argument("--name", required=True, help="The optimizer that the pictures are about.")
    arguments = parser.parse_args()
    start_tensorflow(threads=1)
    suite = by_name.get_suite(arguments.suite)
    found, curves = measured(suite, arguments.split, arguments.directories)
    if arguments.name not in found.columns:
        sys.exit(f"error: no runs of {arguments.name!r} on tasks of split {arguments.split!r} in these folders")
    if len(others(found, arguments.name)) > len(OTHERS):
        sys.exit(
            f"error: at most {len(OTHERS)} optimizers beside {arguments.name!r}: there are no more colours; give fewer folders"
        )
    families = {entry.task: entry.family for entry in suite.tasks}
    out = report.folder(arguments) / "pictures"
    out.mkdir(parents=True, exist_ok=True)
    overview(found, arguments.name, families, out / f"one_run_{arguments.name}.png")
    learning_curves(found, curves, arguments.name, suite, out / f"one_run_{arguments.name}_curves.png")
    print(f"{out}: one_run_{arguments.name}.png, one_run_{arguments.name}_curves.png")


if __name__ == "__main__":
    with report.errors_of_one_line():
        main()
