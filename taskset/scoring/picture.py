"""Curves of learned optimizers beside those of Adam, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from taskset.errors import ConfigError
from taskset.files import write_picture
from taskset.normalization import store
from taskset.normalization.normalizer import mean_curves
from taskset.normalization.plot import limit_losses
from taskset.samplers.optimizers import get_optimizer_config
from taskset.scoring import rivals, run_scores
from taskset.scoring.comparison import read_results

_LEARNED = ("#D55E00", "#0072B2", "#009E73", "#CC79A7")  # colour-blind eyes see the difference, too


def draw(
    task: str,
    roots: Sequence[str | Path],
    baselines: str | Path | None,
    path: str | Path,
    splits: Sequence[str] = ("train", "valid_outer"),
) -> str:
    """One panel per split: the mean over seeds of each learned optimizer's curve, and of Adam's: all rates, the best one black.

    The best rate has the lowest mean train loss at the last step. roots: directories of `evaluate`; baselines: of a sweep.
    Returns the name of the best rate. Raises ConfigError where the baselines' runs are shorter, or have no evaluation there.
    """
    from matplotlib.figure import Figure

    curves, evaluations = read_results(roots)
    options = next(iter(evaluations.values()))
    horizon = options["steps"]
    learned = mean_curves(curves[curves["task"] == task]).sort_values("step")
    theirs = store.load_curves(task=task, source=store.sources_of(options["source"]), root=baselines)
    adam = rivals.of_adam(store.with_text_names(theirs))
    adam = adam[adam["horizon"] >= horizon]
    if adam.empty:
        raise ConfigError(f"the baselines have no curves of Adam on {task!r} that reach {horizon} steps: evaluate fewer")
    # Adam without a schedule does the same whatever its horizon: the shortest that is long enough.
    adam = mean_curves(adam[(adam["horizon"] == adam["horizon"].min()) & (adam["step"] <= horizon)])
    last = adam[adam["step"] == horizon]
    if last.empty:
        raise ConfigError(
            f"Adam's curves on {task!r} have no evaluation after {horizon} steps; the last before is after {adam['step'].max()}: "
            "evaluate so many"
        )
    best = last.set_index("optimizer")["train"].idxmin()
    figure = Figure(figsize=(5 * len(splits), 4), layout="constrained")
    panels = figure.subplots(1, len(splits), squeeze=False)
    for axes, split in zip(panels[0], splits):
        rates = adam.pivot(index="step", columns="optimizer", values=split)
        others = rates.drop(columns=best)
        for i, name in enumerate(others):
            label = f"Adam, the other {len(others.columns)} learning rates" if i == 0 else None
            axes.plot(others.index, others[name], color="0.8", linewidth=0.9, label=label)
        rate = get_optimizer_config(best)[0]["learning_rate"]
        axes.plot(rates.index, rates[best], color="black", linewidth=1.8, label=f"Adam, best learning rate: {rate:.2g}")
        for i, (name, run) in enumerate(learned.groupby("optimizer")):
            colour = _LEARNED[i % len(_LEARNED)]
            axes.plot(run["step"], run[split], color=colour, linewidth=2.4, label=f"learned: {name}")
        axes.set(xlabel="training step", ylabel=run_scores.LOSSES[split], xlim=(0, horizon))
        axes.spines[["top", "right"]].set_visible(False)
        limit_losses(axes, np.append(rates[best], learned[split]), float(rates.iloc[0].mean()))
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9, frameon=False)  # no curve runs through it
    source = "" if set(theirs["source"]) == {"none"} else f", {options['source']} data"
    figure.suptitle(f"{task}{source}, mean over seeds", fontsize=11)
    write_picture(figure, path, dpi=130)
    return best
