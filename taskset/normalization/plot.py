"""Pictures of curves: `python -m taskset plot`, and the axis that all pictures of losses share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
_OTHERS = ("#D55E00", "#CC79A7", "#E69F00", "#8C5A2B", "#999999")  # none of them black, which is that of the best rates
_STYLES = ("-", "--", ":", "-.")  # of families with learning rates
_PROFILE = "#31688e"  # the middle of viridis' dark half
# One mark inside the other, as the losses of both splits are often nearly the same.
_MARKS: dict[str, dict[str, Any]] = {"train": {"marker": "o", "ms": 4}, "test": {"marker": "s", "ms": 8, "mfc": "none"}}
AROUND = 2  # decades beside the best learning rate that have colours of their own


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
    between = finite[(finite > 0) & (finite < start)]
    if lowest == 0 and between.size:  # a loss of exactly zero lies below every logarithmic axis
        lowest = between.min()
    if lowest == 0 or abs(lowest) * 10**DECADES >= start:
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


def _best(curves: pd.DataFrame, names: Sequence[str]) -> str:
    """Of some optimizers, the one with the lowest train loss at any step, and of several the one that has it first."""
    part = curves[curves["optimizer"].isin(names)]
    return str(part.sort_values(["train", "step"], kind="stable")["optimizer"].iloc[0])


def _coloured(best: Sequence[float], rates: Sequence[float]) -> tuple[float, float]:
    """The learning rates between which each has a colour of its own: those within AROUND decades of the best ones."""
    low, high = max(min(rates), min(best) / 10**AROUND), min(max(rates), max(best) * 10**AROUND)
    return low, max(high, 1.01 * low)  # a scale of colours needs two ends


def _draw_curves(axes: Axes, curves: pd.DataFrame, title: str) -> None:
    """Train loss against steps: a colour for each learning rate, black for the best, explained by a colour bar; and one for each
    other family."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm

    runs = {str(name): part.sort_values("step") for name, part in curves.groupby("optimizer", observed=True)}
    rates, others = _families(curves)
    for names, colour in zip(others.values(), cycle(_OTHERS)):
        for name in names:
            axes.plot(runs[name]["step"], runs[name]["train"], color=colour, linewidth=0.9, alpha=0.8)
    values = [value for names in rates.values() for value in map(_rate, names)]
    if values:
        colours, best = rate_colours(), [_best(curves, names) for names in rates.values()]
        low, high = _coloured([_rate(name) for name in best], values)
        norm = LogNorm(low, high, clip=True)
        for names, style in zip(rates.values(), cycle(_STYLES)):
            for name in sorted(names, key=best.__contains__):  # the best above the others
                shade, width = ("black", 2.0) if name in best else (colours(norm(_rate(name))), 1.2)
                axes.plot(runs[name]["step"], runs[name]["train"], style, color=shade, linewidth=width)
        beyond = {(True, True): "both", (True, False): "min", (False, True): "max", (False, False): "neither"}
        extend = beyond[min(values) < low, max(values) > high]
        axes.figure.colorbar(ScalarMappable(norm, colours), ax=axes, label="learning rate", pad=0.02, extend=extend)
    axes.set(xlabel="step", ylabel="train loss", title=title)


def _draw_lowest(axes: Axes, curves: pd.DataFrame, splits: Sequence[str]) -> None:
    """The lowest loss of each learning rate, and of each other family; with the legend of both panels.

    Losses of zero, which a logarithmic axis has no place for, are marked at its lower end.
    """
    lowest = curves.groupby("optimizer", observed=True)[["train", "test"]].min()
    lowest.index = lowest.index.astype(str)
    end = axes.get_ylim()[0] if axes.get_yscale() == "log" else -np.inf
    rates, others = _families(curves)
    below: list[float] = []
    for (family, names), style in zip(rates.items(), cycle(_STYLES)):
        at = np.array([_rate(name) for name in names])
        for split in splits:
            losses = lowest.loc[names, split].to_numpy()
            below += at[losses <= end].tolist()
            label = f"{family}, {split}" if len(splits) > 1 else family
            axes.plot(at, np.maximum(losses, end), style, lw=1, color=_PROFILE, label=label, **_MARKS[split])
        best = _best(curves, names)
        loss = max(float(lowest["train"][best]), end)
        label = f"{family}, best rate: {_rate(best):.2g}"
        axes.plot([_rate(best)], [loss], style, marker="*", ms=13, color="black", clip_on=False, zorder=4, label=label)
    for (family, names), colour in zip(others.items(), cycle(_OTHERS)):
        label = f"{family}, best of {len(names)}" if len(names) > 1 else names[0]
        loss = max(lowest.loc[names, "train"].min(), end)
        axes.axhline(loss, color=colour, linewidth=1.2, label=label, clip_on=loss > end)
    axes.axhline(_start(curves), color="grey", linewidth=0.8, linestyle=":", label="before training")
    if below:
        ends = [end] * len(below)
        axes.plot(below, ends, "v", color=_PROFILE, markersize=7, clip_on=False, zorder=3, label="loss of 0")
    axes.set(title="lowest loss of a run", ylabel="loss")
    axes.tick_params(labelleft=True)  # the panels share their axis, but are read one by one
    if rates:
        axes.set(xscale="log", xlabel="learning rate")
    else:
        axes.set(xticks=[])
    axes.legend(fontsize=9, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)


def _start(curves: pd.DataFrame) -> float:
    return float(curves.loc[curves["step"] == 0, "train"].mean())


def _title(task: str, source: str, horizon: int) -> str:
    return f"{task}, {horizon:,} steps" + ("" if source == "none" else f" ({source} data)")


def plot_tasks(root: str | Path, tasks: Sequence[str], path: str | Path) -> None:
    """A picture with one row of two panels for each source and horizon of each task.

    The panels are the train loss against steps for each optimizer, and the lowest train and test loss of each learning rate; only
    train loss where a task has no data. Black: the best learning rate of a family. Means over seeds; a diverged seed ends its
    optimizer's curve. The two share their loss axis (`limit_losses`).

    Raises `StoreError` (a file type that can't be drawn, a directory that can't be written to, a task without a finite loss),
    `UnknownName` (no such task).
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
    for (name, _, horizon), part in settings.items():
        if not np.isfinite(part["train"]).any():
            raise StoreError(f"no run of {name} over {horizon} steps has a finite train loss: there is nothing to draw")
    order = sorted(settings, key=lambda setting: (tasks.index(setting[0]), *setting[1:]))
    figure = Figure(figsize=(12, 3.6 * len(order)), layout="constrained")  # not pyplot's, whose state is the caller's
    rows = figure.subplots(len(order), 2, sharey="row", squeeze=False, width_ratios=[1.25, 1])
    for axes, setting in zip(rows, order):
        part, (task, source) = settings[setting], map(str, setting[:2])
        _draw_curves(axes[0], part, _title(task, source, int(part["horizon"].iloc[0])))
        limit_losses(axes[0], part[["train", "test"]].to_numpy(), _start(part))
        _draw_lowest(axes[1], part, ("train",) if source == "none" else ("train", "test"))
    write_picture(figure, path, dpi=120)
