"""How busy the workers of an outer training are: whole tasks for each of them, or a group of every task's pairs.

    python -m benchmarks.outer_workers [--rounds 4] [--steps 25] [--publish]

`anchored_muon` by `es_single`, 8 pairs, truncations of 50 steps, 4 tasks in an outer step, of 16 that are in training: the
training tasks of `tiny:1` without convolutions, of which a recurrent network takes ten times as long as a quadratic. Two
workers; the pairs in one group (a worker has every other task) and in two (each has half of the pairs of every task). Both
trainings are open at the same time and take turns, once every slot has its program; busy is CPU time of the workers over their
wall time. Prints the section "outer_workers" of docs/benchmarks.md.
"""

import argparse
import contextlib
import dataclasses
import os
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks import processes
from taskset.execution.runtime import start_tensorflow
from tools import report

WORKERS, SLOTS = 2, 16
GROUPS, START = (1, 2), 30  # outer steps in which every slot is met
WITHOUT = ("tiny_conv",)  # slow under XLA on a CPU


def suite():
    """Training tasks of unequal costs that share a few programs."""
    from taskset.scoring.suites import by_name

    whole = by_name.get_suite("tiny:1")
    return dataclasses.replace(whole, tasks=tuple(one for one in whole.of_split("train") if one.family not in WITHOUT))


class Training:
    """An outer training with workers, open; `turn` takes outer steps."""

    def __init__(self, stack, suite, groups):
        from learned.outer_training import session
        from learned.outer_training.options import Options

        options = Options(
            "anchored_muon", estimator="es_single", pairs=8, steps=50, lengths="log_uniform:100:1000", first_lengths="spread",
            slots=SLOTS,
            tasks_per_step=4, episodes=10**6, groups=groups,
        )  # fmt: skip
        place = stack.enter_context(tempfile.TemporaryDirectory())
        before = set(processes.children(os.getpid()))
        self.trainer = stack.enter_context(session.open_trainer(suite, options, Path(place), workers=WORKERS, memory=6000))
        self.workers = sorted(set(processes.children(os.getpid())) - before)

    def turn(self, steps):
        """(wall, CPU seconds of all workers) of so many outer steps."""
        start, cpu = time.perf_counter(), self._cpu()
        self.trainer.train(self.trainer.step + steps, save_every=10**6)
        return time.perf_counter() - start, self._cpu() - cpu

    def _cpu(self):
        return sum(processes.cpu_seconds(pid) for pid in self.workers)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4, help="Turns of each training.")
    parser.add_argument("--steps", type=int, default=25, help="Outer steps of a turn.")
    report.publish_option(parser)
    arguments = parser.parse_args()
    start_tensorflow(threads=1)
    import learned  # noqa: F401

    chosen, found, rows = suite(), {}, []
    with contextlib.ExitStack() as stack:
        trainings = {groups: Training(stack, chosen, groups) for groups in GROUPS}
        for groups, training in trainings.items():
            found[groups] = [training.turn(START)]
            print(f"{groups} groups: {START} outer steps, {found[groups][0][0]:.0f} s", flush=True)
        for _ in range(arguments.rounds):
            for groups, training in trainings.items():
                found[groups].append(training.turn(arguments.steps))
                print(groups, found[groups][-1], flush=True)
    for groups, ((start, _), *turns) in found.items():
        wall = statistics.median(wall for wall, _ in turns) / arguments.steps
        busy = sum(cpu for _, cpu in turns) / sum(wall for wall, _ in turns) / WORKERS
        cpu = statistics.median(cpu for _, cpu in turns) / arguments.steps
        rows.append([groups, f"{1e3 * wall:.0f}", f"{1e3 * cpu:.0f}", f"{busy:.0%}", f"{3600 / wall:,.0f}", f"{start:.0f}"])
    header = ["groups", "wall ms of an outer step", "CPU ms, both workers", "busy", "outer steps an hour", f"first {START}, s"]
    text = f"""## Workers of an outer training

`anchored_muon` by `es_single`, 8 pairs, truncations of 50 steps, 4 tasks in an outer step, of {SLOTS} in training: MLPs,
autoencoders, quadratics and a recurrent network, some of which take ten times as long as others; two workers. With one group
a worker has every other task. With two (`--groups 2`) it has half of the pairs of every task, and compiles the programs of all
tasks; nearly all of this compiling is in the first {START} outer steps. Medians of turns. Made by
`python -m benchmarks.outer_workers`.

{report.table(header, rows)}

Load average at the end: {os.getloadavg()[0]:.1f}. {report.conditions("tensorflow", "numpy")}."""
    report.show(arguments, "outer_workers", text)


if __name__ == "__main__":
    main()
