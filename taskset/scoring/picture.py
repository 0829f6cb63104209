"""Curves of learned optimizers beside those of Adam, as PNG."""

from pathlib import Path

import numpy as np

from taskset.normalization import store
from taskset.normalization.normalizer import mean_curves
from taskset.scoring import rivals
from taskset.scoring.comparison import plain, read_results

TITLES = {"train": "train loss", "valid_outer": "validation loss", "test": "test loss"}


def draw(task, roots, baselines, path, splits=("train", "valid_outer")):
    """One panel a split: the mean over seeds of each learned optimizer's curve, of all Adam rates in grey, the best one black.

    The best rate has the lowest mean train loss at the last step. roots: directories of `evaluate`; baselines: of a sweep.
    Returns the name of the best rate.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    curves, told = read_results(roots)
    horizon = next(iter(told.values()))["steps"]
    ours = mean_curves(curves[curves["task"] == task])
    theirs = mean_curves(plain(store.load_curves(task=task, root=baselines)))
    theirs = theirs[theirs["optimizer"].map(rivals.family_of).eq(rivals.ADAM) & (theirs["step"] <= horizon)]
    best = theirs[theirs["step"] == horizon].set_index("optimizer")["train"].idxmin()
    figure, panels = plt.subplots(1, len(splits), figsize=(5 * len(splits), 3.8), layout="constrained")
    for axes, split in zip(np.atleast_1d(panels), splits):
        rates = theirs.pivot(index="step", columns="optimizer", values=split)
        for i, name in enumerate(rates.columns):
            axes.plot(rates.index, rates[name], color="0.8", linewidth=0.8, label="the other Adam rates" if i == 0 else None)
        axes.plot(rates.index, rates[best], color="black", linewidth=1.6, label=f"best Adam rate: {best}")
        for name, run in ours.groupby("optimizer"):
            run = run.sort_values("step")
            axes.plot(run["step"], run[split], linewidth=2, label=f"learned: {name}")
        axes.set(xlabel="step", ylabel=TITLES[split])
        axes.set_title(task, fontsize=9)
        _limit(axes, float(rates.iloc[0].mean()), min(float(np.nanmin(rates[best])), float(np.nanmin(ours[split]))))
    np.atleast_1d(panels)[0].legend(fontsize=7)
    store.make_directory(Path(path).parent)
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return best


def _limit(axes, start, lowest):
    """From a little below the lowest loss to a little above the start: diverging rates would flatten all others."""
    if lowest > 0:
        axes.set(yscale="log", ylim=(0.8 * lowest, 1.3 * start))
    else:
        axes.set(ylim=(lowest - 0.05 * (start - lowest), start + 0.3 * (start - lowest)))
