"""The baselines that ship in tables and pictures: `python -m tools.pictures --out DIR`, or --publish for those of docs/."""

import argparse
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import taskset
from benchmarks import report
from taskset import changes
from taskset.datasets.base import SPLITS
from taskset.errors import StoreError
from taskset.normalization.normalizer import HIGH, LOW, mean_curves
from taskset.normalization.plot import rate_colours
from taskset.normalization.store import load_curves, load_normalizers, load_sweeps
from taskset.samplers.optimizers import LOG10_LEARNING_RATES
from tools import baselines_tables

ADAM = [f"adam_lr_{rate:.2f}" for rate in LOG10_LEARNING_RATES]
RATE = dict(zip(ADAM, LOG10_LEARNING_RATES))
SETTING = ["family", "task", "source", "horizon"]
SPLIT = "train"


def prepare(root):
    """(mean curves over seeds with columns `normalized`, `rate`, `best_rate`; runs with `diverged` and `rate`) of Adam's rates.

    Settings (task, source, horizon) without a normalizer are left out of the curves, not of the runs. Read family by family: all
    curves at once take gigabytes.
    """
    normalizers = load_normalizers(root)
    normalizers = normalizers[normalizers["normalizable"] & (normalizers["split"] == SPLIT)]
    normalizers = normalizers.assign(best_rate=normalizers["best_optimizer"].map(RATE))
    swept = [row for row in load_sweeps(root).itertuples() if set(ADAM) & set(row.optimizers)]
    families = sorted({r.family for r in swept if not changes.outdated(r.task, r.source, r.taskset_version)})
    if not families:
        raise StoreError("no task has curves of Adam's learning rates: pass --root")
    parts = [_of_family(root, family, normalizers) for family in families]
    means, runs = (pd.concat(frames, ignore_index=True) for frames in zip(*parts))
    kinds = dict.fromkeys(("family", "task", "source"), "category")
    return means.astype(kinds), runs.astype(kinds)


def _of_family(root, family, normalizers):
    """As `prepare`, of one family."""
    columns = [*SETTING, "optimizer", "seed", "step", *SPLITS, "diverged"]
    curves = load_curves(family=family, optimizer=ADAM, root=root, columns=columns)
    runs = curves.groupby([*SETTING, "optimizer", "seed"], observed=True)["diverged"].max().reset_index()
    runs["rate"] = runs.pop("optimizer").astype(str).map(RATE)
    scales = normalizers[normalizers["family"] == family]
    means = mean_curves(curves).astype({"task": str, "optimizer": str})
    means = means.merge(scales[[*SETTING, "initial", "best", "best_rate"]], on=SETTING)
    scaled = (means[SPLIT] - means["best"]) / (means["initial"] - means["best"])
    means["normalized"] = scaled.fillna(HIGH).clip(LOW, HIGH)
    means["rate"] = means["optimizer"].map(RATE)
    return means[[*SETTING, "step", "rate", "normalized", "best_rate"]], runs.astype({"task": str})


def counts(frame):
    """{family: number of settings}, in the order of names."""
    return frame.drop_duplicates(SETTING).groupby("family", observed=True).size().to_dict()


def panels(families, title):
    """A grid of axes, one a family: (figure, {family: axes})."""
    columns = min(4, len(families))
    rows = -(-len(families) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(3.4 * columns, 2.5 * rows + 0.5), squeeze=False, sharex=True, sharey=True, layout="constrained"
    )
    figure.suptitle(title, fontsize=11)
    for axes in grid.flat[len(families) :]:
        axes.set_axis_off()
    for axes in grid.flat[max(0, len(families) - columns) : len(families)]:
        axes.tick_params(labelbottom=True)  # matplotlib labels the last row only, which may have gaps
    return figure, dict(zip(families, grid.flat))


def profiles(means, path):
    """The loss at the end of each learning rate: every setting thin, the median over settings bold."""
    last = means[means["step"] == means["horizon"]]
    number = counts(means)
    figure, axes_of = panels(list(number), f"Adam's learning rate: normalized {SPLIT} loss at the end")
    for family, axes in axes_of.items():
        part = last[last["family"] == family]
        for _, unsorted in part.groupby(SETTING, observed=True):
            one = unsorted.sort_values("rate")
            axes.plot(one["rate"], one["normalized"], color="tab:blue", linewidth=0.7, alpha=max(0.15, 1 / number[family] ** 0.6))
        median = part.groupby("rate")["normalized"].median()
        axes.plot(median.index, median, color="black", linewidth=1.8)
        axes.axhline(1, color="grey", linewidth=0.8, linestyle=":")
        axes.set_title(f"{family} ({number[family]})", fontsize=8)
        axes.set_ylim(-0.1, HIGH + 0.1)
    label(figure, "log10 of the learning rate", "normalized loss")
    save(figure, path)


def label(figure, x, y):
    figure.supxlabel(x, fontsize=9)
    figure.supylabel(y, fontsize=9)


