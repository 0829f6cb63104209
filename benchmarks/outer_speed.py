"""Where the time of a real outer training goes, and how many outer steps a core-hour holds.

    python -m benchmarks.outer_speed [--steps 30] [--tasks mnist fashion_mnist] [--publish]

`anchored` by persistent evolution strategies: 8 pairs, truncations of 50 steps, 4 tasks in an outer step, episodes log-uniform
from 100 to 2000 steps, mixed rescaling, on the tiny tasks of `learned.tasks.tiny_images` (synthetic data), in one process with
one thread. The first outer steps, until every slot has an estimate, are the start: reading data, building tasks, tracing and
compiling, without programs from the cache on disk. Then CPU seconds of the process for each part of an outer step, nested calls
counted once:

    program     the compiled truncation: task, optimizer, outer loss
    draw        raw batches, starts, perturbations
    start       estimators of tasks that come in later: building, tracing
    rest        the estimate, the outer optimizer, the log

How much of the program is the task and how much the optimizer is measured apart: the same truncation with a rule that does
nothing but w - g. Normalizers are made up, so nothing is learned that counts. Writes the section "outer_speed" of
docs/benchmarks.md.
"""

import argparse
import contextlib
import tempfile
import time

import numpy as np

from benchmarks import processes
from taskset.execution.runtime import start_tensorflow
from tools import report

PAIRS, STEPS, TASKS_PER_STEP, SLOTS = 8, 50, 4, 8
PARTS = ("program", "draw", "start", "rest")


class Clock:
    """CPU seconds by part; what is timed inside of another part counts for the inner one alone."""

    def __init__(self):
        self.seconds, self._open = dict.fromkeys(PARTS, 0.0), []
        self._last = time.process_time()

    def _lap(self):
        now = time.process_time()
        self.seconds[self._open[-1] if self._open else "rest"] += now - self._last
        self._last = now

    @contextlib.contextmanager
    def part(self, name):
        """Time a part."""
        self._lap()
        self._open.append(name)
        yield
        self._lap()
        self._open.pop()

    def wrapped(self, name, function):
        """`function`, timed."""

        def timed(*arguments, **more):
            with self.part(name):
                return function(*arguments, **more)

        return timed

    def reset(self):
        """Start from zero."""
        self._lap()
        self.seconds = dict.fromkeys(PARTS, 0.0)

    def result(self):
        """{part: seconds}."""
        self._lap()
        return dict(self.seconds)


def suite(sets):
    """The tiny tasks of some image sets, all to train on, with made-up scales."""
    from learned.tasks import tiny_images
    from taskset import catalogue
    from taskset.scoring.suites.suite import SCALES, Entry, Suite

    scales = {tiny_images.MLP: (2.4, 0.1), tiny_images.AUTOENCODER: (0.2, 0.01)}
    entries = []
    for name in catalogue.fixed_tasks():
        if name.startswith("Tiny_"):
            family, config = catalogue.resolve(name)
            if config["dataset"] in sets and config["bs"] == min(tiny_images.BATCHES):
                both = {split: scales[family] for split in SCALES}
                entries.append(Entry(name, family, "train", both))
    return Suite("tiny", 1, "synthetic", 2000, tuple(entries))


def watch(clock):
    """Time the parts of every outer step of this process."""
    from learned.estimators import base
    from learned.outer_training.task_pool import TaskPool
    from learned.unrolling.unroll import Unroll

    compiled = Unroll._compiled

    def timed(self, function):
        program = compiled(self, function)

        def run(*arguments):
            with clock.part("program"):
                losses, inner = program(*arguments)
                np.asarray(losses)  # on a CPU a program may return before it is done
            return losses, inner

        return run

    Unroll._compiled = timed
    Unroll.fresh = clock.wrapped("draw", Unroll.fresh)
    Unroll.raw = clock.wrapped("draw", Unroll.raw)
    base.perturbations = clock.wrapped("draw", base.perturbations)
    TaskPool._estimator = clock.wrapped("start", TaskPool._estimator)


