"""What thousands of baselines say, in tables: by family, best learning rates, how well one rate does, what a short list is worth.

One setting of each task: synthetic data or none, HORIZON steps, all of Adam's 17 rates. A loss is the normalized one at the end,
of the mean over seeds; 2 where it diverged. Intervals are 95 per cent, from resampling the tasks, and exact ones for shares of
0 and 1 (`taskset.scoring.statistics`). `python -m tools.baselines.page` puts the tables into docs/baselines.md.
"""

import textwrap
import zlib
from dataclasses import dataclass

import numpy as np

from taskset.samplers.optimizers import LOG10_LEARNING_RATES
from taskset.scoring import statistics
from taskset.scoring.rows import expected_of_best
from tools import report

EXTRA = report.DOCS.parent / "data-extra"  # baselines that stand beside the package's
HORIZON = 2000
SOURCES = ("none", "synthetic")
SIZES = (1, 2, 3, 4, 5, 8, 17)
CLOSE = 0.05
PROBLEMS = ("losg_tasks_family", "quadratic_family")  # families that are no networks: cheap ones, and so most tasks


@dataclass(frozen=True)
class Scores:
    """Adam's rates on N tasks.

    tasks, families: [N] names; end, mean: [N, 17] normalized loss at the end, and the mean over the curve; best: [N] index of the
    rate that came lowest at any evaluation; diverged: [N] share of runs.
    """

    tasks: np.ndarray
    families: np.ndarray
    end: np.ndarray
    mean: np.ndarray
    best: np.ndarray
    diverged: np.ndarray

    def of(self, chosen):
        """Those of some tasks: flags or indices."""
        return Scores(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    def networks(self):
        """Those of tasks that are networks."""
        return self.of(~np.isin(self.families, PROBLEMS))


def collect(means, runs):
    """`Scores` from the frames of `tools.baselines.page.prepare`, of the tasks with a normalizer."""
    means = _wanted(means)
    column = {rate: i for i, rate in enumerate(LOG10_LEARNING_RATES)}
    mean = means.groupby(["task", "rate"])["normalized"].mean().unstack("rate").reindex(columns=list(column))
    mean = mean[mean.notna().all(axis=1)]  # swept with all rates
    last = means[means["step"] == HORIZON].set_index(["task", "rate"])["normalized"].unstack("rate")
    end = last.reindex(index=mean.index, columns=list(column))
    lowest = means.groupby("task")[["family", "best_rate"]].first().loc[mean.index]
    shares = _wanted(runs).groupby("task")["diverged"].mean()
    return Scores(
        mean.index.to_numpy(),
        lowest["family"].astype(str).to_numpy(),
        end.to_numpy(float),
        mean.to_numpy(float),
        lowest["best_rate"].map(column).to_numpy(int),
        shares.loc[mean.index].to_numpy(float),
    )


def _wanted(frame):
    """The rows of the setting that the tables are of."""
    chosen = frame[(frame["horizon"] == HORIZON) & frame["source"].isin(SOURCES)]
    return chosen.assign(task=chosen["task"].astype(str), family=chosen["family"].astype(str))


def without_normalizer(scores, runs):
    """A sentence about the tasks with all rates and no normalizer, which the tables leave out: "" where there are none."""
    runs = _wanted(runs)
    rates = runs.groupby("task")["rate"].transform("nunique")
    runs = runs[rates == len(LOG10_LEARNING_RATES)]
    left = runs[~runs["task"].isin(scores.tasks)]
    if left.empty:
        return ""
    networks = runs[~runs["family"].isin(PROBLEMS)]
    shown = networks[networks["task"].isin(scores.tasks)]
    with_them, without = (frame.groupby("family")["diverged"].mean() for frame in (networks, shown))
    most = with_them.sub(without, fill_value=0).sort_values(ascending=False).index[:2]
    each = " and ".join(f"{with_them[family]:.1%} of those of {family}" for family in most)
    return (
        f"{left['task'].nunique():,} more tasks have all 17 rates and no normalizer: {left['diverged'].mean():.1%} of their runs "
        f"diverge. With them, {networks['diverged'].mean():.1%} of the runs of networks diverge, among them {each}."
    )


def share_with_interval(values):
    """ "mean [low, high]" of shares over tasks, in per cent; values: [N], each from 0 to 1."""
    return statistics.Estimate(np.mean(values), *statistics.share_interval(values)).text(".1%")


def quartiles(values, form=".2f"):
    """ "median (lower .. upper quartile)"."""
    lower, middle, upper = np.quantile(values, [0.25, 0.5, 0.75], method="nearest")
    return f"{middle:{form}} ({lower:{form}} .. {upper:{form}})"


def power(index):
    """A learning rate, by its index, as it is written: 10^-2.5."""
    return f"10^{LOG10_LEARNING_RATES[index]:g}"


def groups(families):
    """(name, flags) of each family, of the networks, and of all, where there are any. families: [N] names."""
    for family in sorted(set(families)):
        yield family, families == family
    for name, flags in (("networks", ~np.isin(families, PROBLEMS)), ("all", np.ones(len(families), bool))):
        if flags.any():
            yield name, flags


def by_family(scores):
    """A table: a line for each family, for all networks, and for all."""
    rates, rows = np.array(LOG10_LEARNING_RATES), []
    for name, chosen in groups(scores.families):
        some = scores.of(chosen)
        rate = int(np.argmin(some.end.mean(axis=0)))
        rows.append(
            [
                name,
                f"{len(some.tasks):,}",
                quartiles(rates[some.best], "g"),
                share_with_interval(some.diverged),
                power(rate),
                statistics.estimate(some.end[:, rate]).text(),
                quartiles(some.end[:, rate]),
                quartiles(some.mean[:, rate]),
            ]
        )
    header = [
        "family",
        "tasks",
        "log10 of the best rate",
        "runs that diverge",
        "one rate for all",
        "its end: mean",
        "its end",
        "its curve",
    ]
    return report.table(header, rows)


def best_rates(scores):
    """A table: of how many tasks each rate is the best, and how well it does on all of them."""
    tuned = scores.end.min(axis=1)
    rows = []
    for rate in range(len(LOG10_LEARNING_RATES)):
        end = scores.end[:, rate]
        rows.append(
            [
                power(rate),
                share_with_interval(scores.best == rate),
                statistics.estimate(end).text(),
                f"{np.median(end):.3f}",
                share_with_interval(end - tuned <= CLOSE),
            ]
        )
    header = ["rate", "best of all", "end: mean", "median", f"within {CLOSE:g} of the best at the end"]
    return report.table(header, rows)


def short_list(end, most):
    """Indices of at most `most` rates: each lowers the mean over tasks of the best so far as much as any can. end: [N, rates]."""
    chosen, reached = [], np.full(len(end), np.inf)
    for _ in range(most):
        gains = np.minimum(end, reached[:, None]).mean(axis=0)
        gains[chosen] = np.inf
        chosen.append(int(np.argmin(gains)))
        reached = np.minimum(reached, end[:, chosen[-1]])
    return chosen


def halves(scores):
    """(flags of a half, flags of the other), twice: lists are made on one and judged on the other."""
    even = np.array([zlib.crc32(task.encode()) % 2 == 0 for task in scores.tasks])
    return [(even, ~even), (~even, even)]


def list_values(scores, size):
    """[N] the best end of a short list's first `size` rates, made on the half that a task is not in."""
    values = np.empty(len(scores.tasks))
    for made_on, judged in halves(scores):
        if made_on.any():
            values[judged] = scores.end[judged][:, short_list(scores.end[made_on], size)].min(axis=1)
    return values


def lists(scores):
    """A table: a short list, rates at random, one rate per family, and tuning, by the number of trials."""
    rows = []
    for size in SIZES:
        drawn = np.array([expected_of_best(end, end, size) for end in scores.end])
        made = list_values(scores, size)
        rows.append(
            [
                f"{size}",
                statistics.estimate(made).text(),
                f"{np.median(made):.3f}",
                statistics.estimate(drawn).text(),
                f"{np.median(drawn):.3f}",
            ]
        )
    chosen = ", ".join(power(rate) for rate in short_list(scores.end, 5))
    table = report.table(["trials", "short list: mean", "median", "rates at random: mean", "median"], rows)
    return f"{table}\n\nThe list from all of them: {chosen}."


def per_family(scores):
    """The mean with one rate per family, chosen on the half that a task is not in."""
    values = np.empty(len(scores.tasks))
    for made_on, judged in halves(scores):
        for family in set(scores.families):
            mine, theirs = judged & (scores.families == family), made_on & (scores.families == family)
            known = theirs if theirs.any() else made_on
            values[mine] = scores.end[mine, int(np.argmin(scores.end[known].mean(axis=0)))]
    return values


def text(scores, left_out=""):
    """The tables as a part of docs/baselines.md; says so where there are no two tasks. left_out: of `without_normalizer`."""
    if len(scores.tasks) < 2:
        return f"No two tasks have all of Adam's rates at {HORIZON:,} steps, so there are no tables.\n"
    of_networks = scores.networks()
    both = [("All tasks", scores)]
    if 1 < len(of_networks.tasks) < len(scores.tasks):
        both.insert(0, ("Networks", of_networks))
    most = len(scores.tasks) - len(of_networks.tasks)

    def each(section):
        return "\n".join(f"### {name}, {len(some.tasks):,}\n\n{section(some)}\n" for name, some in both)

    return f"""## At a glance

{len(scores.tasks):,} tasks, each in one setting: synthetic data or none, {HORIZON:,} steps, all 17 rates. "End" is the
normalized loss at the last step, "curve" its mean over all evaluations; "its end" and "its curve" are medians over tasks (and
quartiles). Brackets, here and below, are 95 per cent intervals from resampling the tasks, which are too narrow for fewer than 20
tasks; shares that are all 0 or all 1 have exact intervals (Clopper and Pearson 1934). "One rate for all" is the rate with the
lowest mean end.
{most:,} of the tasks are of {" and ".join(PROBLEMS)}, which are cheap to sweep. What is said of all tasks is therefore mostly
said of these two families; all other tasks are networks, and have lines of their own.
{textwrap.fill(left_out, 127)}

{by_family(scores)}

## Which rate is the best, and how good one rate is

"Best of all" is the share of tasks on which the rate had the lowest loss of all rates, at any evaluation. The last column is the
share of tasks on which the rate ends within {CLOSE:g} of the task's best end, and so loses hardly anything.

{each(best_rates)}
## A short list against tuning

The tables show the best end of a number of trials. The short list takes, one after the other, the rate that lowers the mean
over tasks most; it is made on half of the tasks and judged on the other half. With 17 trials, all rates are tried either way.

{each(_lists_and_one)}"""


def _lists_and_one(scores):
    """`lists`, and what one rate per family would do."""
    return f"{lists(scores)} One rate for each family, chosen in the same way: {statistics.estimate(per_family(scores)).text()}."
