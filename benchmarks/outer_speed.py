"""Where the time of a real outer training goes, and how many outer steps a core-hour holds.

    python -m benchmarks.outer_speed [--optimizer anchored anchored_muon] [--steps 60] [--publish]

The training tasks of `tiny:1` with their normalizers, synthetic data; 8 pairs, truncations of 50 steps, 4 tasks in an outer step,
16 in training. Each rule is trained as its weights were (docs/one_run_history.md): `anchored` as `anchored_wide`, from
`anchored_pes`, `anchored_muon` as `muon_whole`, from `examples/anchored_muon_drawn.npz`. One process with one thread for each,
without programs from the cache on disk. The start is everything until every one of the 16 has an estimate, Python's own start
included. Then CPU seconds of the process for each part of an outer step, nested calls counted once:

    program     running compiled truncations: task, optimizer, outer loss
    draw        raw batches, starts, perturbations
    compile     tracing and compiling, without running: the first call of a program less the same call again
    build       tasks that come in: their data, their models
    rest        the estimate, the outer optimizer, the log

How much of the program is the task and how much the optimizer is measured apart, afterwards in the same process: the same
training with a rule that does nothing but w - rate g. Wall-clock time is apart: in how much of it the process waited for a core
(Linux says that), and in how much it used no CPU otherwise. Writes the section "outer_speed" of docs/benchmarks.md.
"""

import argparse
import contextlib
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest import mock

import numpy as np

from benchmarks import processes
from taskset.execution.runtime import start_tensorflow
from tools import report

SUITE, MEMORY = "tiny:1", 6000
SETTING = {
    "pairs": 8, "steps": 50, "slots": 16, "tasks_per_step": 4, "lengths": "log_uniform:100:2000", "first_lengths": "spread",
    "schedule": "cosine", "clipping": "norm", "clip": 1.0,
}  # fmt: skip
RULES = {
    "anchored": {
        "estimator": "pes", "learning_rate": 0.001, "warm_up": 50, "schedule_steps": 2200, "cost_power": 1.0,
        "trained": ["controller/*", "power", "length"], "family_weights": {"tiny_quadratic": 0.4},
    },
    "anchored_muon": {
        "estimator": "es_single", "learning_rate": 0.0005, "warm_up": 30, "schedule_steps": 900, "cost_power": 0.5, "episodes": 3,
    },
}  # fmt: skip
STARTS = {"anchored": "anchored_pes", "anchored_muon": Path(__file__).parents[1] / "examples/anchored_muon_drawn.npz"}
PARTS = ("program", "draw", "compile", "build", "rest")
LABELS = {"compile": "tracing and compiling", "build": "data and models of tasks"}
HOUR = 3600


class Clock:
    """(CPU, wall) seconds by part; what is timed inside of another part counts for the inner one alone. programs: compiled."""

    def __init__(self):
        self._open, self.programs = [], 0
        self.reset()

    def _lap(self):
        now = np.array([time.process_time(), time.perf_counter()])
        self._seconds[self._open[-1] if self._open else "rest"] += now - self._last
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

    def program(self, function):
        """A compiled function, timed: of its first call, what the same call takes again is running, and the rest compiling."""
        called = False

        def run(*arguments):
            nonlocal called
            if not called:
                called = True
                self.programs += 1
                with self.part("compile"):
                    _finished(function(*arguments))
                before = self._seconds["program"].copy()
                outputs = run(*arguments)
                self._seconds["compile"] -= self._seconds["program"] - before  # a training has one call, not two
                return outputs
            with self.part("program"):
                return _finished(function(*arguments))

        return run

    def reset(self):
        """Start from zero."""
        self._last = np.array([time.process_time(), time.perf_counter()])
        self._seconds = {name: np.zeros(2) for name in PARTS}

    def result(self):
        """{part: [CPU, wall] seconds}."""
        self._lap()
        return {name: seconds.copy() for name, seconds in self._seconds.items()}


def _finished(outputs):
    """The outputs (losses, ..) of a truncation, once they are there: a program may return before."""
    np.asarray(outputs[0])
    return outputs


@contextlib.contextmanager
def watched(clock):
    """A context in which a clock times the parts of every outer step of this process."""
    from learned.estimators import base
    from learned.outer_training.task_pool import TaskPool
    from learned.unrolling.unroll import Unroll

    compiled = Unroll._compiled
    parts = (
        (Unroll, "fresh", "draw"), (Unroll, "raw", "draw"), (base, "perturbations", "draw"),
        (Unroll, "_choose", "compile"), (Unroll, "empty", "compile"), (TaskPool, "_estimator", "build"),
    )  # fmt: skip
    with contextlib.ExitStack() as stack:
        timed = lambda self, function: clock.program(compiled(self, function))  # noqa: E731
        stack.enter_context(mock.patch.object(Unroll, "_compiled", timed))
        for place, name, part in parts:
            stack.enter_context(mock.patch.object(place, name, clock.wrapped(part, getattr(place, name))))
        yield


