"""Outer steps beside JAX: the same algorithm, one core, in turn.

    python -m benchmarks.outer [--rounds 7] [--publish]

A 64-32-10 MLP on 8x8 images at batch size 128; 16 pairs (or 16 trainings for backpropagation), truncations of 20 steps, episodes
of 100. An outer step is all of it: batches, perturbations, the truncation, the estimate, clipping, Adam. Each side runs in a
process of its own with one thread, pinned to the same core, a new one for each line: the first step then has all tracing and
compiling in it. Importing and reading the data set are outside. Then the sides take turns, A B A B; CPU seconds of the process,
medians.

JAX (benchmarks/jax_outer.py) has its outer step in one `jit`, its data on the device and its draws in the program; it is timed
with features first and last, and the faster one counts. Before timing, both get the same theta, perturbations, starts and
batches over truncations in which episodes end: gradients that differ stop it. Prints the section "outer" of docs/benchmarks.md;
--publish writes it.
"""

import argparse
import functools
import os
import statistics
import time

import numpy as np

from benchmarks import processes
from tools import report

TASK, SCALE = "Digits_mlp32_bs128", (2.4, 0.1)
PAIRS, STEPS, LENGTH, SIGMA, RATE, CLIP = 16, 20, 100, 0.01, 1e-3, 0.1
CHECKED_LENGTH, CHECKED = 30, 4  # truncations that are compared, in episodes that end inside of them
TOLERANCE = 1e-3  # of the gradients, relative to their norm
CALLS = 5  # outer steps a turn


def _now():
    return np.array([time.process_time(), time.perf_counter()])


class Side:
    """Times outer steps: `advance()` takes one."""

    def turn(self):
        """(CPU, wall) seconds an outer step."""
        start = _now()
        for _ in range(CALLS):
            self.advance()
        return tuple((_now() - start) / CALLS)


class Ours(Side):
    """Our own side, in its process."""

    def __init__(self):
        start = _now()
        from taskset.execution.runtime import start_tensorflow

        start_tensorflow(threads=1)
        import learned  # noqa: F401
        from taskset.catalogue import get_task

        self.imported = tuple(_now() - start)
        self.task = get_task(TASK, "synthetic")
        self.raw = self.task.raw_batches("train", 0, 0, 1)

    def first(self, optimizer, estimator):
        """(CPU, wall) seconds of importing, those of the first outer step, and what the other side needs."""
        start = _now()
        from learned import estimators, optimizers
        from learned.estimators import base
        from learned.outer_training import objectives, outer_optimizer
        from learned.unrolling.problem import Problem

        scale = objectives.LossScale(*SCALE)
        self.problem = Problem(self.task, optimizers.get(optimizer), objectives.get("train"), scale)
        self.estimator = estimators.get(estimator)(self.problem, base.Settings(PAIRS, STEPS, SIGMA))
        self.x = self.problem.theta(0).astype(np.float64)
        self.m, self.v, self.t, self.adam = np.zeros_like(self.x), np.zeros_like(self.x), 0, outer_optimizer.adam
        self.state = self.estimator.init(0)
        self.advance()
        took = tuple(_now() - start)
        data = self.task._open
        shared = {
            "theta": self.problem.theta(0), "theta_shapes": self.problem.layout.shapes,
            "params_shapes": self.task.parameter_shapes, "data": {"image": data.images["train"], "label": data.labels["train"]},
        }  # fmt: skip
        return self.imported, took, shared

    def advance(self):
        lengths = lambda rng, n: np.full(n, LENGTH)  # noqa: E731
        estimate, self.state = self.estimator.estimate(self.x.astype(np.float32), self.state, lengths)
        gradient = np.clip(estimate.gradient, -CLIP, CLIP)
        self.x, self.m, self.v = self.adam(self.x, self.m, self.v, gradient, self.t, RATE)
        self.t += 1

    def truncations(self):
        """Windows with everything that was drawn for them, and the gradients of them."""
        from learned.estimators import base, episodes

        lengths = lambda rng, n: np.full(n, CHECKED_LENGTH)  # noqa: E731
        theta, state, found = self.problem.theta(0), self.estimator.init(7), []
        unroll = self.estimator.unroll if hasattr(self.estimator, "unroll") else self.estimator.truncations.unroll
        for _ in range(CHECKED):
            truncation = episodes.next_truncation(unroll, state["episodes"], lengths, base.together)
            where = state["episodes"]
            e = base.perturbations(int(where["seed"]), where["window"], PAIRS, len(theta), SIGMA, self.problem.dtype)
            estimate, state = self.estimator.estimate(theta, state, lengths)
            given = {k: np.asarray(v) for k, v in truncation.fresh.items()}, truncation.first, truncation.reset_at
            raw = {k: np.asarray(v) for k, v in truncation.raw["train"].items()}
            found.append((e, *given, raw, estimate.gradient, estimate.loss))
        return found


