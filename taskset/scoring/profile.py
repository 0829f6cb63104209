"""The performance profile of a score: for each optimizer, the share of tasks with a normalized loss of at most tau."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from taskset import catalogue
from taskset.errors import counted
from taskset.files import write_picture
from taskset.scoring import run_scores
from taskset.scoring.rivals import ADAM_ONE, ADAM_TUNED
from taskset.scoring.rows import Row
from taskset.scoring.standing import Standing
from taskset.scoring.standing_table import SHOWN

MARGIN = 1.2  # of the largest losses to the ends of the axis, so that the last step of a line is seen
LINEAR, LEAST = 1e-2, 1e-6  # the axis of tau is linear around 0, as far as LINEAR at most and LEAST at least, logarithmic beyond
SMALLEST = 0.1  # share of the losses that may lie where it is linear
# Okabe and Ito's colours, which colour-blind eyes tell apart; each further round of them has another kind of line.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
LINES = ("-", "--", ":")
OTHERS = "0.75"  # the grey of lines that are not in colour
COLOURED = 4  # lines in colour: more of them can't be followed
WIDTH = 8.4  # inches: about that of a page of the documentation
# The candidate's lines lie below those in colour and are wider, so that both are seen where they are the same.
OWN_LINE, COLOURED_LINE = 3.4, 1.5
LABELS = 3  # numbers at most on each side of 0: more of them overlap


def shares(losses: np.ndarray, taus: np.ndarray) -> np.ndarray:
    """[taus]: the share of `losses` [tasks] that are at most tau."""
    return np.searchsorted(np.sort(losses), taus, side="right") / len(losses)


def highlighted(rows: Sequence[Row]) -> list[Row]:
    """The rows, none of them the candidate's own, that are drawn in colour, in their order.

    These are Adam's; and of the others those with the lowest mean train loss (where there is none: test loss), until there are
    COLOURED.
    """
    rivals = [row for row in rows if not row.own]
    chosen = [row for row in rivals if row.key in (ADAM_ONE, ADAM_TUNED)]
    rest = sorted((row for row in rivals if row not in chosen), key=_mean)
    chosen += rest[: COLOURED - len(chosen)]
    return [row for row in rivals if row in chosen]


def _mean(row: Row) -> float:
    return float(np.mean(list((row.values.get("train") or row.values["test"]).values())))


def _whole(rows, split):
    """The rows with the losses of as many tasks as any has: fewer than the tasks where some have no test normalizer."""
    most = max(len(row.values.get(split, {})) for row in rows)
    return [row for row in rows if len(row.values.get(split, {})) == most]


def draw(standing: Standing, directory: str | Path) -> None:
    """Write profile.pdf and profile.png: a panel for train and one for test loss, or one alone where no task has data.

    Both panels have the same axes. The candidate's lines are thick and black, those of `highlighted` rows coloured, the others
    grey.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    splits = [split for split in SHOWN if any(row.own and row.values.get(split) for row in standing.rows)]
    one_loss = len(splits) > 1 and _alike(standing.rows)
    splits = splits[:1] if one_loss else splits
    size = WIDTH if len(splits) > 1 else 0.7 * WIDTH, 4.4
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(splits), squeeze=False, sharex=True, sharey=True)
    whole = {split: _whole(standing.rows, split) for split in splits}
    coloured = highlighted(whole[splits[0]])
    ends = np.concatenate([list(row.values[split].values()) for split in splits for row in whole[split]])
    for axes, split in zip(panels[0], splits):
        _panel(axes, whole[split], split, coloured, ends)
        loss = "loss" if one_loss else run_scores.LOSSES[split]
        axes.set_xlabel(f"x: normalized {loss} (0: the lowest of Adam)")
    figure.suptitle(_title(standing, one_loss), fontsize=10)
    panels[0][0].set_ylabel("share of tasks with a loss of at most x")
    handles, labels = panels[0][0].get_legend_handles_labels()
    if grey := [_label(row) for row in whole[splits[0]] if not row.own and row not in coloured]:
        handles.append(Line2D([], [], color=OTHERS, linewidth=1))
        labels.append(textwrap.fill("in grey: " + "; ".join(grey), 64, break_on_hyphens=False))
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    for kind in ("pdf", "png"):
        # Without a date the same results give the same file.
        metadata = {"CreationDate": None} if kind == "pdf" else None
        write_picture(figure, Path(directory) / f"profile.{kind}", dpi=150, metadata=metadata)


