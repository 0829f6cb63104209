"""Which way of executing the training loop is fastest, for tasks of every family.

    python -m benchmarks.modes [--family NAME ..] [--samples 6] [--publish]

The sample of a family is that of benchmarks/families.py. Each task is trained with Adam on synthetic data in a process of its
own, on one core with one thread; the modes take turns, CPU time of the process is counted, medians. The largest tasks are left
out (--max-ms). Prints the section "modes" of docs/benchmarks.md, on which the rule of
`taskset.execution.loop.execution_mode` rests; --publish writes it.
"""

import argparse
import os
import statistics
import time

from benchmarks import families, processes
from taskset.catalogue import get_task
from taskset.execution import costs
from taskset.execution.runtime import start_tensorflow
from tools import report

MODES = ("xla_loop", "graph_loop")
CALL_SECONDS = 0.2
ROUNDS = 5


def _cpu(function, *args):
    before = time.process_time()
    function(*args)
    return time.process_time() - before


def _measure(name, pipe):
    """In a process of its own: {mode: seconds of CPU time a step} and the mode that the rule chooses."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    start_tensorflow(threads=1)
    from taskset.execution.loop import Loop, execution_mode
    from taskset.optimizers import get_optimizer

    task, optimizer = get_task(name, "synthetic"), get_optimizer(families.OPTIMIZER)
    hparams, ways, found = optimizer.hparams(10_000), {}, {mode: [] for mode in MODES}
    for mode in MODES:
        loop = Loop(task, optimizer, mode=mode)
        run, raw = loop.start(0), loop.draw(0, 0)
        loop.compile(run, hparams)
        steps = 1
        while (seconds := _cpu(loop.train, run, hparams, steps, raw)) < CALL_SECONDS and steps < loop.chunk:
            steps = min(loop.chunk, max(2 * steps, int(CALL_SECONDS * steps / seconds)))
        ways[mode] = loop, run, raw, steps
    for _ in range(ROUNDS):
        for mode, (loop, run, raw, steps) in ways.items():
            found[mode].append(_cpu(loop.train, run, hparams, steps, raw) / steps)
    pipe.send(({mode: statistics.median(times) for mode, times in found.items()}, execution_mode(task)))


def _chosen(family, samples, most):
    names = families.sample(families.facts_of(family), samples)
    return [name for name in names if (costs.milliseconds(name) or (0,))[0] <= most]


def _row(family, results):
    """One line of the table: by how much the graph loop is faster, and what the rule costs against the better of both."""
    speed = [times["xla_loop"] / times["graph_loop"] for times, _ in results]
    lost = [times[mode] / min(times.values()) for times, mode in results]
    modes = "/".join(sorted({mode for _, mode in results}))
    return [family, len(results), modes, *(f"{f(speed):.2f}" for f in (min, statistics.median, max)), f"{max(lost):.2f}"]


def _section(rows, most):
    header = ["family", "tasks", "rule's choice", "least", "median", "most", "rule over best, worst"]
    return f"""## Execution modes on a CPU

CPU time of a step in `xla_loop` over that in `graph_loop` (above 1: the graph loop is faster): least, median and most over a
sample of each family's tasks (those under {most:g} ms a step). The last column is the time in the mode that `execution_mode`
chooses over that in the better mode, at its worst. Medians of {ROUNDS}, one thread, one core, in turn; synthetic data. Made by
`python -m benchmarks.modes`.

{report.table(header, rows)}

{report.conditions("tensorflow", "dm-sonnet", "numpy")}."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", nargs="+", default=families.families(), help="Families to measure; by default all.")
    parser.add_argument("--samples", type=int, default=6, help="Tasks of each family.")
    parser.add_argument("--max-ms", type=float, default=60.0, help="Only tasks whose step takes at most so long.")
    report.publish_option(parser)
    arguments = parser.parse_args()
    report.require_whole(parser, arguments, "family")
    rows = []
    for family in arguments.family:
        results = []
        for name in _chosen(family, arguments.samples, arguments.max_ms):
            results.append(processes.result_of(_measure, name))
            times, mode = results[-1]
            print(name, *(f"{m} {1e3 * s:.4g} ms" for m, s in times.items()), "chosen:", mode, flush=True)
        if results:
            rows.append(_row(family, results))
    text = _section(rows, arguments.max_ms)
    report.show(arguments, "modes", text)


if __name__ == "__main__":
    main()
