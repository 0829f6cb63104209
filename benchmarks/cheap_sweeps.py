"""What a sweep of a cheap task costs beside its training steps: ten tasks of five families, .1 to 1 ms a step.

    python -m benchmarks.cheap_sweeps [--steps 2000] [--against CHECKOUT] [--publish]

Sweeps each task as `python -m taskset baseline` does (17 learning rates, 2 seeds, 51 evaluations of 5 batches), in a process of
its own with one thread and without the cache of programs; --against measures another checkout in turn. With fewer steps than
2,000, a part of the run is measured, in calls of the same 40 steps, and training and evaluation are multiplied. Prints a section
of docs/benchmarks.md, which --publish writes.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

SETTING, INTERVALS = 2000, 50  # steps and evaluations of the baselines' sweeps
FAMILIES = {
    "mlp_family": (3, 17),
    "mlp_ae_family": (2, 17),
    "mlp_vae_family": (10, 21),
    "nvp_family": (5, 40),
    "rnn_text_classification_family": (9, 26),
}
TASKS = [f"{family}_seed{seed}" for family, seeds in FAMILIES.items() for seed in seeds]
BESIDE = ("compile", "evaluate", "build", "start", "rest")


def one(name, steps):
    """{purpose: core-seconds} of a sweep of 2,000 steps, from `steps` of them; what tasks share is opened before."""
    from taskset.execution.runtime import start_tensorflow

    start_tensorflow(threads=1)
    from taskset.catalogue import get_task
    from taskset.normalization.sweep.options import SweepOptions
    from taskset.normalization.sweep.runner import Account, run_all
    from taskset.optimizers import get_optimizer
    from taskset.samplers.optimizers import adam_rates

    get_task(name, "synthetic").raw_batches("train", 0, 0, 1)
    names = tuple(adam_rates())
    account, optimizers = Account(), [get_optimizer(rate) for rate in names]
    began = time.process_time()
    with account("build"):
        task = get_task(name, "synthetic")
        task.raw_batches("train", 0, 0, 1)
    intervals = steps * INTERVALS // SETTING
    run_all(task, optimizers, SweepOptions(names, "synthetic", steps, (0, 1), evaluations=intervals), account=account)
    rest = time.process_time() - began - sum(account.seconds.values())
    times = {"train": SETTING / steps, "draw": SETTING / steps, "evaluate": (INTERVALS + 1) / (intervals + 1)}
    return {**{part: seconds * times.get(part, 1.0) for part, seconds in account.seconds.items()}, "rest": rest * SETTING / steps}


def measured(name, steps, tree):
    """`one` in a process of its own, with the packages of a checkout."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "TASKSET_COMPILE_CACHE": "off"}
    command = [sys.executable, __file__, "--one", name, "--steps", str(steps)]
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=SETTING, help="Steps that are measured, a multiple of 40.")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="Measure another checkout of the repository in turn.")
    parser.add_argument("--one", metavar="TASK", help="Sweep one task and print its core-seconds as JSON.")
    parser.add_argument("--publish", action="store_true", help="Write the section of docs/benchmarks.md.")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(one(arguments.one, arguments.steps)))
        return
    from tools import report  # --one runs on the packages of another checkout, which may not have it

    trees = {"before": arguments.against, "": Path(__file__).resolve().parents[1]}
    rows, sums = [], {which: [0.0, 0.0] for which, tree in trees.items() if tree}
    for name in TASKS:
        for which, both in sums.items():
            spent = measured(name, arguments.steps, trees[which])
            training, total = spent["train"] + spent["draw"], sum(spent.values())
            both[:] = both[0] + training, both[1] + total
            beside = [f"{spent.get(part, 0.0):.1f}" for part in BESIDE]
            rows.append([f"{name} {which}".strip(), f"{training:.1f}", *beside, f"{total:.1f}", f"{total / training:.2f}"])
            print(" ".join(rows[-1]), file=sys.stderr, flush=True)
    for which, (training, total) in sums.items():
        rows.append([f"all {which}".strip(), f"{training:.1f}", *[""] * len(BESIDE), f"{total:.1f}", f"{total / training:.2f}"])
    if arguments.against:
        saved = 1 - sums[""][1] / sums["before"][1]
        rows.append(["saved", "", *[""] * len(BESIDE), f"{saved:.0%}", ""])
    short = f" Measured on {arguments.steps:,} steps, times what is left out." if arguments.steps != SETTING else ""
    text = f"""## Sweeps of cheap tasks

`python -m benchmarks.cheap_sweeps`: core-seconds of a sweep in the setting of the baselines (17 learning rates x 2 seeds x
{SETTING:,} steps, 51 evaluations of 5 batches) without the cache of programs. "Steps" are the training steps with drawing and
preparing their batches; the last column is the total over "steps".{short}

{report.table(["task", "steps", *BESIDE, "total", "total / steps"], rows)}

Load average at the end: {os.getloadavg()[0]:.1f}. {report.conditions("taskset", "tensorflow", "numpy")}"""
    report.show(arguments, "cheap_sweeps", text)


if __name__ == "__main__":
    main()
