"""What tuning gains by being judged on the runs that it chose by: Adam tuned for each task, beside the same without that gain.

    python -m tools.one_run.cross_fitted [--publish]

Question. A tuned rival is, for each task, the rate with the lowest score over some runs, and its score is that of the same runs:
of 17 rates one that was lucky looks better than it is. By how much?

Formula. y[t, r, s]: score of task t, rate r, seed s (mean of the normalized train loss over the curve). As tables have it:
mean over t of min_r mean_s y[t, r, s]. Cross-fitted: mean over t and s of y[t, r(t, s), s], where r(t, s) is the rate with the
lowest mean over the other seeds. With two seeds it chooses by one run where the tables choose by two, so it is somewhat worse
than tuning by two runs is: what two runs give on a third is between both numbers.

Settings. The tasks of a split of each of SUITES, Adam's 17 rates from the package's baselines, cut at 200 steps and in full. The
intervals are those of the paired difference over tasks.
"""

import argparse

import numpy as np

from taskset.samplers.optimizers import adam_rates
from taskset.scoring import statistics
from taskset.scoring.suites import by_name
from tools import one_run, report
from tools.one_run import run_curves

SUITES = {"heldout:1": "test", "heldout-valid:1": "valid"}
VIEW = "mean"


def adam_scores(suite, split):
    """{horizon: (tasks, scores [tasks, rates, seeds])} of Adam on the tasks of a split, by the train loss."""
    runs = run_curves.scored_runs(run_curves.baselines_alone(suite, split), suite, VIEW)
    runs = runs[(runs["split"] == "train") & runs["optimizer"].isin(adam_rates())]
    found = {}
    for horizon, part in runs.groupby("horizon"):
        table = part.set_index(["task", "optimizer", "seed"])["score"].unstack(["optimizer", "seed"])
        table = table.sort_index(axis=1)
        shape = [len(table), *(table.columns.get_level_values(name).nunique() for name in ("optimizer", "seed"))]
        if table.shape[1] != shape[1] * shape[2] or table.isna().to_numpy().any():
            raise ValueError(f"{suite.name}, {horizon} steps: some task lacks a run of some rate")
        found[int(horizon)] = list(table.index), table.to_numpy().reshape(shape)
    return found


def same_runs(scores):
    """[tasks] scores of the best rate of each task, chosen and judged by all seeds. scores: [tasks, rates, seeds]."""
    return scores.mean(axis=2).min(axis=1)


def other_runs(scores):
    """[tasks] scores of the rate that is best by the other seeds, mean over seeds. scores: [tasks, rates, seeds]."""
    tasks, judged = np.arange(len(scores)), []
    for seed in range(scores.shape[2]):
        chosen = np.delete(scores, seed, axis=2).mean(axis=2).argmin(axis=1)
        judged.append(scores[tasks, chosen, seed])
    return np.mean(judged, axis=0)


def row(suite, horizon, scores):
    """A line of the table."""
    same, other = same_runs(scores), other_runs(scores)
    iqm = [f"{statistics.interquartile_mean(values):.3f}" for values in (same, other)]
    means = [f"{values.mean():.3f}" for values in (same, other)]
    difference = statistics.estimate(other - same).text("+.3f")
    return [suite, f"{horizon:,}", len(scores), scores.shape[2], *means, difference, *iqm]


def measure():
    """Rows of the table."""
    found = {name: adam_scores(by_name.get_suite(name), split) for name, split in SUITES.items()}
    return [row(name, horizon, scores) for name, of in found.items() for horizon, (_, scores) in of.items()]


def section(rows):
    """The table in Markdown."""
    header = [
        "suite", "steps", "tasks", "seeds", "chosen by the same runs: mean", "by the other runs: mean", "difference",
        "same runs: IQM", "other runs: IQM",
    ]  # fmt: skip
    return f"""{report.table(header, rows)}

Adam, 17 rates, tuned for each task by train loss; synthetic data or none. Brackets: 95% bootstrap intervals over tasks."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    report.publish_option(parser, "the section of docs/one_run.md")
    arguments = parser.parse_args()
    text = section(measure())
    report.show(arguments, "cross-fitted", text, one_run.DOCUMENT)


if __name__ == "__main__":
    main()
