"""What `python -m taskset baseline` costs beside the training itself, and how much memory its workers hold.

    python -m benchmarks.sweep [--source tfds --data-dir DIR] [--steps 4000]

Sweeps published tasks (17 learning rates, 3 seeds) with one worker per core and samples the workers' memory and processor time.
Prints the section "sweep" of docs/benchmarks.md, which --publish writes: for each task core-seconds by purpose, and against 51
times the training of a single run, which is timed by itself; for the whole, peak memory of each worker (resident, and of it
shared file pages) and the share of time that the cores were busy.
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import processes
from taskset.catalogue import get_task
from taskset.execution.runtime import start_tensorflow
from taskset.normalization import store
from tools import report

# Of cifar10, the longest first, so that both workers are busy to the end; and some without data, whose runs go in one program.
IMAGES = ("conv_pooling_family_seed88", "mlp_ae_family_seed28", "mlp_family_seed169", "mlp_family_seed10")
TASKS = (*IMAGES, *(f"losg_tasks_family_seed{seed}" for seed in (1, 8, 30)), "quadratic_family_seed13")
PARTS = ("train", "evaluate", "compile", "draw", "start", "build", "open", "total")


def single(name, source, data_dir, steps):
    """CPU seconds of one training run of a task by itself, its batches included, evaluation and compilation not."""
    start_tensorflow(threads=1)
    from taskset.execution.loop import Loop
    from taskset.optimizers import get_optimizer

    task, optimizer = get_task(name, source, data_dir), get_optimizer("adam_lr_-3.00")
    loop = Loop(task, optimizer, steps // 50)
    run, hparams = loop.start(0), optimizer.hparams(steps)
    loop.compile(run, hparams)
    begin = time.process_time()
    while run.step < steps:
        loop.train(run, hparams, loop.chunk)
    return time.process_time() - begin


def costs(root, singles):
    """Rows of core-seconds by purpose, for each task swept; singles: {task: seconds of a single run}."""
    rows = []
    for path in Path(root, "curves").rglob("*.parquet"):
        metadata = store.read_metadata(path)
        spent, alone = json.loads(metadata["core_seconds"]), 51 * singles[metadata["task"]]
        rest = spent["total"] - spent["train"] - spent["evaluate"]
        rows.append(
            [
                metadata["task"],
                metadata["mode"],
                metadata["copies"],
                f"{alone:.1f}",
                *(f"{spent.get(part, 0.0):.1f}" for part in PARTS),
                f"{spent['total'] / alone:.2f}",
                f"{rest / (spent['train'] + spent['evaluate']):.0%}",
            ]
        )
    return sorted(rows, key=lambda row: TASKS.index(row[0]))


HEADER = [
    "task",
    "mode",
    "copies",
    "51 x single run",
    "train",
    "evaluate",
    "compile",
    "draw",
    "start",
    "build",
    "open",
    "total",
    "total / (51 x single run)",
    "overhead",
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", default="synthetic", help="Source of the data: tfds or synthetic.")
    parser.add_argument("--data-dir", help="TFDS directory.")
    parser.add_argument("--steps", type=int, default=4000, help="Steps of each run, a multiple of 50.")
    report.publish_option(parser)
    arguments = parser.parse_args()
    processes.compile_everything()
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        singles = {name: pool.apply(single, (name, arguments.source, arguments.data_dir, arguments.steps)) for name in TASKS}
    with tempfile.TemporaryDirectory() as root:
        command = [
            sys.executable,
            "-m",
            "taskset",
            "baseline",
            *TASKS,
            "--source",
            arguments.source,
            "--steps",
            str(arguments.steps),
        ]
        command += ["--seeds", "3", "--batches", "5", "--out", root]
        workers, wall = processes.watch(command + (["--data-dir", arguments.data_dir] if arguments.data_dir else []))
        rows = costs(root, singles)
    memories = [
        [f"worker {i + 1}", f"{m['VmRSS']:.0f}", f"{m['RssFile']:.0f}", f"{cpu / wall:.0%}"]
        for i, (m, cpu) in enumerate(workers.values())
    ]
    text = f"""## Sweep

`python -m benchmarks.sweep`: four cifar10 tasks ({arguments.source} data) and four without data, 17 learning rates x 3 seeds,
{arguments.steps} steps, 51 evaluations of 5 batches of each split. Core-seconds. A single run is one learning rate and seed by
itself without evaluation; copies are runs in one program. Overhead is everything beside training and evaluation, in per cent of
these: above all compiling (the cache of programs is off here), which each task needs once, whatever its steps. Opening decodes
cifar10, once for all tasks.

{report.table(HEADER, rows)}

Workers, {wall:.0f} s in all (start of Python and TensorFlow included):

{report.table(["", "peak resident, MiB", "of it file pages, shared, MiB", "busy"], memories)}

{report.conditions("tensorflow", "numpy")}"""
    report.show(arguments, "sweep", text)


if __name__ == "__main__":
    main()