def _alike(rows: Sequence[Row]) -> bool:
    """Whether test losses are train losses but for noise: a task without data has no split to differ by."""
    return all(_without_data(task) for task in {task for row in rows for task in row.values.get("test", {})})


def _without_data(task: str) -> bool:
    """Whether a task is known to have no data."""
    family, config = catalogue.resolve(task)
    return catalogue.family(family).facts is not None and catalogue.facts(family, config).data is None


def _linear(losses: np.ndarray) -> float:
    """The end of the axis' linear part: the power of ten below all but the SMALLEST share of the losses that are not 0."""
    sizes = np.abs(losses[losses != 0])
    if not len(sizes):
        return LINEAR
    return float(np.clip(10.0 ** np.floor(np.log10(np.quantile(sizes, SMALLEST))), LEAST, LINEAR))


def _ticks(linear: float, low: float, high: float) -> list[float]:
    """0, and powers of ten on both sides of it, of which some are left out where they are many."""
    first, last = round(np.log10(linear)), int(np.floor(np.log10(max(-low, high))))
    powers = 10.0 ** np.arange(last, first - 1, -max(1, -(-(last - first + 1) // LABELS)))
    return [*(-power for power in powers if -power >= low), 0.0, *(power for power in powers[::-1] if power <= high)]


def _label(row: Row) -> str:
    return f"{row.title}, {counted(row.trials, 'trial')}"


def _title(standing: Standing, without_data: bool) -> str:
    """What was run: suite, tasks, steps, data, and which loss of a curve is compared."""
    data = "" if without_data or not standing.source else f", {standing.source} data"
    tasks, view = counted(len(standing.tasks), "task"), run_scores.IN_WORDS[standing.view]
    return f"{standing.suite}: {tasks}, {standing.horizon:,} steps{data}; losses {view}"


def _panel(axes, rows: list[Row], split: str, coloured: list[Row], ends: np.ndarray) -> None:
    """The lines of one split. ends: the losses of all panels, which the axis of x is for."""
    linear = _linear(ends)
    low, high = min(-linear, MARGIN * float(ends.min())), max(1.0, MARGIN * float(ends.max()))
    own = [row for row in rows if row.own]
    # grey ones below, those in colour above
    for row in sorted(rows, key=lambda row: 2 if row in coloured else int(row.own)):
        losses = np.sort(list(row.values[split].values()))
        taus = np.concatenate([[low], losses, [high]])
        style = {"color": OTHERS, "linewidth": 1.0, "linestyle": "-", "label": None}
        if row.own:
            line = LINES[own.index(row) % len(LINES)]
            style = {"color": "black", "linewidth": OWN_LINE, "linestyle": line, "label": _label(row)}
        elif row in coloured:
            i = coloured.index(row)
            line = LINES[i // len(COLOURS) % len(LINES)]
            style = {"color": COLOURS[i % len(COLOURS)], "linewidth": COLOURED_LINE, "linestyle": line, "label": _label(row)}
        axes.step(taus, shares(losses, taus), where="post", **style)
    axes.set_xscale("symlog", linthresh=linear)
    axes.set(xlim=(low, high), ylim=(0, 1.02))
    axes.set_xticks(_ticks(linear, low, high))
    axes.spines[["top", "right"]].set_visible(False)
    axes.axvline(0, color="0.8", linewidth=0.8, zorder=0)