def plain(width):
    """w <- w - rate g: what a truncation costs without an optimizer that is worth the name.

    width: of the rule that it stands for, by which `learned.unrolling.unroll` decides whether copies are computed at once.
    """
    from learned.optimizers.base import LearnedOptimizer
    from taskset.tasks.initializers import constant

    def update(theta, grads, state, params, step, loss, validation_loss):
        return {path: w - theta["rate"] * grads[path] for path, w in params.items()}, state

    return LearnedOptimizer("plain", {"rate": ((), constant(0.01))}, lambda theta, params: {}, update, width)


def suite():
    """The suite that comes with `learned`."""
    import learned  # noqa: F401  has it
    from taskset.scoring.suites import by_name

    return by_name.get_suite(SUITE)


def setting(rule):
    """(`Options` of a rule's training, the weights that it starts from)."""
    from learned import optimizers
    from learned.deploy import pretrained
    from learned.outer_training import checkpoint, start_weights
    from learned.outer_training.options import Options

    start = start_weights.read(pretrained.find(STARTS[rule]), optimizers.get(rule))
    return Options(rule, start=checkpoint.digest(start), **SETTING, **RULES[rule]), start


@dataclass(frozen=True)
class Measured:
    """What was measured of a training.

    start: {part: CPU seconds} until every slot has an estimate, in `first` outer steps; parts: {part: CPU seconds} of `steps`
    more; wall: their wall-clock seconds; waited: those of them in which the process waited for a core, None where the system
    doesn't say; compiled: programs in the start and later; drawn: tasks that came in later.
    """

    start: dict
    first: int
    parts: dict
    steps: int
    wall: float
    waited: float | None
    compiled: tuple
    drawn: int

    @property
    def step(self):
        """CPU seconds of an outer step."""
        return sum(self.parts.values()) / self.steps

    @property
    def idle(self):
        """Wall-clock seconds of an outer step in which the process used no CPU."""
        return max(self.wall / self.steps - self.step, 0.0)

    @property
    def waiting(self):
        """Those of the idle seconds in which it waited for a core; None where the system doesn't say."""
        return None if self.waited is None else min(max(self.waited / self.steps, 0.0), self.idle)

    def in_first_hour(self):
        """Outer steps in the first core-hour of a training, its start included."""
        return self.first + (HOUR - sum(self.start.values())) / self.step


def measure(chosen, options, start, steps, without=False, imported=0.0):
    """The `Measured` of a training on a suite.

    without: with `plain` in place of the rule; imported: CPU seconds that the process took before.
    """
    from learned.outer_training.task_pool import TaskPool
    from learned.outer_training.trainer import Trainer

    clock = Clock()
    with watched(clock), tempfile.TemporaryDirectory() as directory:
        if without:
            options = type(options)(**{**options.as_json(), "trained": ["*"], "start": ""})
            start = None
        pool = TaskPool(chosen, options, memory=MEMORY, start=start)
        if without:
            pool.optimizer = plain(pool.optimizer.width)
        trainer = Trainer(directory, chosen, options, pool, pool.optimizer, start=start)
        drawn = lambda: sum(place.draws for place in pool.places.values())  # noqa: E731
        trainer.train_until(lambda: len(pool.places) == options.slots)
        started, first, before, programs = clock.result(), trainer.step, drawn(), clock.programs
        clock.reset()
        waited = processes.waited_seconds()
        trainer.train(first + steps)
        parts = clock.result()
        if waited is not None:
            waited = processes.waited_seconds() - waited
        return Measured(
            {"import": imported, **_cpu(started)}, first, _cpu(parts), steps, float(sum(wall for _, wall in parts.values())),
            waited, (programs, clock.programs - programs), drawn() - before,
        )  # fmt: skip


def _cpu(parts):
    return {name: float(cpu) for name, (cpu, _) in parts.items()}


