"""Compiling many different tasks: time and memory, without and with the cache of compiled programs.

    python -m benchmarks.compile [--tasks 100] [--steps 200]

The first published MLPs below 5 ms a step are trained with Adam on synthetic data by one worker of
`taskset.jobs.pool` (one thread; replaced as in a sweep), twice: with an empty
directory of programs and again with what the first pass has left there. Losses of both must be the same to the last bit. Prints
the section "compile" of docs/benchmarks.md; --publish writes it.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import processes
from tools import report

MOST_MS = 5.0


def chosen(count):
    """Names of the first `count` feasible MLPs below MOST_MS."""
    from taskset import catalogue
    from taskset.execution import costs

    names = (f"mlp_family_seed{seed}" for seed in range(1000))
    feasible = (name for name in names if catalogue.facts(*catalogue.resolve(name)).infeasible is None)
    return [name for name, _ in zip((name for name in feasible if costs.milliseconds(name)[0] < MOST_MS), range(count))]


def _train(name, steps, path, report):
    """In a worker: train one task; a line of CPU seconds by purpose, and the last loss, to `path`."""
    from taskset.catalogue import get_task
    from taskset.execution.loop import Loop
    from taskset.optimizers import get_optimizer

    times, marks = {}, [time.process_time()]

    def mark(purpose):
        marks.append(time.process_time())
        times[purpose] = marks[-1] - marks[-2]

    task, optimizer = get_task(name, "synthetic"), get_optimizer("adam_lr_-3.00")
    loop, hparams = Loop(task, optimizer, steps), optimizer.hparams(steps)
    run = loop.start(0)
    mark("build")
    loop.compile(run, hparams)
    mark("compile")
    losses = []
    while run.step < steps:
        losses.extend(loop.train(run, hparams, min(loop.chunk, steps - run.step)))
    mark("train")
    with open(path, "a") as file:
        file.write(json.dumps({"task": name, **times, "loss": float(losses[-1]).hex()}) + "\n")


def _pass(names, steps, path):
    """The process that has the worker."""
    from taskset.datasets.sharing import shared_arrays
    from taskset.jobs import pool

    with shared_arrays():
        done = pool.run(names, _train, (steps, path), 1)
    if done.failed:
        raise SystemExit(f"{done.failed}")


def watched(names, steps, cache, path):
    """(wall seconds, peak {"VmRSS": MiB, ..} of a worker, [lines]) of one pass."""
    environment = {**os.environ, "TASKSET_COMPILE_CACHE": str(cache)}
    command = [sys.executable, "-m", "benchmarks.compile", "--child", str(path), "--steps", str(steps), "--names", *names]
    seen, wall = processes.watch(command, "RssAnon", environment)
    peak = max((memory for memory, _ in seen.values()), key=lambda m: m["RssAnon"])
    return wall, peak, [json.loads(line) for line in Path(path).read_text().splitlines()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=100, help="How many tasks to compile.")
    parser.add_argument("--steps", type=int, default=200, help="Training steps of each task.")
    report.publish_option(parser)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--names", nargs="*", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return _pass(arguments.names, arguments.steps, arguments.child)
    from taskset.execution.memory import PRIVATE_MIB
    from taskset.jobs.pool import RECYCLE

    names, rows, losses = chosen(arguments.tasks), [], []
    with tempfile.TemporaryDirectory() as place:
        for title in ("cold", "warm"):
            wall, peak, lines = watched(names, arguments.steps, Path(place, "programs"), Path(place, title))
            spent = [f"{sum(line[purpose] for line in lines):.0f}" for purpose in ("build", "compile", "train")]
            rows.append([title, len(lines), f"{wall:.0f}", *spent, f"{peak['VmRSS']:.0f}", f"{peak['RssAnon']:.0f}"])
            print(rows[-1], flush=True)
            losses.append([(line["task"], line["loss"]) for line in lines])
        size = sum(path.stat().st_size for path in Path(place, "programs").rglob("*.pb")) / 1e6
    if losses[0] != losses[1]:
        raise SystemExit("losses differ between the passes; the times of both are worthless")
    cpu = ["build, CPU s", "compile, CPU s", "train, CPU s"]
    header = ["cache", "tasks", "wall s", *cpu, "peak resident, MiB", "of it private, MiB"]
    text = f"""## Compiling {len(names)} tasks

`python -m benchmarks.compile`: the first {len(names)} MLPs of the suite below {MOST_MS:g} ms a step,
{arguments.steps} steps of Adam each, synthetic data, one worker with one thread, replaced after {RECYCLE} tasks at most,
or when it has {PRIVATE_MIB} MiB for itself. Build: making the task, its data and its parameters. Cold: an empty directory of
programs ({size:.0f} MB afterwards); warm: that directory, other processes. The last losses of all tasks are the same to the
last bit.

{report.table(header, rows)}

{report.conditions("tensorflow", "numpy")}."""
    report.show(arguments, "compile", text)


if __name__ == "__main__":
    main()
