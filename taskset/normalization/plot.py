"""Pictures of curves: `python -m taskset plot`, and the axis that all pictures of losses share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from taskset.errors import StoreError, unknown
from taskset.files import write_picture
from taskset.normalization import store
from taskset.normalization.normalizer import mean_curves
from taskset.samplers.optimizers import family_of, get_optimizer_config

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from numpy.typing import ArrayLike

_FORMATS = ("png", "pdf", "svg", "jpg", "jpeg", "webp")  # others of Matplotlib's need programs, or are no pictures
DECADES = 2  # a loss axis becomes logarithmic where the losses span more
# One hue from dark to light for learning rates in order, so that neighbours look alike; without the end that is hard to see on
# white. Other optimizers get colours that stand out from it, for colour-blind eyes too.
_RATES, _LIGHTEST = "viridis", 0.95
_OTHERS = ("#D55E00", "#CC79A7", "#E69F00", "#000000", "#999999")
_STYLES = ("-", "--", ":", "-.")  # of families with learning rates
_PROFILE = "#31688e"  # the middle of viridis' dark half


def limit_losses(axes: Axes, losses: ArrayLike, start: float) -> None:
    """Limit a loss axis to where runs learn: diverging ones would flatten all others.

    losses: all that are shown; start: the loss before training. Where the lowest loss is more than two decades below the start,
    the axis is logarithmic; with a linear part around zero where losses are negative.
    """
    finite = np.asarray(losses, np.float64)
    finite = finite[np.isfinite(finite)]
    lowest = finite.min(initial=np.inf)
    if not lowest < start < np.inf:
        return
    if lowest >= 0:  # a loss of exactly zero lies below every logarithmic axis
        lowest = finite[finite > 0].min(initial=start)
    if abs(lowest) * 10**DECADES >= start:
        axes.set(yscale="linear", ylim=(lowest - 0.05 * (start - lowest), start + 0.3 * (start - lowest)))
    elif lowest > 0:
        axes.set(yscale="log", ylim=(0.8 * lowest, 2 * start))
    else:
        axes.set_yscale("symlog", linthresh=-lowest)
        axes.set_ylim(1.2 * lowest, 2 * start)


def rate_colours() -> Colormap:
    """The colours of learning rates, from small (dark) to large: those of viridis that are easy to see on white."""
    import matplotlib
    from matplotlib.colors import ListedColormap

    return ListedColormap(matplotlib.colormaps[_RATES](np.linspace(0, _LIGHTEST, 256)))


def _rate(optimizer: str) -> float:
    """The learning rate of a fixed optimizer, such as "adam_lr_-2.50"."""
    return get_optimizer_config(optimizer)[0]["learning_rate"]


def _families(curves: pd.DataFrame) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """{family: optimizers}: those that differ in their learning rate alone, by rate; and the others, by name."""
    rates: dict[str, list[str]] = {}
    others: dict[str, list[str]] = {}
    for name in sorted(curves["optimizer"].astype(str).unique()):
        family = family_of(name) or name  # an optimizer of the user's own is a family by itself
        (rates if family.endswith("_lr") and family != name else others).setdefault(family, []).append(name)
    return {family: sorted(names, key=_rate) for family, names in rates.items()}, others


def _draw_curves(axes: Axes, curves: pd.DataFrame, title: str) -> None:
    """Train loss against steps: a colour for each learning rate, explained by a colour bar, and one for each other family."""
    import matplotlib
    from matplotlib.colors import LogNorm

    runs = {str(name): part.sort_values("step") for name, part in curves.groupby("optimizer", observed=True)}
    rates, others = _families(curves)
    for names, colour in zip(others.values(), cycle(_OTHERS)):
        for name in names:
            axes.plot(runs[name]["step"], runs[name]["train"], color=colour, linewidth=0.9, alpha=0.8)
    values = [value for names in rates.values() for value in map(_rate, names)]
    if values:
        colours = rate_colours()
        norm = LogNorm(min(values), max(*values, 1.01 * min(values)))  # a norm needs two ends
        for names, style in zip(rates.values(), cycle(_STYLES)):
            for name in names:
                axes.plot(runs[name]["step"], runs[name]["train"], style, color=colours(norm(_rate(name))), linewidth=1.2)
        axes.figure.colorbar(matplotlib.cm.ScalarMappable(norm, colours), ax=axes, label="learning rate", pad=0.02)
    axes.set(xlabel="step", ylabel="train loss", title=title)


def _draw_lowest(axes: Axes, curves: pd.DataFrame) -> None:
    """The lowest loss of each learning rate, and of each other family; with the legend of both panels."""
    lowest = curves.groupby("optimizer", observed=True)[["train", "test"]].min()
    lowest.index = lowest.index.astype(str)
    rates, others = _families(curves)
    for (family, names), style in zip(rates.items(), cycle(_STYLES)):
        for split, face in (("train", _PROFILE), ("test", "white")):
            at, losses = [_rate(name) for name in names], lowest.loc[names, split]
            axes.plot(at, losses, style, marker="o", markersize=4, lw=1, color=_PROFILE, mfc=face, label=f"{family}, {split}")
    for (family, names), colour in zip(others.items(), cycle(_OTHERS)):
        label = f"{family}, best of {len(names)}" if len(names) > 1 else names[0]
        axes.axhline(lowest.loc[names, "train"].min(), color=colour, linewidth=1.2, label=label)
    axes.axhline(_start(curves), color="grey", linewidth=0.8, linestyle=":", label="before training")
    axes.set(title="lowest loss of a run", ylabel="loss")
    if rates:
        axes.set(xscale="log", xlabel="learning rate")
    else:
        axes.set(xticks=[])
    axes.legend(fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)


def _start(curves: pd.DataFrame) -> float:
    return float(curves.loc[curves["step"] == 0, "train"].mean())


def plot_tasks(root: str | Path, tasks: Sequence[str], path: str | Path) -> None:
    """A picture with one row of two panels for each source and horizon of each task.

    The panels are the train loss against steps for each optimizer, and the lowest loss of each learning rate. Means over seeds; a
    diverged seed ends its optimizer's curve. The two share their loss axis (`limit_losses`).

    Raises `StoreError` (a file type that can't be drawn, a directory that can't be written to), `UnknownName` (no such task).
    """
    from matplotlib.backend_bases import FigureCanvasBase
    from matplotlib.figure import Figure

    formats = sorted(set(_FORMATS) & set(FigureCanvasBase.get_supported_filetypes()))
    if Path(path).suffix.lstrip(".").lower() not in formats:
        raise StoreError(f"can't draw {path}: allowed endings are {', '.join(f'.{name}' for name in formats)}")
    known = store.load_tasks(root)["task"].astype(str).tolist()
    for task in tasks:
        if task not in known:
            raise unknown(
                "task", task, known, f"Curves in {root} are of {', '.join(known[:5])}{' ..' if len(known) > 5 else ''}."
            )
    curves = store.load_curves(task=tasks, root=root)
    settings = dict(list(mean_curves(curves).groupby(["task", "source", "horizon"], observed=True)))
    order = sorted(settings, key=lambda setting: (tasks.index(setting[0]), *setting[1:]))
    figure = Figure(figsize=(14, 4 * len(order)), layout="constrained")  # not pyplot's, whose state is the caller's
    rows = figure.subplots(len(order), 2, sharey="row", squeeze=False, width_ratios=[1.25, 1])
    for axes, setting in zip(rows, order):
        part, (task, source) = settings[setting], map(str, setting[:2])
        _draw_curves(axes[0], part, task + ("" if source == "none" else f" ({source} data)"))
        _draw_lowest(axes[1], part)
        limit_losses(axes[0], part[["train", "test"]].to_numpy(), _start(part))
    write_picture(figure, path, dpi=120)
