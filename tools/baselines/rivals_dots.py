"""The pictures of docs/rivals.md: what each rival reaches on each task."""

import textwrap

import numpy as np

from taskset.errors import counted
from tools.experiments import page

WIDTH, TASK, HEAD = 8.4, 0.26, 1.0  # inches: of the picture, of the row of a task, of all else
LONG = 28  # letters of a task's name in one line
LINEAR = 0.1  # the axis of losses is linear so far beside 0, and logarithmic beyond
BETTER, WORSE = "#0072B2", "#D55E00"  # than 0; colour-blind eyes tell them apart
MARKS = {"train": {"marker": "o", "ms": 3.5}, "test": {"marker": "s", "ms": 6, "mfc": "none", "mew": 0.8}}
MEANS = "mean over tasks"
CAPTION = f"""Normalized losses: a row for each task, a column for each rival, the lowest mean train loss first. Dots: train loss;
squares: test loss; blue: below 0, the lowest loss of Adam's rates; orange: 0 or above. The axis is linear from -{LINEAR} to
{LINEAR} and logarithmic beyond."""


def in_order(rows):
    """The rows that have train and test losses of all tasks, the lowest mean train loss first."""
    most = max(len(row.values["train"]) for row in rows)
    whole = [row for row in rows if all(len(row.values[split]) == most for split in MARKS)]
    return sorted(whole, key=lambda row: mean(row, "train"))


def mean(row, split):
    """Of the losses over tasks."""
    return float(np.mean(list(row.values[split].values())))


def in_two_lines(name):
    """A long name, broken after the underscore that is nearest to its middle."""
    if len(name) <= LONG or "_" not in name:
        return name
    at = min((i for i, letter in enumerate(name) if letter == "_"), key=lambda i: abs(i - len(name) / 2)) + 1
    return f"{name[:at]}\n{name[at:]}"


def draw(standing, path):
    """A panel for each row of a `Standing`, with the same rows and the same axis of losses."""
    rows, tasks = in_order(standing.rows), sorted(standing.tasks, reverse=True)
    size = WIDTH, TASK * len(tasks) + HEAD
    with page.figure(path, size=size, columns=len(rows), dpi=120, squeeze=False, sharex=True, sharey=True) as (figure, panels):
        for axes, row in zip(panels[0], rows):
            for split, mark in MARKS.items():
                losses = [mean(row, split), *(row.values[split][task] for task in tasks)]
                for place, loss in enumerate(losses):
                    axes.plot([loss], [place], color=BETTER if loss < 0 else WORSE, linestyle="", clip_on=False, **mark)
            title = "\n".join(textwrap.wrap(row.title, 13, break_on_hyphens=False, break_long_words=False))
            axes.set_title(f"{title}\n{counted(row.trials, 'trial')}", fontsize=6)
            _axis(axes)
        panels[0, 0].set_yticks(range(len(tasks) + 1), [MEANS, *map(in_two_lines, tasks)], linespacing=1.2, fontsize=6)
        figure.supxlabel(f"normalized loss after {standing.horizon:,} steps, {standing.source} data", fontsize=8)


def _axis(axes):
    """Losses, the same in all panels; the means apart from the tasks."""
    axes.set_xscale("symlog", linthresh=LINEAR)
    axes.set_xlim(-2, 2)
    axes.set_xticks([-1, -LINEAR, 0, LINEAR, 1], ["-1", "", "0", "", "1"])
    axes.tick_params(axis="x", labelsize=7, length=2)
    axes.tick_params(axis="y", length=0, pad=7)
    axes.grid(axis="y", color="0.92", linewidth=0.8)
    axes.axvline(0, color="0.6", linewidth=0.8, zorder=0)
    axes.axhline(0.5, color="black", linewidth=0.6)
    axes.spines[["top", "right", "left"]].set_visible(False)