def save(figure, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def shares(table, number, title, bar, path):
    """A picture of shares, family by learning rate. table: [families, rates], NaN where there is nothing."""
    families = list(number)
    figure, axes = plt.subplots(figsize=(9, 0.32 * len(families) + 1.8), layout="constrained")
    image = axes.imshow(np.ma.masked_invalid(table), aspect="auto", cmap="viridis", vmin=0, vmax=max(np.nanmax(table), 0.05))
    for (row, column), share in np.ndenumerate(table):
        if np.isfinite(share) and share > 0:
            bright = share > 0.6 * np.nanmax(table)
            axes.text(
                column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7, color="black" if bright else "white"
            )
    axes.set_xticks(range(len(ADAM)), [f"{rate:g}" for rate in LOG10_LEARNING_RATES], fontsize=8)
    axes.set_yticks(range(len(families)), [f"{family} ({number[family]})" for family in families], fontsize=8)
    axes.set_xlabel("log10 of the learning rate", fontsize=9)
    axes.set_title(title, fontsize=10)
    axes.set_facecolor("lightgrey")
    figure.colorbar(image, label=bar)
    save(figure, path)


def by_rate(series, families):
    """A Series indexed by (family, rate) as an array [families, rates]."""
    return series.unstack("rate").reindex(index=families, columns=LOG10_LEARNING_RATES).to_numpy(float)


def best_rates(means, path):
    """Of which share of settings each learning rate is the best."""
    settings, number = means.drop_duplicates(SETTING), counts(means)
    best = settings.assign(rate=settings["best_rate"]).groupby(["family", "rate"], observed=True).size()
    share = best / best.groupby("family", observed=True).transform("sum")
    swept = by_rate(means.groupby(["family", "rate"], observed=True).size(), list(number))
    table = np.where(np.isfinite(swept), np.nan_to_num(by_rate(share, list(number))), np.nan)
    shares(table, number, f"Best of Adam's learning rates ({SPLIT} loss)", "share of tasks", path)


def diverged(runs, path):
    """The share of runs that met a loss that is not finite."""
    number = counts(runs)
    table = by_rate(runs.groupby(["family", "rate"], observed=True)["diverged"].mean(), list(number))
    shares(table, number, "Runs with a loss that is not finite", "share of runs", path)


def curves(means, path):
    """The median over settings of the normalized curve of each learning rate, over the share of the horizon."""
    number = counts(means)
    figure, axes_of = panels(list(number), f"Normalized {SPLIT} loss, median over tasks")
    means = means.assign(share=(means["step"] / means["horizon"]).round(4))
    colours = rate_colours()(np.linspace(0, 1, len(ADAM)))
    for family, axes in axes_of.items():
        medians = means[means["family"] == family].groupby(["rate", "share"])["normalized"].median()
        for rate, indexed in medians.groupby("rate"):
            one = indexed.droplevel("rate")
            axes.plot(one.index, one, color=colours[int(np.argmin(abs(LOG10_LEARNING_RATES - rate)))], linewidth=1.1)
        axes.set_title(f"{family} ({number[family]})", fontsize=8)
        axes.set_ylim(-0.1, HIGH + 0.1)
    label(figure, "share of the horizon", "normalized loss")
    scale = plt.Normalize(LOG10_LEARNING_RATES[0], LOG10_LEARNING_RATES[-1])
    mappable = matplotlib.cm.ScalarMappable(scale, rate_colours())
    figure.colorbar(mappable, ax=list(axes_of.values()), label="log10 of the learning rate", shrink=0.4, aspect=30)
    save(figure, path)


def text(means, runs, tables):
    """docs/baselines.md."""
    settings, ready = len(runs.drop_duplicates(SETTING)), len(means.drop_duplicates(SETTING))
    return f"""# The baselines at a glance

Adam with its 17 fixed learning rates on the tasks whose curves come with the package ({settings} settings: a task with a source
and a horizon; {ready} of them with a normalizer; {len(runs):,} runs). A normalized loss is 1 at the start and 0 at the best that
any of the learning rates reached; 2 is as bad as it gets, and stands for diverged runs. The number beside a family is that of its
settings; some were swept with fewer learning rates. What the curves are, and how they may be read wrongly:
`data/README.md` in the repository. [In a browser](report.html) every curve of every task can be looked at.

{tables}
## In pictures

![learning-rate profiles](pictures/learning_rates.png)

Each thin line is a setting, the thick one their median: how well each learning rate has done by the end of the horizon.

![best learning rates](pictures/best_learning_rates.png)

In per cent of a family's settings, which learning rate reached the lowest {SPLIT} loss at any evaluation. Grey: not swept.

![diverged runs](pictures/diverged.png)

In per cent of the runs of a family at a learning rate, those that met a loss that is not finite. A run may end far above its
start without ever doing so.

![normalized curves](pictures/normalized_curves.png)

The way there: medians over settings, a line for each learning rate.

Made by `python -m tools.pictures`. {report.conditions("taskset", "matplotlib", "pandas")}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, help="Baselines to read; by default those of the package.")
    report.folder_options(parser)
    given = parser.parse_args()
    folder = report.folder(given)
    try:
        means, runs = prepare(given.root)
    except StoreError as error:
        sys.exit(f"error: {error}")
    pictures = folder / "pictures"
    profiles(means, pictures / "learning_rates.png")
    best_rates(means, pictures / "best_learning_rates.png")
    diverged(runs, pictures / "diverged.png")
    curves(means, pictures / "normalized_curves.png")
    (folder / "baselines.md").write_text(
        text(means, runs, baselines_tables.text(baselines_tables.collect(means, runs))), encoding="utf-8"
    )
    print(f"written: {folder / 'baselines.md'} and 4 pictures, taskset {taskset.__version__}")


if __name__ == "__main__":
    main()
