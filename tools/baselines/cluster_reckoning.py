"""What all of TaskSet would take on a cluster, by the cost model: `python -m tools.baselines.cluster_reckoning [--publish]`.

All sampled tasks of TaskSet's families and made_family that can run, 17 rates x 5 seeds x 10,000 steps, on 1,000 cores.
Schedulers are simulated with the estimated costs: the queue of `--engine ray` (the next task goes to the next free core; cheapest
first as `baseline` orders them, or most expensive first), and `--shard i/n`. How far the model is off is measured on the sweeps
that ship. --publish: a section of docs/benchmarks.md.
"""

import argparse
import heapq
from dataclasses import dataclass

import numpy as np

from taskset import catalogue, registry
from taskset.normalization.store import load_sweeps
from taskset.normalization.sweep import planning
from taskset.normalization.sweep.options import SweepOptions
from taskset.random import seeds
from taskset.samplers import PUBLISHED_FAMILIES
from taskset.samplers.optimizers import adam_rates
from tools import report

DOCUMENT = report.DOCS / "benchmarks.md"
FAMILIES = (*PUBLISHED_FAMILIES, "made_family")
HOUR = 3600.0
DRAWS = 20
SPLIT_ABOVE = 10 * HOUR  # core-seconds of a task above which its runs are shared out


@dataclass(frozen=True)
class Schedule:
    """What a simulation gives. makespan: seconds until the last core ends; first_idle: until the first one has nothing left."""

    makespan: float
    first_idle: float
    total: float
    cores: int

    @property
    def efficiency(self):
        """The share of the cores' time that is work."""
        return self.total / (self.cores * self.makespan)


def queue(costs, cores):
    """The `Schedule` of parts in the order given, each begun by the core that is free first. costs: seconds [N]."""
    free = [0.0] * cores
    for cost in costs:
        heapq.heapreplace(free, free[0] + cost)
    return Schedule(max(free), min(free), float(np.sum(costs)), cores)


def shards(names, costs, count, workers):
    """The `Schedule` of `--shard i/count` with so many workers each, cheapest first in each."""
    parts = {}
    for name, cost in zip(names, costs):
        parts.setdefault(planning.shard_of(name, count), []).append(cost)
    each = [queue(sorted(parts.get(shard, [0.0])), workers) for shard in range(1, count + 1)]
    first = min(one.first_idle for one in each)
    return Schedule(max(one.makespan for one in each), first, float(np.sum(costs)), count * workers)


def split(costs, estimated, options, parts, above=SPLIT_ABOVE):
    """The costs of tasks and of parts of tasks, in the order of their estimates, the cheapest first.

    Every task whose estimate is above `above` comes in so many equal parts, each of which builds and compiles the task again.
    """
    assert options.runs % parts == 0
    dear = estimated > above

    def each(seconds):
        one = (seconds[dear] - planning.TASK_SECONDS) / parts + planning.TASK_SECONDS
        return np.concatenate([seconds[~dear], np.repeat(one, parts)])

    return each(costs)[np.argsort(each(estimated), kind="stable")]


def estimates(options):
    """{task: core-seconds} of the sampled tasks that can run, and the number of those that have no estimate."""
    names = [f"{family}_seed{seed}" for family in sorted(FAMILIES) for seed in range(registry.SEEDS)]
    costs = {name: planning.core_seconds(name, options) for name in names if catalogue.feasible(name)}
    return {name: cost for name, cost in costs.items() if cost is not None}, sum(cost is None for cost in costs.values())


def off_by():
    """(measured / estimated core-seconds {family: [..]}, sum measured, sum estimated) of the sweeps that ship."""
    ratios, measured, estimated = {}, 0.0, 0.0
    for row in load_sweeps(None).itertuples():
        optimizers, runs = tuple(row.optimizers), tuple(map(int, row.seeds))
        options = SweepOptions(optimizers, row.source, int(row.horizon), runs, int(row.batches), int(row.evaluations))
        expected = planning.core_seconds(row.task, options)
        if expected is not None and row.core_seconds > 0:
            ratios.setdefault(row.family, []).append(row.core_seconds / expected)
            measured, estimated = measured + row.core_seconds, estimated + expected
    return ratios, measured, estimated


def drawn(names, costs, ratios, draw):
    """The costs as they may turn out: each times a ratio that a sweep of its family had."""
    rng, everything = seeds.generator(0, "cluster reckoning", draw), [r for some in ratios.values() for r in some]
    families = [name.rpartition("_seed")[0] for name in names]
    return costs * np.array([rng.choice(ratios.get(family, everything)) for family in families])


def line(title, schedule):
    """A row of the table."""
    hours, tail = schedule.makespan / HOUR, (schedule.makespan - schedule.first_idle) / HOUR
    return [title, f"{schedule.total / HOUR:,.0f}", f"{hours:,.0f}", f"{schedule.efficiency:.0%}", f"{tail:,.0f}"]


