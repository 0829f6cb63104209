"""Whether learning rates rank on synthetic data as on real data, on all tasks that the baselines have with both.

    python -m tools.synthetic.rates [--publish]

Adam's 17 rates, 2,000 steps, of `data/` and `data-extra/`. L(rate) is the mean of the train loss (5 batches) over the evaluations
of the last tenth of a run; `tools.synthetic.acceptance.measures` says what is made of it. Both sources are measured against
the second seed on real data: synthetic data by their first seed, and, for what chance does, real data by theirs. The first seed
starts elsewhere than the second, and has other batches, on both. --publish writes the section "at_scale" of docs/synthetic.md.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from taskset.normalization import store
from taskset.samplers.optimizers import adam_rates
from taskset.scoring import statistics
from tools import report
from tools.baselines.tables import EXTRA
from tools.synthetic.acceptance import DOCUMENT, measures

STEPS = 2000
ADAM_RATES = adam_rates()
SOURCES = {"tfds": "other seed", "synthetic": "synthetic"}
DENSITIES = ("made_", "maf_", "nvp_", "FixedMAF_", "FixedNVP_")  # tasks with losses of any sign, whose ratios say nothing
COLUMNS = ("task", "source", "optimizer", "seed", "step", "train")


def curves(roots):
    """The curves of both sources under some roots (None: the package's), in one frame.

    Those of a task on a source are all of one root, the first that has all rates.
    """
    given = {"source": list(SOURCES), "optimizer": ADAM_RATES, "horizon": STEPS, "columns": COLUMNS}
    frames, known = [], set()
    for root in roots:
        frame = store.load_curves(root=root, **given).astype({"task": str, "source": str, "optimizer": str})
        counts = frame.groupby(["task", "source"])["optimizer"].nunique()
        new = set(counts.index[counts == len(ADAM_RATES)]) - known
        frames.append(frame[pd.MultiIndex.from_frame(frame[["task", "source"]]).isin(new)])
        known |= new
    return pd.concat(frames, ignore_index=True)


def final_losses(frame):
    """{(task, source, seed): (loss at the start, L [17])} of runs with all rates; L is inf where a run diverged."""
    keys = ["task", "source", "seed"]
    frame = frame.astype({"optimizer": str, "task": str, "source": str})
    start = frame[frame["step"] == 0].groupby(keys)["train"].mean()
    late = frame[frame["step"] >= 0.9 * STEPS].groupby([*keys, "optimizer"])["train"].apply(lambda x: x.mean(skipna=False))
    losses = late.unstack("optimizer").reindex(columns=ADAM_RATES)
    seen = frame.groupby(keys)["optimizer"].nunique()
    whole = seen.index[seen == len(ADAM_RATES)]
    found = losses.loc[whole].to_numpy(np.float64)
    return {key: (start[key], np.where(np.isfinite(x), x, np.inf)) for key, x in zip(whole, found)}


def compared(losses):
    """{task: {source: measures}} of the tasks with two seeds on real data, which lower the loss there, and one on synthetic."""
    found = {}
    for task in sorted({key[0] for key in losses}):
        of = {source: losses.get((task, source, 0)) for source in SOURCES}
        real = losses.get((task, "tfds", 1))
        if real and all(of.values()) and all(x.min() < start for start, x in (real, *of.values())):
            found[task] = {source: measures(real, one) for source, one in of.items()}
    return found


def rows(found, group_of):
    """A row for each group of tasks and source. group_of: {task: group}."""
    for group in [*sorted({group_of[task] for task in found}), "all"]:
        tasks = [task for task in found if group in ("all", group_of[task])]
        for source, title in SOURCES.items():
            of, others = ([found[task][one] for task in tasks] for one in (source, "tfds"))
            regrets, by_chance = (np.array([min(one["regret"], 1.0) for one in each]) for each in (of, others))
            ratios = [one["within 2x"] for task, one in zip(tasks, of) if not task.startswith(DENSITIES)]
            yield [
                group,
                len(tasks),
                title,
                f"{np.mean([one['rate within 3.2x'] for one in of]):.0%}",
                statistics.estimate(regrets).text(),
                "" if source == "tfds" else statistics.estimate(regrets - by_chance).text(),
                f"{np.mean([one['regret'] <= 0.05 for one in of]):.0%}",
                f"{np.median([one['profile distance'] for one in of]):.3f}",
                f"{np.mean(ratios):.0%}" if ratios else "",
            ]


def text(found, group_of):
    """Markdown of the section. group_of: [{task: group}], one for each table: by data set, by family."""
    header = ["", "tasks", "data", "best rate within 3.2x", "regret: mean", "less other seed's", "at most .05"]
    header += ["profile distance: median", "loss within 2x"]
    first, *others = [list(rows(found, groups)) for groups in group_of]
    tables = [report.table(header, one) for one in (first, *(other[: -len(SOURCES)] for other in others))]  # "all" stands once
    return "\n\n".join([*tables, report.conditions("numpy", "pandas")])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=EXTRA, help="Baselines beside the package's.")
    report.publish_option(parser, "the section of docs/synthetic.md")
    arguments = parser.parse_args()
    frame, tasks = curves([None, arguments.root]), store.load_tasks().set_index("task")
    found = compared(final_losses(frame))
    sets, families = tasks["dataset"].str.split("/").str[0].to_dict(), tasks["family"].to_dict()
    made = text(found, [sets, families])
    report.show(arguments, "at_scale", made, DOCUMENT)


if __name__ == "__main__":
    main()