def _in_process(rule, steps, pipe):
    start_tensorflow(threads=1)
    chosen, (options, start) = suite(), setting(rule)
    first = measure(chosen, options, start, steps, imported=time.process_time())
    pipe.send([asdict(one) for one in (first, measure(chosen, options, start, steps, without=True))])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--optimizer", nargs="+", choices=RULES, default=tuple(RULES), help="Rules whose training is timed.")
    parser.add_argument("--steps", type=int, default=60, help="Outer steps that are timed, after the start.")
    report.publish_option(parser)
    arguments = parser.parse_args()
    report.require_whole(parser, arguments, "optimizer")
    processes.compile_everything()
    found = {}
    for rule in arguments.optimizer:
        found[rule] = [Measured(**one) for one in processes.result_of(_in_process, rule, arguments.steps)]
        print(rule, *found[rule], sep="\n", flush=True)
    report.show(arguments, "outer_speed", section(found))


def rows(measured, without):
    """[(part, CPU seconds of an outer step)], which sum to `measured.step`."""
    parts = {name: seconds / measured.steps for name, seconds in measured.parts.items()}
    task = without.parts["program"] / without.steps
    program = [("task, in the program", task), ("optimizer, in the program", parts["program"] - task)]
    return program + [(LABELS.get(name, name), parts[name]) for name in PARTS[1:]]


def summary(measured):
    """[(what, number)] of a whole training."""
    start = sum(measured.start.values())
    running = start - sum(measured.start[name] for name in ("import", "build", "compile"))
    waited, idle = measured.waiting, measured.idle
    return [
        ("outer steps in a core-hour, after the start", f"{HOUR / measured.step:,.0f}"),
        ("outer steps in the first core-hour, start included", f"{measured.in_first_hour():,.0f}"),
        ("the start, CPU s", f"{start:.0f}"),
        ("its share of the first core-hour", f"{start / HOUR:.1%}"),
        ("Python and imports in it, CPU s", f"{measured.start['import']:.0f}"),
        ("data and models of tasks in it, CPU s", f"{measured.start['build']:.0f}"),
        ("tracing and compiling in it, CPU s", f"{measured.start['compile']:.0f}"),
        ("its outer steps themselves, CPU s", f"{running:.0f}"),
        ("outer steps in the start", measured.first),
        ("programs compiled in the start, and later", "{}, {}".format(*measured.compiled)),
        ("tasks that came in after the start", measured.drawn),
        ("wall-clock ms of an outer step", f"{1e3 * measured.wall / measured.steps:.0f}"),
        ("of it waiting for a core, ms", "" if waited is None else f"{1e3 * waited:.0f}"),
        ("of it idle, ms", f"{1e3 * (idle - (waited or 0.0)):.0f}"),
    ]


def section(found):
    """The section of docs/benchmarks.md. found: {rule: (`Measured`, the same without the rule)}."""
    columns, header = [], ["part"]
    for rule, both in found.items():
        header += [f"`{rule}`, CPU ms of an outer step", "share"]
        listed = rows(*both)
        columns.append([*listed, ("all", sum(seconds for _, seconds in listed))])
    parts = []
    for line in zip(*columns):
        cells = [(f"{1e3 * seconds:.0f}", f"{seconds / both[0].step:.0%}") for (_, seconds), both in zip(line, found.values())]
        parts.append([line[0][0], *(cell for pair in cells for cell in pair)])
    totals = [[line[0][0], *(number for _, number in line)] for line in zip(*(summary(both[0]) for both in found.values()))]
    some, tasks = next(iter(found.values()))[0], len(suite().of_split("train"))
    return f"""## Outer steps of a real training

The {tasks} training tasks of `{SUITE}` with their normalizers, synthetic data; {SETTING["pairs"]} pairs, truncations of
{SETTING["steps"]} steps, {SETTING["tasks_per_step"]} tasks in an outer step, {SETTING["slots"]} in training, episodes log-uniform
from 100 to 2,000 steps. `anchored` is trained as `anchored_wide` was, by `pes`, step sizes alone; `anchored_muon` as `muon_whole`
was, by `es_single`, all weights ([commands](one_run_history.md)). One process with one thread for each, {some.steps} outer steps
after the start, which is everything until all {SETTING["slots"]} tasks have an estimate; no program was in the cache on disk. The
task's part was measured with a rule that does nothing but w - rate g. Tracing and compiling are counted without the first run of
a program. The numbers depend on which tasks seed 0 draws, and on how many come in later, with data that are read for the first
time. Made by `python -m benchmarks.outer_speed`.

{report.table(header, parts)}

{report.table(["whole training", *(f"`{rule}`" for rule in found)], totals)}

Waiting for a core is wall-clock time in which the process was ready to run and other work had the cores; idle is the rest of the
time in which it used no CPU, and the waiting as well where the system doesn't tell. Load average at the end:
{os.getloadavg()[0]:.1f}; where it is above the number of cores, a step takes more CPU time, too, as caches are shared.
{report.conditions("tensorflow", "numpy")}."""


if __name__ == "__main__":
    main()
