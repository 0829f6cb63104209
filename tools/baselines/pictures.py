"""What the baselines look like: the four pictures of docs/baselines.md, drawn from the frames of `tools.baselines.page.prepare`.

All four show the same settings, so that a difference between two learning rates never comes from a difference between the
settings behind them: those that were swept with all of Adam's rates and have a normalizer (`shown`).
"""

import io

import matplotlib
import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from PIL import Image

from taskset.normalization.normalizer import HIGH
from taskset.normalization.plot import rate_colours
from taskset.samplers.optimizers import LOG10_LEARNING_RATES

DPI, PALETTE = 110, 64
SETTING = ["family", "task", "source", "horizon"]
SPLIT = "train"
WIDTH = 8.4  # inches: about that of a page, so that a letter of 8 points is one of 8 points there
MANY = 30  # from so many settings on, a family's lines would hide each other: bands of quantiles instead
FEW = 5  # below so many settings, a share says little: counts instead, without a colour
COLOURED = (-5, 0)  # log10 of the learning rates that have colours of their own: lower ones hardly learn, higher ones blow up
BANDS = ((0.05, 0.95, "#c6dbef"), (0.25, 0.75, "#6baed6"))  # lower and upper quantile, colour; the widest first


def keys(frame):
    """The setting of each row: [rows] tuples."""
    return list(zip(*(frame[name].tolist() for name in SETTING)))


def with_all_rates(frame):
    """The rows of settings that have every one of Adam's learning rates. frame: with the columns of SETTING and `rate`."""
    rates = frame.groupby(SETTING, observed=True)["rate"].transform("nunique")
    return frame[rates == len(LOG10_LEARNING_RATES)]


def shown(means, runs):
    """(means, runs) of the settings that the pictures show. means: of settings with a normalizer; runs: of all settings."""
    means = with_all_rates(means)
    ready = set(keys(means.drop_duplicates(SETTING)))
    return means, runs[[key in ready for key in keys(runs)]]


def counts(frame):
    """{family: number of settings}, in the order of names."""
    return frame.drop_duplicates(SETTING).groupby("family", observed=True).size().to_dict()