def plain():
    """w <- w - rate g: what a truncation costs without an optimizer that is worth the name."""
    from learned.optimizers.base import LearnedOptimizer
    from taskset.tasks.initializers import constant

    def update(theta, grads, state, params, step, loss, validation_loss):
        return {path: w - theta["rate"] * grads[path] for path, w in params.items()}, state

    return LearnedOptimizer("plain", {"rate": ((), constant(0.01))}, lambda theta, params: {}, update)


def measure(optimizer, sets, steps):
    """(parts of the start, parts of `steps` outer steps, wall seconds of these, tasks started in them)."""
    from learned.outer_training.options import Options
    from learned.outer_training.task_pool import TaskPool
    from learned.outer_training.trainer import Trainer

    whole = suite(sets)
    chosen = Options(
        "anchored", pairs=PAIRS, steps=STEPS, lengths="log_uniform:100:2000", first_lengths="spread", slots=SLOTS,
        tasks_per_step=TASKS_PER_STEP, augment="mixed", late_restarts=0.8, differences="rms",
    )  # fmt: skip
    clock = Clock()
    watch(clock)
    pool = TaskPool(whole, chosen, memory=4000)
    if optimizer is not None:
        pool.optimizer = optimizer
        chosen_optimizer = optimizer
    else:
        chosen_optimizer = pool.optimizer
    with tempfile.TemporaryDirectory() as directory:
        trainer = Trainer(directory, whole, chosen, pool, chosen_optimizer)
        while len(pool.places) < SLOTS:
            trainer.train(trainer.step + 1)
        started = clock.result()
        clock.reset()
        drawn, wall = sum(place.draws for place in pool.places.values()), time.perf_counter()
        trainer.train(trainer.step + steps)
        wall = time.perf_counter() - wall
        return started, clock.result(), wall, sum(place.draws for place in pool.places.values()) - drawn


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--sets", nargs="+", default=("mnist", "fashion_mnist"))
    report.publish_option(parser)
    arguments = parser.parse_args()
    report.require_whole(parser, arguments, "sets")
    processes.compile_everything()
    start_tensorflow(threads=1)
    import learned  # noqa: F401

    started, parts, wall, drawn = measure(None, arguments.sets, arguments.steps)
    _, without, _, _ = measure(plain(), arguments.sets, arguments.steps)
    text = section(started, parts, without, wall, drawn, arguments)
    report.show(arguments, "outer_speed", text)


def section(started, parts, without, wall, drawn, arguments):
    """The section of docs/benchmarks.md."""
    total, task = sum(parts.values()), without["program"]
    rows = [
        ["optimizer, in the program", parts["program"] - task],
        ["task, in the program", task],
        *([name, parts[name]] for name in PARTS[1:]),
        ["all", total],
    ]
    cells = [[name, f"{1e3 * seconds / arguments.steps:.0f}", f"{seconds / total:.0%}"] for name, seconds in rows]
    return f"""## Outer steps of a real training

`anchored` by PES, {PAIRS} pairs, truncations of {STEPS} steps, {TASKS_PER_STEP} tasks in an outer step, mixed rescaling, on
{len(suite(arguments.sets).tasks)} tiny tasks of {len(arguments.sets)} image sets at batch size 32; one process, one thread,
{arguments.steps} outer steps. **{3600 * arguments.steps / total:,.0f} outer steps in a core-hour**,
{1e3 * wall / arguments.steps:.0f} ms of wall-clock each; the start took {sum(started.values()):.0f} CPU s
({started["program"]:.0f} of them compiling and running the first truncations),
and {drawn} tasks were taken up later. Made by `python -m benchmarks.outer_speed`.

{report.table(["part", "CPU ms in an outer step", "share"], cells)}

{report.conditions("tensorflow", "numpy")}."""


if __name__ == "__main__":
    main()