def schedules(names, costs, options, cores):
    """The rows of the table. names, costs: in order of cost."""
    rates, seeds = len(options.optimizers), len(options.seeds)
    by_rate, by_run = (split(costs, costs, options, parts) for parts in (rates, rates * seeds))
    rows = [
        line(f"`--shard i/{cores}`, 1 worker each", shards(names, costs, cores, 1)),
        line(f"`--shard i/{cores // 8}`, 8 workers each", shards(names, costs, cores // 8, 8)),
        line("`--engine ray`: one queue, cheapest first", queue(costs, cores)),
        line("one queue, most expensive first", queue(costs[::-1], cores)),
        line("expensive tasks by rate, cheapest first", queue(by_rate, cores)),
        line("expensive tasks by rate, most expensive first", queue(by_rate[::-1], cores)),
        line("expensive tasks by rate and seed, cheapest first", queue(by_run, cores)),
        line("expensive tasks by rate and seed, most expensive first", queue(by_run[::-1], cores)),
    ]
    return report.table(["schedule", "core-hours", "hours to the end", "efficiency", "hours from first idle core to end"], rows)


def by_family(names, costs):
    """FAMILY 50%, ..: the four families that take most."""
    shares = {}
    for name, cost in zip(names, costs):
        family = name.rpartition("_seed")[0]
        shares[family] = shares.get(family, 0.0) + cost / costs.sum()
    most = sorted(shares.items(), key=lambda item: -item[1])[:4]
    return ", ".join(f"{family} {share:.0%}" for family, share in most)


def spread(values):
    """LOW to HIGH hours, the 5th and 95th percentiles of seconds."""
    low, high = np.percentile(values, [5, 95]) / HOUR
    return f"{low:,.0f} to {high:,.0f}"


def text(costs, unknown, options, cores, ratios, measured, estimated):
    """The section, as markdown."""
    names, seconds = list(costs), np.array(list(costs.values()))
    order = np.argsort(seconds)
    names, seconds = [names[i] for i in order], seconds[order]
    possible = [drawn(names, seconds, ratios, draw) for draw in range(DRAWS)]
    whole = [queue(costs, cores).makespan for costs in possible]
    apart = [queue(split(costs, seconds, options, options.runs)[::-1], cores).makespan for costs in possible]
    every = np.array([ratio for some in ratios.values() for ratio in some])
    factor = np.exp(np.abs(np.log(every)))
    total, hundredth = seconds.sum(), seconds[-len(seconds) // 100 :].sum()
    dear = int(np.sum(seconds > SPLIT_ABOVE))
    return f"""## What everything would take

**An estimate**, by the cost model of [all families](families.md): the {len(names):,} sampled tasks of TaskSet and made_family
that can run, each with {len(options.optimizers)} learning rates x {len(options.seeds)} seeds x {options.steps:,} steps and
{options.evaluations + 1} evaluations of {options.batches} batches per split, on {cores:,} cores with one task each at a time.
{f"{unknown} tasks have no estimate." if unknown else "Every one of them has an estimate."}

- Together **{total / HOUR:,.0f} core-hours**: {total / HOUR / cores:,.0f} hours if no core ever waited.
- Of these, {by_family(names, seconds)}.
- The most expensive task takes {seconds[-1] / HOUR:,.0f} hours on its core, the median one {np.median(seconds) / 60:.0f} minutes;
  the most expensive 1% of the tasks takes {hundredth / total:.0%} of the time.

{schedules(names, seconds, options, cores)}

**The tail.** No schedule of whole tasks ends before the most expensive task does. Cheapest first, the order of `baseline`,
shows results early and leaves the most expensive task for the end. Shards, shared out by hash, are uneven: most cores wait for
the one that has the most expensive task and others besides.

**Splitting.** *Expensive tasks* are the {dear:,} above {SPLIT_ABOVE / HOUR:.0f} core-hours. Their runs don't depend on one
another. To split them by rate, start one job per `--optimizer`, each with an `--out` of its own, and [merge](how-to/merge.md) the
results. To split them by seed takes Python: `taskset.normalization.sweep.runner.sweep_to_file`, whose options name the seeds.
Each part compiles its task again, which the core-hours include.

**How good the model is.** {len(every):,} sweeps of the package's baselines took {measured / HOUR:,.0f} core-hours; the model says
{estimated / HOUR:,.0f}, {estimated / measured:.2f} times as much. For a single sweep it is off by a factor of
{np.median(factor):.1f} in the median and {np.percentile(factor, 95):.1f} at the 95th percentile. It counts
{planning.TASK_SECONDS:.0f} seconds for each task to be built; runs that share a program or diverge cost less; machines differ.
For other estimates, every task's cost is multiplied by the ratio of measured to estimated cost of a sweep of its family, drawn
at random; 5th to 95th percentile of {DRAWS} such draws:
{spread([costs.sum() for costs in possible])} core-hours; {spread(whole)} hours to the end with one queue, cheapest first;
{spread(apart)} hours with expensive tasks by rate and seed, most expensive first. Synthetic data; drawing real images adds to it.

Made by `python -m tools.baselines.cluster_reckoning`. {report.conditions("taskset", "numpy")}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cores", type=int, default=1000)
    report.publish_option(parser, "the section of docs/benchmarks.md")
    arguments = parser.parse_args()
    options = SweepOptions(tuple(adam_rates()), "synthetic", 10_000, tuple(range(5)), 50, 50)
    costs, unknown = estimates(options)
    section = text(costs, unknown, options, arguments.cores, *off_by())
    report.show(arguments, "reckoning", section, DOCUMENT)


if __name__ == "__main__":
    main()
