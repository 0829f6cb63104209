"""A hundred tasks in one outer training: the memory of a process that computes estimates, compilation included.

    python benchmarks/memory.py [--tasks 100] [--max-parameters 160000]

Of all measured tasks on synthetic data those small enough, of one family after the other, as many as asked for, whatever split
they are in: this measures memory, nothing is learned that counts. `mlp` by PES, episodes of one window, each slot goes through
its share of the tasks, so that every task is compiled. The process is what `python -m learned train --workers N` starts N of,
with one thread. Its peak is the kernel's own (VmHWM): all pages, also those of libraries and data sets that processes share.
Writes the section "memory" of docs/benchmarks.md.
"""

import argparse
import dataclasses
import itertools
import math
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import report  # noqa: E402

SLOTS, TOGETHER = 16, 4  # slots, and how many of them an outer step takes


def mixed(count, horizon, max_milliseconds, max_parameters):
    """A suite of `count` tasks to train on, families in turn."""
    from learned import suites

    made = suites.make("memory", ["*"], None, "synthetic", horizon, max_milliseconds, max_parameters)
    families = {}
    for entry in made.tasks:
        families.setdefault(entry.family, []).append(dataclasses.replace(entry, split="train"))
    in_turn = [entry for row in itertools.zip_longest(*families.values()) for entry in row if entry is not None]
    if len(in_turn) < count:
        raise SystemExit(f"{len(in_turn)} tasks have a normalizer at horizon {horizon} and are small enough: {count} are asked for")
    return dataclasses.replace(made, tasks=tuple(in_turn[:count]))


def _train(suite, pipe):
    from taskset.quiet import start_tensorflow

    start_tensorflow(threads=1)
    import learned  # noqa: F401
    from learned import optimizers
    from learned.options import Options
    from learned.outer import Trainer
    from learned.scratch import shared_arrays
    from learned.slots import Slots
    from taskset.memory import private_mib

    tasks, seen = [entry.task for entry in suite.tasks], []

    class InOrder(Slots):
        def draw(self, slot, life):
            seen.append(tasks[(slot + SLOTS * (life - 1)) % len(tasks)])
            return seen[-1]

        def estimates(self, numbers, outer_step, theta):
            numbers = [(outer_step * TOGETHER + i) % SLOTS for i in range(TOGETHER)]
            found = super().estimates(numbers, outer_step, theta)
            peaks.append(private_mib())
            return found

    peaks = []
    options = Options("mlp", pairs=4, steps=20, lengths="20", slots=SLOTS, tasks_per_step=TOGETHER)
    with shared_arrays(), tempfile.TemporaryDirectory() as place:
        trainer = Trainer(Path(place), suite, options, InOrder(suite, options), optimizers.get("mlp"))
        trainer.train(math.ceil(len(tasks) / TOGETHER), report=lambda line: print(line["step"], round(peaks[-1]), flush=True))
    status = Path("/proc/self/status").read_text()
    pipe.send((len(set(seen)), int(status.split("VmHWM:")[1].split()[0]) / 1024, max(peaks), time.process_time()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--horizon", type=int, default=2000, help="of the baselines")
    parser.add_argument("--max-ms", type=float, default=5.0)
    parser.add_argument("--max-parameters", type=float, default=160_000)
    parser.add_argument("--no-write", action="store_true")
    arguments = parser.parse_args()
    report.compile_everything()
    suite = mixed(arguments.tasks, arguments.horizon, arguments.max_ms, arguments.max_parameters)
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_train, args=(suite, there))
    process.start()
    there.close()
    try:
        seen, resident, private, cpu = here.recv()
    except EOFError:
        raise SystemExit("the process failed; its message is above") from None
    process.join()
    families = len({entry.family for entry in suite.tasks})
    header = ["tasks compiled", "families", "peak resident, MiB", "peak private after a step, MiB", "CPU s"]
    text = f"""## Memory of an outer training

`python benchmarks/memory.py`: `mlp` by PES (4 pairs, windows of 20 steps) on {len(suite.tasks)} tasks of up to
{arguments.max_parameters:,.0f} parameters, synthetic data, each of them compiled, by one process with {SLOTS} slots and one thread. Wanted: at most
1.5 GB. Resident: all pages, also of libraries and data sets that processes share; private: those that are not.

{report.table(header, [[seen, families, f"{resident:.0f}", f"{private:.0f}", f"{cpu:.0f}"]])}

{report.conditions("tensorflow", "numpy")}."""
    print(text)
    if not arguments.no_write:
        report.write_section("memory", text)


if __name__ == "__main__":
    main()