class Jax(Side):
    """The other side, in its process."""

    def __init__(self):
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        os.environ["JAX_PLATFORMS"] = "cpu"
        start = _now()
        import jax

        jax.device_put(np.zeros(1)).block_until_ready()
        self.imported = tuple(_now() - start)

    def first(self, optimizer, estimator, axis, shared):
        """(CPU, wall) seconds of importing and of the first outer step."""
        import jax
        import jax.numpy as jnp

        self.data, theta = jax.device_put(shared["data"]), jnp.asarray(shared["theta"])
        start = _now()
        from benchmarks.jax_outer import Outer

        shapes = shared["theta_shapes"], shared["params_shapes"]
        self.outer, self.name = Outer(optimizer, axis, *shapes, SCALE, PAIRS, STEPS, LENGTH, SIGMA), estimator
        self.key, self.carry = jax.random.key(0), self.outer.first_carry(theta, estimator)
        self.program = jax.jit(functools.partial(self.outer.outer_step, estimator), donate_argnums=0)
        self.advance()
        return self.imported, tuple(_now() - start)

    def advance(self):
        self.carry, loss = self.program(self.carry, self.data, self.key, RATE)
        loss.block_until_ready()

    def check(self, truncations, theta):
        """The greatest difference of gradients, relative to the norm; and of losses."""
        import jax
        import jax.numpy as jnp

        carry = self.outer.first_carry(jnp.asarray(theta), self.name)
        program, worst = jax.jit(getattr(self.outer, self.name)), [0.0, 0.0]
        for e, fresh, first, reset_at, batches, gradient, loss in truncations:
            given = jax.tree.map(jnp.asarray, (fresh, first, reset_at, batches))
            if self.name == "pes":
                found, carry["xi"], carry["inner"], losses = program(carry["theta"], e, carry["xi"], carry["inner"], *given)
            else:
                found, carry["inner"], losses = program(carry["theta"], carry["inner"], *given)
            worst[0] = max(worst[0], float(np.linalg.norm(found - gradient) / np.linalg.norm(gradient)))
            worst[1] = max(worst[1], abs(float(losses.mean()) / loss - 1))
        return worst


def _line(optimizer, estimator, rounds, core):
    ours = processes.Process(Ours, core)
    ours_import, ours_first, shared = ours.ask("first", optimizer, estimator)
    others = {axis: processes.Process(Jax, core) for axis in (0, -1)}
    firsts = {axis: other.ask("first", optimizer, estimator, axis, shared) for axis, other in others.items()}
    truncations = ours.ask("truncations")
    difference = [max(pair) for pair in zip(*(other.ask("check", truncations, shared["theta"]) for other in others.values()))]
    if not difference[0] < TOLERANCE:
        raise SystemExit(f"{optimizer}, {estimator}: gradients differ by {difference[0]:.1e} of their norm; nothing is timed")
    turns = {"ours": [], **{axis: [] for axis in others}}
    for _ in range(rounds):
        turns["ours"].append(ours.ask("turn"))
        for axis, other in others.items():
            turns[axis].append(other.ask("turn"))
    for process in (ours, *others.values()):
        process.close()
    medians = {name: tuple(statistics.median(pair[k] for pair in pairs) for k in (0, 1)) for name, pairs in turns.items()}
    axis = min(others, key=lambda axis: medians[axis][0])
    sides = {"ours": (ours_import, ours_first, medians["ours"]), "JAX": (*firsts[axis], medians[axis])}
    return {"name": (optimizer, estimator), "axis": axis, "difference": difference, "sides": sides}


HEADER = [
    "optimizer, estimator", "side", "import, CPU s", "first step, CPU s", "outer step, CPU ms", "outer steps a CPU second",
    "100 steps, CPU s",
    "JAX's CPU time of a step / ours", "difference of gradients",
]  # fmt: skip


def _rows(line):
    rows = []
    ratio = line["sides"]["JAX"][2][0] / line["sides"]["ours"][2][0]
    for side, (imported, first, step) in line["sides"].items():
        title = side if side == "ours" else f"JAX, features {'first' if line['axis'] == 0 else 'last'}"
        whole = imported[0] + first[0] + 99 * step[0]
        numbers = [f"{imported[0]:.1f}", f"{first[0]:.1f}", f"{1e3 * step[0]:.0f}", f"{1 / step[0]:.1f}", f"{whole:.1f}"]
        last = [f"{ratio:.2f}", f"{line['difference'][0]:.0e}"] if side == "ours" else ["", ""]
        rows.append([", ".join(line["name"]) if side == "ours" else "", title, *numbers, *last])
    return rows


def _section(rows):
    return f"""## Outer steps against JAX

A 64-32-10 MLP on 8x8 images, batch size 128; {PAIRS} pairs (backpropagation: {PAIRS} trainings), truncations of {STEPS} steps.
One thread on one core, processes in turn, medians. The first step includes tracing and compiling; 100 steps are import, first
step and 99 more. JAX: features first or last, whichever is faster. The last column is the difference between the gradients of
both sides for the same theta, perturbations, starts and batches, over truncations in which episodes end, relative to their norm.
Made by `python -m benchmarks.outer`.

{report.table(HEADER, rows)}

{report.conditions("tensorflow", "jax", "numpy")}."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="Turns of each side.")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="Core that both sides run on.")
    parser.add_argument("--optimizers", nargs="+", default=("mlp", "adafac_mlp"), help="Learned optimizers to time.")
    parser.add_argument("--estimators", nargs="+", default=("pes", "bptt"), help="Estimators to time.")
    report.publish_option(parser)
    arguments = parser.parse_args()
    report.require_whole(parser, arguments, "optimizers", "estimators")
    processes.compile_everything()
    lines = []
    for estimator in arguments.estimators:
        for optimizer in arguments.optimizers:
            lines.append(_line(optimizer, estimator, arguments.rounds, arguments.core))
            for row in _rows(lines[-1]):
                print(" | ".join(row), lines[-1]["difference"], flush=True)
    text = _section([row for line in lines for row in _rows(line)])
    report.show(arguments, "outer", text)


if __name__ == "__main__":
    main()
