"""How the best rate of steps relative to the parameters depends on the length of a run: the settings of `relative_nadam`.

    python -m tools.one_run.relative_rates SUITE --out DIR [--per-family 'losg_*=6' '*=1'] [--publish]

On a few training tasks of each family, `relative_nadam` makes runs of 200, 520 and 2,000 steps with several `travel`, and with
other `share`. If the best rate falls like one over the root of the number of steps, one `travel` is the best at all lengths.
Settings are copies in one program (`tools.one_run.side_by_side`). --publish writes the section "relative_rates" of
docs/one_run_history.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from taskset.execution.runtime import start_tensorflow
from tools import one_run, report
from tools.one_run import run_curves, task_choice

HORIZONS = (200, 520, 2000)  # multiples of the interval between evaluations
TRAVELS, SHARE = (0.25, 0.5, 0.75, 1.0, 1.5, 2.5), 0.1
SHARES = (0.03, 0.3)  # with the travel in the middle
MIDDLE = 0.75
FEW = [("losg_*", 6), ("quadratic_*", 4), ("conv_*", 0), ("char_*", 0), ("mlp_family", 3), ("mlp_ae_*", 2), ("*", 1)]


def settings():
    """{(travel, share): optimizer}."""
    from taskset.optimizers import relative_nadam

    pairs = [*((travel, SHARE) for travel in TRAVELS), *((MIDDLE, share) for share in SHARES)]
    return {pair: relative_nadam(pair[0], share=pair[1], name=f"travel {pair[0]:g}, share {pair[1]:g}") for pair in pairs}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", help="Suite file.")
    parser.add_argument("--out", type=Path, required=True, help="Directory of the curves.")
    task_choice.per_family_option(parser, FEW)
    report.publish_option(parser, "the section of docs/one_run_history.md")
    arguments = parser.parse_args()
    start_tensorflow(threads=1)
    from tools.one_run import side_by_side

    suite, given = task_choice.few_of_file(arguments.suite, arguments.per_family), settings()
    tasks = [entry.task for entry in suite.tasks]
    curves = side_by_side.run(suite, tasks, given.values(), HORIZONS, arguments.out, seeds=(0,))
    means, diverged, _ = run_curves.scored(curves, suite, "mean")
    rows = []
    for (travel, share), optimizer in given.items():
        row = [f"{travel:g}, {share:g}"]
        for horizon in HORIZONS:
            found = means.loc["train", horizon][optimizer.name]
            row += [f"{travel * (3 / horizon) ** 0.5:.3f}", f"{found.mean():.3f}", f"{found.median():.3f}"]
        rows.append([*row, int(diverged.loc["train"][optimizer.name].sum())])
    header = ["travel, share"]
    for horizon in HORIZONS:
        header += [f"rate, {horizon:,} steps", "mean", "median"]
    seconds = sum(sum(json.loads(path.read_text()).values()) for path in arguments.out.glob("*_*.json"))
    families = {suite.entry(task).family for task in tasks}
    text = (
        f"Mean normalized train loss over the curve: mean and median over {len(tasks)} training tasks of {len(families)} "
        f"families, one seed; {seconds / 60:.0f} core-minutes:\n\n{report.table([*header, 'diverged runs'], rows)}\n\n"
        f"{report.conditions('tensorflow', 'numpy')}."
    )
    report.show(arguments, "relative_rates", text, one_run.HISTORY)


if __name__ == "__main__":
    main()
