"""How the best learning rate moves with the number of steps, and what the best rate of a short sweep costs in a long one.

    python -m tools.baselines.horizons [--publish]

Adam's rates are constant, so that the first 200 steps of a run are a run of 200 steps: each sweep of `data/` and `data-extra/`
with all 17 rates says which is the best after any number of steps that it was evaluated at. A rate is chosen by the mean train
loss of some seeds after so many steps, and judged by that of other seeds after so many. --publish writes the section "horizons"
of docs/horizons.md.
"""

import argparse
from pathlib import Path

import numpy as np

from taskset.errors import StoreError
from taskset.normalization import store
from taskset.samplers.optimizers import LOG10_LEARNING_RATES, adam_rates
from taskset.scoring import statistics
from tools import report
from tools.baselines.tables import EXTRA, SOURCES, groups

DOCUMENT = report.DOCS / "horizons.md"
ADAM_RATES = adam_rates()
LONG, SHORT = 10_000, 2000
STEPS = {SHORT: (200, 400, 1000, 2000), LONG: (200, 400, 1000, 2000, 4000, 10_000)}
CHOSEN_BY = {SHORT: [0], LONG: [0, 1]}  # seeds; the others judge
COLUMNS = ("task", "optimizer", "seed", "step", "train")


def losses(frame, horizon):
    """{task: (loss at the start, [seeds, rates, steps])} of tasks with all rates and a finite start. frame: `COLUMNS`.

    Where a run diverged, its loss is inf.
    """
    wanted = frame[frame["step"].isin([0, *STEPS[horizon]])].astype({"task": str, "optimizer": str})
    found = {}
    for task, part in wanted.groupby("task"):
        table = part.pivot(index=["seed", "optimizer"], columns="step", values="train").reindex(columns=[0, *STEPS[horizon]])
        seeds = sorted(part["seed"].unique())
        grid = table.reindex([(seed, name) for seed in seeds for name in ADAM_RATES]).to_numpy(float)
        if set(part["optimizer"]) >= set(ADAM_RATES) and len(seeds) > len(CHOSEN_BY[horizon]):
            grid = grid.reshape(len(seeds), len(ADAM_RATES), -1)
            if np.isfinite(grid[..., 0]).any():  # else nothing can be told of its decrease
                found[task] = np.nanmean(grid[..., 0]), np.where(np.isfinite(grid[..., 1:]), grid[..., 1:], np.inf)
    return found


def load(horizon, roots):
    """`losses` of all tasks under some roots (None: the package's), synthetic data or none, and {task: family}."""
    found, families = {}, {}
    for root in roots:
        normalizers = store.load_normalizers(root)
        there = normalizers[(normalizers["horizon"] == horizon) & normalizers["source"].isin(SOURCES)]
        for family, part in there.groupby("family"):
            given = {"source": list(SOURCES), "optimizer": ADAM_RATES, "horizon": horizon, "columns": COLUMNS, "root": root}
            names = sorted(set(part["task"]) - set(found))
            if names:
                found |= losses(store.load_curves(task=names, **given), horizon)
                families |= dict.fromkeys(names, family)
    return found, families


def halves(grid, horizon):
    """(means over the seeds that choose, over those that judge): [rates, steps] each."""
    chosen_by = CHOSEN_BY[horizon]
    judged_by = [seed for seed in range(len(grid)) if seed not in chosen_by]
    return grid[chosen_by].mean(axis=0), grid[judged_by].mean(axis=0)


def regrets(start, grid, horizon):
    """[steps chosen at, steps judged at], of one task: what the chosen rate loses, as a share of the decrease, at most 1."""
    chosen, judged = halves(grid, horizon)
    lowest = judged.min(axis=0)
    lost = (judged[chosen.argmin(axis=0)] - lowest) / (start - lowest)
    return np.minimum(lost, 1.0)


def best_rates(grid):
    """[steps] log10 of the rate with the lowest mean over all seeds."""
    return np.array(LOG10_LEARNING_RATES)[grid.mean(axis=0).argmin(axis=0)]


def fall(start, grid, horizon):
    """Whether the lowest loss of all rates is below the start after each number of steps, of each seed and of both `halves`."""
    return all(bool((losses.min(axis=0) < start).all()) for losses in (*grid, *halves(grid, horizon)))


def titles(horizon):
    """The numbers of steps, in words."""
    return [f"{steps:,} steps" for steps in STEPS[horizon]]


def rate_table(best, families, horizon):
    """A row for each group: the mean log10 of the best rate after so many steps. best: [tasks, steps]; families: [tasks]."""
    rows = [
        [name, f"{chosen.sum():,}", *(statistics.estimate(column).text(".2f") for column in best[chosen].T)]
        for name, chosen in groups(families)
    ]
    return report.table(["log10 of the best rate after", "tasks", *titles(horizon)], rows)


def regret_table(lost, horizon):
    """A row for each number of steps to choose at. lost: [tasks, chosen at, judged at]."""
    rows = [
        [title, *(statistics.estimate(column).text() for column in row)]
        for title, row in zip(titles(horizon), np.moveaxis(lost, 0, -1))
    ]
    return report.table(["chosen after, and judged after", *titles(horizon)], rows)


def section(found, families, horizon):
    """Markdown of the sweeps of one horizon."""
    found = {task: of for task, of in found.items() if fall(*of, horizon)}
    families = np.array([families[task] for task in found])
    best = np.array([best_rates(grid) for _, grid in found.values()])
    lost = np.array([regrets(*of, horizon) for of in found.values()])
    parts = [f"## Sweeps of {horizon:,} steps", rate_table(best, families, horizon)]
    for name, chosen in groups(families):
        if name in ("networks", "all"):
            parts += [f"What the chosen rate loses, {name}, {chosen.sum():,}:", regret_table(lost[chosen], horizon)]
    return "\n\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=EXTRA, help="Baselines beside the package's.")
    report.publish_option(parser, "the section of docs/horizons.md")
    arguments = parser.parse_args()
    try:
        parts = [section(*load(horizon, [None, arguments.root]), horizon) for horizon in STEPS]
    except StoreError as error:
        parser.error(str(error))
    made = "\n\n".join([*parts, report.conditions("numpy", "pandas")])
    report.show(arguments, "horizons", made, DOCUMENT)


if __name__ == "__main__":
    main()
