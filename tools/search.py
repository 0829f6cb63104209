"""Hyperparameter search on the recorded curves, a page and a picture: `python -m tools.search --out DIR`, or --publish for docs/.

For each task that was swept with Adam's learning rates, the wide Adam grid and the learned list, with the same horizon and seeds:
random search (mean over orders), successive halving and the learned list in its order, each run by run (a run of one seed), with
the loss of valid_outer deciding. The result is the normalized loss of the best found after budgets of so many whole trainings.
"""

import argparse
import sys
import textwrap
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

import taskset
from benchmarks import report
from taskset.errors import StoreError
from taskset.normalization import tabular
from taskset.normalization.store import load_curves, load_normalizers, load_sweeps
from taskset.samplers.optimizers import opt_list_names

BUDGETS = np.array([0.5, 1, 2, 3, 5, 7, 10])  # whole trainings
ORDERS = 20
SPLIT = "valid_outer"
ETA = 3
# Of the methods, in order: colour-blind eyes see the difference, too.
COLOURS, MARKERS = ("#0072B2", "#E69F00", "#009E73", "#D55E00"), "os^D"


def settings(root):
    """(task, source, horizon) with curves of the learned list beside Adam's learning rates."""
    sweeps = load_sweeps(root)
    found = {}
    for row in sweeps.itertuples():
        found.setdefault((row.task, row.source, row.horizon), set()).update(row.optimizers)
    wanted = {"adam_lr_-3.00", opt_list_names(1)[0]}
    return [setting for setting, optimizers in found.items() if wanted <= optimizers]


def methods(problem):
    """{name: [Search after the largest budget, ..]}, one a seed and order."""
    steps = int(BUDGETS[-1] * problem.horizon)
    adam = [name for name in problem.optimizers if name.startswith("adam_lr_")]
    results = {"random search, all": [], "successive halving, all": [], "learned list": [], "Adam, rates at random": []}
    for seed in problem.seeds:
        search = lambda seed=seed: problem.search(SPLIT, seed)  # noqa: E731
        for order in range(ORDERS):
            results["random search, all"].append(tabular.random_search(search(), steps, seed=order))
            shuffled = np.random.default_rng([order, seed]).permutation(adam).tolist()
            results["Adam, rates at random"].append(tabular.in_turn(search(), shuffled, steps))
        first = max(1, problem.horizon // ETA**3)
        results["successive halving, all"].append(tabular.successive_halving(search(), first, ETA))
        results["learned list"].append(tabular.in_turn(search(), problem.learned_list(), steps))
    return results


def measure(root):
    """({method: normalized losses [tasks, budgets]}, tasks, configurations of each)."""
    normalizers = load_normalizers(root)
    normalizers = normalizers[normalizers["normalizable"] & (normalizers["split"] == SPLIT)]
    scale = {(r.task, r.source, r.horizon): (r.initial, r.best) for r in normalizers.itertuples()}
    losses, used, sizes = {}, [], []
    for task, source, horizon in settings(root):
        if (task, source, horizon) not in scale:
            continue
        initial, best = scale[task, source, horizon]
        problem = tabular.from_curves(load_curves(task, source=source, horizon=horizon, root=root))
        for name, searches in methods(problem).items():
            reached = np.array([[s.reached(b * horizon) for b in BUDGETS] for s in searches])
            normalized = np.where(np.isfinite(reached), np.clip((reached - best) / (initial - best), -2, 2), 2)
            losses.setdefault(name, []).append(normalized.mean(axis=0))
        used.append(task)
        sizes.append(len(problem.optimizers))
    if not used:
        raise StoreError("no task has curves of the learned list beside Adam's learning rates: pass --root")
    return {name: np.array(rows) for name, rows in losses.items()}, used, sizes


def picture(losses, path):
    """Mean and median over tasks against the budget."""
    figure, panels = plt.subplots(1, 2, figsize=(9.6, 3.8), sharey=True, layout="constrained")
    for axes, how in zip(panels, (np.mean, np.median)):
        for (name, values), colour, marker in zip(losses.items(), COLOURS, MARKERS):
            axes.plot(BUDGETS, how(values, axis=0), marker=marker, markersize=5, color=colour, label=name)
        axes.axhline(0, color="grey", linewidth=0.8, linestyle=":")  # the best of Adam's learning rates
        axes.set(xlabel="budget: whole trainings", xscale="log")
        axes.set_xticks(BUDGETS, [f"{b:g}" for b in BUDGETS])
        axes.minorticks_off()
        axes.set_title(f"Best found so far, {how.__name__} over tasks", fontsize=10)
    panels[0].set_ylabel(f"normalized {SPLIT} loss")
    panels[0].legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def text(losses, used, sizes):
    """docs/search.md."""
    header = ["", *(f"{b:g}" for b in BUDGETS)]
    each = f"{min(sizes)}" if min(sizes) == max(sizes) else f"{min(sizes)} to {max(sizes)}"
    families = sorted({taskset.catalogue.resolve(task)[0] for task in used})

    def rows(how):
        return [[name, *(f"{x:.3f}" for x in how(v, axis=0))] for name, v in losses.items()]

    return f"""# Searching hyperparameters on recorded curves

`taskset.tabular` turns the curves that ship into a benchmark of hyperparameter search: a query costs nothing, and the account
says what the training would have cost. Here as an example: {len(used)} tasks with {each} configurations
each, of {len(families)} families:
{textwrap.fill(", ".join(families), 127)}.

All methods pay per training step; the loss of {SPLIT} decides; 0 is the best of Adam's learning rates (17, or 9 where
a step is dear) in the mean over seeds, 1 the start (what is below 0 beat it). Random orders: mean over {ORDERS}.

- random search, all: configurations of all optimizers in random order, each to its end;
- Adam, rates at random: the same with Adam's learning rates alone;
- successive halving, all (arXiv 1502.07943): all for 1/27 of the horizon, the best third for three times as long, and so on;
- learned list: NAdamW's, in its order (arXiv 2002.11887).

Mean over tasks, by budget (in whole trainings):

{report.table(header, rows(np.mean))}

Median over tasks:

{report.table(header, rows(np.median))}

![mean and median over tasks](pictures/search.png)

The learned list was made from these families of tasks (other horizons and batches), so this is no test of how it does elsewhere.

Made by `python -m tools.search`. {report.conditions("taskset", "numpy", "pandas")}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, help="Baselines to read; by default those of the package.")
    report.folder_options(parser)
    given = parser.parse_args()
    folder = report.folder(given)
    try:
        losses, used, sizes = measure(given.root)
    except StoreError as error:
        sys.exit(f"error: {error}")
    picture(losses, folder / "pictures" / "search.png")
    (folder / "search.md").write_text(text(losses, used, sizes), encoding="utf-8")
    print(f"written: {folder / 'search.md'}, {len(used)} tasks")


if __name__ == "__main__":
    main()