def panels(families, title, x):
    """A grid of axes, one a family: (figure, {family: axes}). x: the label of the horizontal axes."""
    columns = min(3, len(families))
    rows = -(-len(families) // columns)
    size = WIDTH, 1.75 * rows + 1
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    figure.suptitle(title, fontsize=10)
    figure.supylabel(f"normalized {SPLIT} loss (1: the start, 0: the best)", fontsize=9)
    for axes in grid.flat[len(families) :]:
        axes.set_axis_off()
    for axes in grid.flat[: len(families)]:
        axes.tick_params(labelsize=8)
        axes.set_ylim(-0.1, HIGH + 0.1)
    for axes in grid.flat[max(0, len(families) - columns) : len(families)]:
        axes.tick_params(labelbottom=True)  # matplotlib labels the last row only, which may have gaps
        axes.set_xlabel(x, fontsize=8)
    return figure, dict(zip(families, grid.flat))


def save(figure, path, dpi=DPI, colours=PALETTE):
    """Write a PNG of so many colours, which has a third of the bytes of one with all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = io.BytesIO()
    figure.savefig(image, dpi=dpi)
    Image.open(image).convert("RGB").quantize(colours).save(path, optimize=True)


def profiles(means, path):
    """The loss at the end of each learning rate: the median over settings, and every setting, or bands where there are many."""
    last, number = means[means["step"] == means["horizon"]], counts(means)
    title = f"Adam's learning rate and the normalized {SPLIT} loss at the end"
    figure, axes_of = panels(list(number), title, "log10 of the learning rate")
    for family, axes in axes_of.items():
        part = last[last["family"] == family]
        if number[family] < MANY:
            for _, unsorted in part.groupby(SETTING, observed=True):
                one = unsorted.sort_values("rate")
                axes.plot(one["rate"], one["normalized"], color="tab:blue", linewidth=0.7, alpha=0.35)
        else:
            bands(axes, part)
        median = part.groupby("rate")["normalized"].median()
        axes.plot(median.index, median, color="black", linewidth=1.6)
        axes.axhline(1, color="grey", linewidth=0.8, linestyle=":")
        axes.set_title(f"{family} ({number[family]:,})", fontsize=8)
    handles = [Line2D([], [], color="black", linewidth=1.6), Line2D([], [], color="tab:blue", linewidth=0.9, alpha=0.6)]
    handles += [Patch(color=colour) for *_, colour in reversed(BANDS)]
    names = ["median", "a setting"] + [f"{high - low:.0%} of the settings" for low, high, _ in reversed(BANDS)]
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), fontsize=8, frameon=False)
    save(figure, path)


def bands(axes, part):
    """Fill between quantiles over settings."""
    groups = part.groupby("rate")["normalized"]
    for low, high, colour in BANDS:
        lower, upper = groups.quantile(low), groups.quantile(high)
        axes.fill_between(lower.index, lower, upper, color=colour, linewidth=0)


def by_rate(series, families):
    """A Series indexed by (family, rate) as an array [families, rates]; 0 where there is nothing."""
    return series.unstack("rate").reindex(index=families, columns=LOG10_LEARNING_RATES).fillna(0).to_numpy(float)


def best_counts(means):
    """(hits, total), arrays [families, rates]: of how many settings a rate is the best, and of how many there are."""
    number = counts(means)
    best = means.drop_duplicates(SETTING).groupby(["family", "best_rate"], observed=True).size()
    hits = by_rate(best.rename_axis(["family", "rate"]), list(number))
    return hits, np.repeat(np.array(list(number.values()))[:, None], hits.shape[1], axis=1)


def best_rates(means, path):
    """Of which share of settings each learning rate is the best."""
    title = f"The best of Adam's 17 learning rates ({SPLIT} loss), in per cent of the settings"
    shares(*best_counts(means), counts(means), title, "per cent of the settings", path)


def diverged_counts(runs):
    """(hits, total), arrays [families, rates]: how many runs met a loss that is not finite, and how many there are."""
    groups = runs.groupby(["family", "rate"], observed=True)["diverged"]
    return tuple(by_rate(each, list(counts(runs))) for each in (groups.sum(), groups.size()))


def diverged(runs, path):
    """The share of runs that met a loss that is not finite."""
    title = "Runs that met a loss that is not finite, in per cent of the runs"
    shares(*diverged_counts(runs), counts(runs), title, "per cent of the runs", path)


def shares(hits, total, number, title, bar, path):
    """A picture of shares, family by learning rate. hits, total: [families, rates]; number: {family: settings}."""
    families = list(number)
    few = np.array([number[family] < FEW for family in families])
    per_cent = 100 * hits / np.maximum(total, 1)
    figure = Figure(figsize=(WIDTH, 0.29 * len(families) + 1.5), layout="constrained")
    axes = figure.subplots()
    colours = np.ma.masked_array(per_cent, mask=np.repeat(few[:, None], per_cent.shape[1], axis=1))
    image = axes.imshow(colours, aspect="auto", cmap="Blues", vmin=0, vmax=100)
    axes.set_facecolor("0.9")
    for (row, column), value in np.ndenumerate(per_cent):
        if value:
            text = f"{hits[row, column]:.0f}/{total[row, column]:.0f}" if few[row] else "<1" if value < 0.5 else f"{value:.0f}"
            dark = value > 55 and not few[row]
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if dark else "black")
    axes.set_xticks(range(len(LOG10_LEARNING_RATES)), [f"{rate:g}" for rate in LOG10_LEARNING_RATES], fontsize=8)
    axes.set_yticks(range(len(families)), [f"{family} ({number[family]:,})" for family in families], fontsize=8)
    axes.set_yticks(np.arange(len(families) + 1) - 0.5, minor=True)
    axes.grid(which="minor", axis="y", color="white", linewidth=2)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("log10 of the learning rate", fontsize=9)
    axes.set_title(title, fontsize=10)
    side = figure.colorbar(image, pad=0.01, aspect=40)
    side.set_label(bar, fontsize=8)
    side.ax.tick_params(labelsize=8)
    save(figure, path)


def medians(part):
    """The median over settings of one family's curves: a frame, rows: share of the horizon, columns: rate.

    A point that some of the settings lack (horizons with other evaluations) is left out: a median over a set that changes from
    point to point jumps where no curve does.
    """
    number = len(part.drop_duplicates(SETTING))
    groups = part.assign(share=(part["step"] / part["horizon"]).round(4)).groupby(["share", "rate"])["normalized"]
    return groups.median()[groups.size() == number].unstack("rate")


def curves(means, path):
    """The median over settings of the normalized curve of each learning rate, by the share of the horizon; the best is black."""
    number = counts(means)
    figure, axes_of = panels(list(number), f"Normalized {SPLIT} loss on the way, median over settings", "share of the horizon")
    scale = Normalize(*COLOURED, clip=True)
    for family, axes in axes_of.items():
        part = medians(means[means["family"] == family])
        best = part.iloc[-1].idxmin()
        for rate, one in part.drop(columns=best).items():
            axes.plot(one.index, one, color=rate_colours()(scale(rate)), linewidth=1)
        axes.plot(part.index, part[best], color="black", linewidth=1.8)
        axes.set_title(f"{family} ({number[family]:,}): 10^{best:g}", fontsize=8)
    mappable = matplotlib.cm.ScalarMappable(scale, rate_colours())
    options = {"location": "bottom", "shrink": 0.6, "aspect": 50, "pad": 0.01, "extend": "both"}
    side = figure.colorbar(mappable, ax=list(axes_of.values()), **options)
    side.set_label(
        "log10 of the learning rate; black, and beside the family: the rate with the lowest median at the end", fontsize=9
    )
    side.ax.tick_params(labelsize=8)
    save(figure, path)
