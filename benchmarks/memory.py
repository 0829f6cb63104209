"""A hundred tasks in one outer training: the memory of the workers that compute estimates, compilation included.

    python -m benchmarks.memory [--tasks 100] [--workers 2] [--max-parameters 300000]

The suite has all measured tasks on synthetic data that are small enough, whatever split they are in: this measures memory,
nothing is learned that counts. `mlp` by PES in episodes of one truncation, so that another task is drawn for every estimate,
until so many different tasks have been trained on. The workers are those of `python -m learned train --workers N` with its
defaults; their memory is read twice a second from the system (/proc: Linux only). Prints the section "memory" of
docs/benchmarks.md; --publish writes it.
"""

import argparse
import dataclasses
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

from benchmarks import processes
from tools import report

PARTS = ("Pss", "Rss", "Anonymous")
SECONDS = 0.5  # between two looks


def candidates(horizon, max_milliseconds, max_parameters):
    """A suite of all tasks that are small enough, all of them to train on."""
    from taskset.scoring import suites

    made = suites.make("memory", ["*"], None, "synthetic", horizon, max_milliseconds, max_parameters)
    return dataclasses.replace(made, tasks=tuple(dataclasses.replace(entry, split="train") for entry in made.tasks))


class Watch:
    """Looks at the workers of this process from a thread; a context manager. peaks: {part: MiB}, of any worker."""

    def __init__(self):
        self.peaks, self.pids, self.cpu, self._over = dict.fromkeys(PARTS, 0.0), set(), {}, threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self):
        while not self._over.wait(SECONDS):
            for pid in processes.children(os.getpid()):
                try:
                    found, self.cpu[pid] = processes.proportional_mib(pid), processes.cpu_seconds(pid)
                except (OSError, IndexError):  # one that has just ended
                    continue
                self.pids.add(pid)
                self.peaks = {part: max(self.peaks[part], found.get(part, 0.0)) for part in PARTS}

    def in_words(self):
        """The peaks so far, in words."""
        return ", ".join(f"{part} {peak:.0f} MiB" for part, peak in self.peaks.items())

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()


def train(suite, count, workers):
    """({task: family} trained on, estimates, how many workers were replaced, `Watch`, wall seconds)."""
    from learned import optimizers
    from learned.outer_training.options import Options
    from learned.outer_training.trainer import Trainer
    from learned.outer_training.workers import Workers
    from taskset.datasets.sharing import shared_arrays

    sizes = {}
    for entry in suite.tasks:
        sizes[entry.family] = sizes.get(entry.family, 0) + 1
    options = Options("mlp", pairs=4, steps=20, lengths="20", family_weights=sizes)  # every task alike
    seen, estimates, start = {}, [], time.perf_counter()

    def note(line):
        estimates.extend(line["tasks"])
        seen.update({task["task"]: task["family"] for task in line["tasks"]})
        print(f"step {line['step']}: {len(seen)} tasks; at most {watch.in_words()}", flush=True)

    with shared_arrays(), Workers(workers, suite, options) as pool, tempfile.TemporaryDirectory() as place, Watch() as watch:
        trainer = Trainer(Path(place), suite, options, pool, optimizers.get("mlp"))
        trainer.train_until(lambda: len(seen) >= count, save_every=sys.maxsize, report=note)
        return seen, len(estimates), pool.replaced, watch, time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=100, help="How many different tasks to train on.")
    parser.add_argument("--workers", type=int, default=2, help="Worker processes.")
    parser.add_argument("--horizon", type=int, default=2000, help="Horizon of the baselines.")
    parser.add_argument("--max-ms", type=float, default=10.0, help="Only tasks whose step takes at most so long.")
    parser.add_argument("--max-parameters", type=float, default=300_000, help="Only tasks of at most so many parameters.")
    report.publish_option(parser)
    arguments = parser.parse_args()
    suite = candidates(arguments.horizon, arguments.max_ms, arguments.max_parameters)
    if len(suite.tasks) < arguments.tasks:
        raise SystemExit(f"{len(suite.tasks)} tasks are measured and small enough: {arguments.tasks} are asked for")
    with tempfile.TemporaryDirectory() as programs:  # empty: each program is compiled when its task is first met
        os.environ["TASKSET_COMPILE_CACHE"] = programs
        seen, estimates, replaced, watch, seconds = train(suite, arguments.tasks, arguments.workers)
    counts = len(seen), len(set(seen.values())), estimates, arguments.workers, replaced
    row = [*counts, *(f"{watch.peaks[part]:.0f}" for part in PARTS), f"{sum(watch.cpu.values()):.0f}", f"{seconds:.0f}"]
    header = ["tasks", "families", "estimates", "workers", "replaced", "MiB a worker: Pss", "Rss", "private", "CPU s", "s"]
    text = f"""## Memory of an outer training

`python -m benchmarks.memory`: `mlp` by PES (4 pairs, truncations of 20 steps, 8 tasks in the pool) on tasks of up to
{arguments.max_parameters:,.0f} parameters, synthetic data, drawn one after the other from {len(suite.tasks)}, compiled when
first met. The table has the most that any worker had at any moment; the aim is at most 1.5 GB. In Pss, pages that processes share
(libraries, data sets) count in parts, so that the sum over processes is what the machine must have; in Rss they count in each.

{report.table(header, [row])}

{report.conditions("tensorflow", "numpy")}."""
    report.show(arguments, "memory", text)


if __name__ == "__main__":
    main()
