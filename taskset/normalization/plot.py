"""Pictures of curves."""

from pathlib import Path

import numpy as np

from taskset.errors import StoreError, unknown
from taskset.normalization import store
from taskset.normalization.normalizer import mean_curves

# One hue from dark to light for learning rates in order, so that neighbours look alike.
_COLOURS = "viridis"


def _rate(optimizer):
    """log10 of the learning rate that a fixed optimizer's name tells; None for others."""
    head, _, tail = optimizer.rpartition("_")
    return float(tail) if head.endswith("_lr") else None


def _draw_curves(axes, curves, split, title):
    import matplotlib

    optimizers = sorted(curves["optimizer"].astype(str).unique(), key=lambda o: (_rate(o) is None, _rate(o), o))
    colours = matplotlib.colormaps[_COLOURS](np.linspace(0, 0.95, max(len(optimizers), 2)))
    for optimizer, colour in zip(optimizers, colours):
        part = curves[curves["optimizer"] == optimizer].sort_values("step")
        label = f"$10^{{{_rate(optimizer):g}}}$" if _rate(optimizer) is not None else optimizer
        axes.plot(part["step"], part[split], color=colour, linewidth=1.2, label=label)
    axes.set(xlabel="step", ylabel=f"{split} loss", title=title)
    initial = curves.loc[curves["step"] == 0, split].mean()
    best = curves[split].min()
    if np.isfinite(initial) and best < initial:  # diverging runs would flatten all others
        axes.set_ylim(best - 0.05 * (initial - best), initial + 0.3 * (initial - best))


def _draw_profile(axes, curves, task):
    """Best loss of each learning rate, train and test."""
    for split, style in zip(("train", "test"), ("o-", "s--")):
        best = curves.groupby("optimizer", observed=True)[split].min()
        points = sorted((_rate(str(o)), loss) for o, loss in best.items() if _rate(str(o)) is not None)
        if points:
            axes.plot(
                [10**rate for rate, _ in points], [loss for _, loss in points], style, markersize=3, linewidth=1, label=split
            )
    initial = curves.loc[curves["step"] == 0, "train"].mean()
    axes.axhline(initial, color="grey", linewidth=0.8, linestyle=":", label="initial")
    axes.set(xscale="log", xlabel="learning rate", ylabel="lowest mean loss", title=f"{task}: learning rates")
    axes.legend(fontsize=7)


def plot_task(root, task, path):
    """Two panels for a task: train loss against steps for each optimizer, and the lowest loss of each learning rate.

    Means over seeds; a diverged seed ends its optimizer's curve. Writes a PNG.
    """
    plot_tasks(root, [task], path)


def plot_tasks(root, tasks, path):
    """One row of panels (see `plot_task`) for each task, source and horizon there is, as one PNG."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    formats = plt.gcf().canvas.get_supported_filetypes()
    plt.close()
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
    figure, rows = plt.subplots(len(order), 2, figsize=(11, 3.6 * len(order)), squeeze=False, layout="constrained")
    for axes, (task, source, horizon) in zip(rows, order):
        part = settings[task, source, horizon]
        _draw_curves(axes[0], part, "train", task + ("" if source == "none" else f" ({source} data)"))
        _draw_profile(axes[1], part, task)
        beside = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5), "frameon": False}
        axes[0].legend(fontsize=6, title="learning rate", title_fontsize=6, **beside)
    store.make_directory(Path(path).parent)
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise StoreError(f"can't write {path}: {(error.strerror or str(error)).lower()}") from error
    finally:
        plt.close(figure)
