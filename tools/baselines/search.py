"""Hyperparameter search on the recorded curves, a page and a picture.

    python -m tools.baselines.search --out DIR        or --publish for docs/

Over the problems of `taskset.tabular.problems()` that have a scale, MOST a family or fewer: each searcher chooses by the loss of
valid_outer, the mean over seeds, and pays per training step; the result is its normalized regret after budgets of so many whole
trainings. Needs Optuna (`pip install '.[tutorials]'`); some minutes on one core.
"""

import argparse
import textwrap
import timeit
import zlib
from collections import Counter
from pathlib import Path

import numpy as np

from taskset import catalogue, tabular
from taskset.errors import StoreError
from taskset.random import seeds
from taskset.samplers.optimizers import ADAM
from taskset.scoring import statistics
from tools import report
from tools.baselines import search_methods
from tools.experiments import page

BUDGETS = np.array([1, 2, 3, 4, 5, 7, 10])  # whole trainings
ORDERS = 10  # of random search
MOST = 60  # problems of a family: most of all tasks are of two families
REPEATS = 2  # of TPE and the Gaussian process
SPLIT = "valid_outer"
ETA = 3
RATES, ALL = "Adam's learning rates", "All configurations"
COLORS = {
    "random": "#555555",
    "TPE": "#0072B2",
    "Gaussian process": "#009E73",
    "successive halving": "#D55E00",
    "learned list": "#CC79A7",
}


def searches(problem, families, with_list):
    """{method: [Search after the largest budget, ..]}, one for each order or repeat."""
    steps, new = int(BUDGETS[-1] * problem.horizon), lambda: problem.search(SPLIT)
    names = [name for family in families for name in problem.space(family).optimizers]
    found = {"random": [], "TPE": [], "Gaussian process": []}
    for order in range(ORDERS):
        shuffled = seeds.generator(order, "random search", problem.task).permutation(len(names))
        found["random"].append(tabular.in_turn(new(), [names[i] for i in shuffled], steps))
    for repeat in range(REPEATS):
        found["TPE"].append(search_methods.tpe(new(), steps, families, repeat))
        found["Gaussian process"].append(search_methods.gaussian_process(new(), steps, families, repeat))
    found["successive halving"] = [tabular.successive_halving(new(), first_round(problem), ETA, names)]
    if with_list:
        found["learned list"] = [tabular.in_turn(new(), problem.learned_list(), steps)]
    return found


