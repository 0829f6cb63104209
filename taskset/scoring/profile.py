"""The performance profile of a score: for each optimizer, the share of tasks with a normalized loss of at most tau."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from taskset.normalization import store
from taskset.scoring.rows import Row
from taskset.scoring.standing import Standing
from taskset.scoring.standing_table import SPLITS

LINEAR = 0.01  # the axis of tau is linear between -LINEAR and LINEAR, logarithmic beyond
# Okabe and Ito's colours, which colour-blind eyes tell apart; each further round of them has another kind of line.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#666666")
LINES = ("-", "--", ":")


def shares(losses: np.ndarray, taus: np.ndarray) -> np.ndarray:
    """[taus]: the share of `losses` [tasks] that are at most tau."""
    return np.searchsorted(np.sort(losses), taus, side="right") / len(losses)


def draw(standing: Standing, directory: str | Path, name: str = "profile") -> None:
    """Write `name`.pdf and `name`.png: a panel for train and one for test loss; the candidate's lines are thick."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    splits = [split for split in SPLITS if all(row.values.get(split) for row in standing.rows)]
    figure, panels = plt.subplots(1, len(splits), figsize=(5.2 * len(splits), 3.6), layout="constrained", squeeze=False)
    for axes, split in zip(panels[0], splits):
        most = max(len(row.values[split]) for row in standing.rows)  # fewer than the tasks where some have no test normalizer
        rows = [row for row in standing.rows if len(row.values[split]) == most]
        _panel(axes, rows, split)
    panels[0][0].set_ylabel("share of tasks")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize=8, frameon=False)
    store.make_directory(Path(directory))
    for kind in ("pdf", "png"):
        # Without a date the same results give the same file.
        figure.savefig(Path(directory) / f"{name}.{kind}", dpi=150, metadata={"CreationDate": None} if kind == "pdf" else None)
    plt.close(figure)


def _panel(axes, rows: list[Row], split: str) -> None:
    ends = np.concatenate([list(row.values[split].values()) for row in rows])
    low, high = min(-LINEAR, float(ends.min())), max(1.0, float(ends.max()))
    for i, row in enumerate(rows):
        losses = np.sort(list(row.values[split].values()))
        taus = np.concatenate([[low], losses, [high]])
        label = f"{row.title}, {row.trials} trial{'s' if row.trials > 1 else ''}"
        style = {"color": "black" if row.own else COLOURS[i % len(COLOURS)], "linewidth": 2.4 if row.own else 1.2}
        line = LINES[sum(other.own for other in rows[:i]) if row.own else i // len(COLOURS) % len(LINES)]
        axes.step(taus, shares(losses, taus), where="post", label=label, linestyle=line, **style)
    axes.set_xscale("symlog", linthresh=LINEAR)
    axes.set(xlabel=f"normalized {SPLITS[split]}, at most", xlim=(low, high), ylim=(0, 1.02))
    axes.spines[["top", "right"]].set_visible(False)
    axes.axvline(0, color="0.8", linewidth=0.8, zorder=0)