def first_round(problem):
    """Steps of the first round of successive halving: 1 / ETA^3 of the horizon, and no less than to the first evaluation."""
    return max(problem.first_step, problem.horizon // ETA**3)


def regrets(problem, families, with_list):
    """{method: normalized regrets [budgets]}, the mean over orders and repeats."""
    each = searches(problem, families, with_list)
    spent = BUDGETS * problem.horizon
    return {name: np.mean([[one.regret(steps) for steps in spent] for one in some], axis=0) for name, some in each.items()}


def some_of_each(rows):
    """At most MOST problems of each family, by a hash of their names."""
    taken = Counter()
    for row in sorted(rows, key=lambda row: zlib.crc32(f"{row.task} {row.source} {row.horizon}".encode())):
        family = catalogue.family_of(row.task)
        taken[family] += 1
        if taken[family] <= MOST:
            yield row


def measure(root):
    """({group: {method: regrets [problems, budgets]}}, {group: the problems' rows}, {group: number without a scale})."""
    found, used, without = {RATES: {}, ALL: {}}, {RATES: [], ALL: []}, {RATES: 0, ALL: 0}
    with_rates = [
        row for row in tabular.problems(root=root).itertuples() if any(name.startswith(ADAM) for name in row.optimizers)
    ]
    for row in some_of_each(with_rates):
        problem = tabular.load(row.task, row.optimizers, row.source, row.horizon, root=root)
        rates = problem.space(ADAM).optimizers  # a problem of their own: 0 is the best of the rates
        groups = [(RATES, tabular.load(row.task, rates, row.source, row.horizon, root=root), False)]
        if problem.learned_list():
            groups.append((ALL, problem, True))
        for group, part, with_list in groups:
            try:
                part.scale(SPLIT)
            except StoreError:
                without[group] += 1
                continue
            used[group].append(row)
            for name, values in regrets(part, part.families(), with_list).items():
                found[group].setdefault(name, []).append(values)
    if not used[RATES]:
        raise StoreError("no problem with Adam's learning rates: pass --root")
    return {group: {name: np.array(rows) for name, rows in some.items()} for group, some in found.items()}, used, without


def interval(values):
    """95% interval of the mean over problems, by the bootstrap."""
    return statistics.interval(values, statistics.mean, seed=0)


def picture(found, path):
    """Mean regret against the budget, with its interval, a panel for each group."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with page.figure(path, size=(9.6, 3.8), columns=2, dpi=110, sharey=True) as (_, panels):
        for axes, (group, methods) in zip(panels, found.items()):
            for name, values in methods.items():
                low, high = np.transpose([interval(column) for column in values.T])
                axes.plot(BUDGETS, values.mean(axis=0), marker="o", markersize=3, label=name, color=COLORS[name])
                axes.fill_between(BUDGETS, low, high, alpha=0.15, linewidth=0, color=COLORS[name])
            axes.set(xlabel="budget: whole trainings", xscale="log", yscale="log")
            axes.set_xticks(BUDGETS, [f"{b:g}" for b in BUDGETS])
            axes.minorticks_off()
            axes.set_title(f"{group}: {len(next(iter(methods.values())))} problems", fontsize=10)
            axes.legend(fontsize=8)
        panels[0].set_ylabel(f"normalized regret, {SPLIT} loss")


def milliseconds(call, number=50):
    """Of one call, the best of five rounds."""
    return 1000 * min(timeit.repeat(call, number=number, repeat=5)) / number


def lookups(root):
    """A table of what the table's own operations take."""
    row = tabular.problems(root=root).sort_values("configurations").iloc[-1]
    given = row.task, row.optimizers, row.source, row.horizon, root
    problem = tabular.load(*given)
    name, space = problem.optimizers[0], problem.space(ADAM)
    calls = {
        "the curve of a configuration, all splits: `problem.query(name)`": lambda: problem.query(name),
        "a new search that pays for a whole curve: `search.advance(name, horizon)`": lambda: problem.search().advance(
            name, problem.horizon
        ),
        "the configuration nearest to numbers: `space.nearest(values)`": lambda: space.nearest({"learning_rate": 0.003}),
    }
    rows = [[what, f"{milliseconds(call):.2g}"] for what, call in calls.items()]
    rows.append(["a problem from the disk, once: `tabular.load(..)`", f"{milliseconds(lambda: tabular.load(*given), 1):.2g}"])
    return report.table([f"{problem.task}, {len(problem.optimizers)} configurations", "ms"], rows)


def rows(methods):
    """The table of a group."""
    shown = []
    for name, values in methods.items():
        shown.append([name, *(statistics.estimate(column).text() for column in values.T)])
    return report.table(["", *(f"{b:g}" for b in BUDGETS)], shown)


def medians(methods):
    """The same with medians over problems."""
    shown = [[name, *(f"{x:.4f}" for x in np.median(values, axis=0))] for name, values in methods.items()]
    return report.table(["", *(f"{b:g}" for b in BUDGETS)], shown)


def sizes(used):
    """How many configurations, as 9 to 17."""
    counts = sorted({row.configurations for row in used})
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def text(found, used, without, times):
    """docs/search.md."""
    families = sorted({catalogue.family_of(row.task) for row in used[RATES]})
    names = [row.source for row in used[RATES]]
    sources = ", ".join(f"{names.count(source)} with source {source}" for source in sorted(set(names)))
    return f"""# Searching hyperparameters on recorded curves

`taskset.tabular` turns the package's baselines into a benchmark of hyperparameter search: a training is looked up instead of run,
and its cost is counted all the same. [A tutorial](tutorials/optuna.md) shows it with Optuna. Here searchers are
compared on {len(used[RATES])} of its problems that have Adam's rates and a scale, at most {MOST} of a family (a problem is a task
with its source and its horizon), of {len(families)} families:
{textwrap.fill(", ".join(families), 127)}.
{f"{without[RATES]} more have these rates, but no configuration that lowers the loss, and so no scale." if without[RATES] else ""}

Normalized regret: 0 is the lowest {SPLIT} loss that any configuration of the problem ever reached (mean over its seeds), 1 the
loss at the start. Every searcher pays per training step and keeps the best it has seen. Nothing is interpolated: a proposal means
the nearest configuration that was trained.

- random: configurations in random order, each to its end (mean over {ORDERS} orders);
- TPE: Optuna's `TPESampler` with {search_methods.TPE_FIRST} random trials first (mean over {REPEATS} seeds); a proposal
  goes to the nearest rate, so that the two at the ends, often the worst, come up half as often as in random order;
- Gaussian process: expected improvement, {search_methods.FIRST} random configurations first (mean over {REPEATS} seeds);
- successive halving (arXiv 1502.07943): all for 1/{ETA**3} of the horizon, the best third for three times as long, and so on. It
  ends after one to two trainings on Adam's rates and two to four on all configurations: later columns repeat its end;
- learned list: NAdamW's, in its order (arXiv 2002.11887), which was made on tasks of these families.

Mean over problems with its 95% interval (bootstrap over problems), by budget in whole trainings.

**{RATES}**, 9 or 17 of them, and nothing else: {len(used[RATES])} problems.

{rows(found[RATES])}

**{ALL}** of the {len(used[ALL])} of these problems that also have the learned list ({without[ALL]} others that have it have no
scale): Adam's rates, its wide grid where it was swept, and the list's first, {sizes(used[ALL])} each.

{rows(found[ALL])}

![mean regret by budget](pictures/search.png)

Medians over problems, {RATES} and {ALL.lower()}:

{medians(found[RATES])}

{medians(found[ALL])}

## What a lookup takes

{times}

tests/tabular/test_tabular.py holds the first two to 10 ms on whatever machine it runs.

Made by `python -m tools.baselines.search` from the curves of the package's baselines, {sources}.
{report.conditions("taskset", "numpy", "pandas", "optuna")}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, help="Baselines to read; by default those of the package.")
    report.folder_options(parser)
    arguments = parser.parse_args()
    folder = report.folder(arguments)
    with report.errors_of_one_line():
        found, used, without = measure(arguments.root)
    picture(found, folder / "pictures" / "search.png")
    (folder / "search.md").write_text(text(found, used, without, lookups(arguments.root)), encoding="utf-8")
    print(f"written: {folder / 'search.md'}, {len(used[RATES])} problems")


if __name__ == "__main__":
    main()
