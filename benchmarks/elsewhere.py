"""What loss and gradients of a task cost in PyTorch and JAX: `python -m benchmarks.elsewhere [--publish]`.

CPU time of this process, one core, the fastest of ROUNDS rounds, the ways in turns. All three compute loss and gradients of one
batch after another, without an optimizer; the compiled loop moves the parameters a little, so that no step can be left out. Needs
PyTorch and JAX. Prints the section "elsewhere" of docs/benchmarks.md; --publish writes it.
"""

import argparse
import os
import time

import numpy as np

from taskset.execution.runtime import start_tensorflow
from tools import report

TASKS = ("mlp_family_seed15", "mlp_family_seed12")
ROUNDS, STEPS = 8, 200


def compiled(task):
    """A function that takes STEPS steps in one program."""
    import tensorflow as tf

    from taskset.tasks.elsewhere.vector import VectorTask, bases

    vectors, steps = VectorTask(task), STEPS
    raw = {name: tf.constant(array) for name, array in task.raw_batches("train", 0, 0, 32).items()}
    start, seeds = vectors.vector(task.init(0)), bases(0, "train")

    @tf.function(autograph=False, jit_compile=True)
    def run(vector, raw):
        def body(i, vector):
            _, gradients = vectors.value_and_gradients(vector, raw, tf.stack([*seeds, i % 32, i]))
            return i + 1, vector - 1e-6 * gradients

        return tf.while_loop(lambda i, _: i < steps, body, (tf.constant(0), vector))[1]

    return lambda: run(start, raw).numpy()


def in_torch(task):
    """The same through `Task.as_torch`."""
    module = task.as_torch(seed=0)

    def run():
        for _ in range(STEPS):
            module.zero_grad()
            module.loss().backward()

    return run


def in_jax(task):
    """The same through `Task.as_jax`, batches included."""
    import jax

    loss = task.as_jax()
    step, params, batches = jax.jit(jax.value_and_grad(loss)), loss.init(seed=0), loss.batches("train", seed=0)

    def run():
        for _ in range(STEPS):
            jax.block_until_ready(step(params, *next(batches)))

    return run


WAYS = {"compiled loop": compiled, "PyTorch": in_torch, "JAX": in_jax}


def measure(name):
    """(number of parameters, {way: milliseconds a step}) of a task."""
    from taskset.catalogue import get_task

    task = get_task(name, "synthetic")
    runs = {way: make(task) for way, make in WAYS.items()}
    found = dict.fromkeys(runs, np.inf)
    for run in runs.values():
        run()
    for _ in range(ROUNDS):
        for way, run in runs.items():
            before = time.process_time()
            run()
            found[way] = min(found[way], 1000 * (time.process_time() - before) / STEPS)
    return task.num_params, found


def text(rows):
    """The section."""
    header = ["task", "parameters", "compiled loop", "PyTorch", "over it", "JAX", "over it"]
    return f"""## Tasks in PyTorch and JAX

Milliseconds of a step: loss and gradients of one batch after another, without an optimizer. PyTorch: `module.loss().backward()`;
JAX: the jitted `jax.value_and_grad(loss)`. Both draw and prepare their batches within the step, while the batches of the compiled
loop are drawn before: "over it" includes this difference. CPU time on one core, the fastest of {ROUNDS} rounds of {STEPS} steps;
synthetic data.

{report.table(header, rows)}

Made by `python -m benchmarks.elsewhere`. {report.conditions("taskset", "tensorflow", "torch", "jax")}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    report.publish_option(parser)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # before JAX starts: it makes as many threads as it may use cores
    start_tensorflow(threads=1)
    import torch

    torch.set_num_threads(1)
    rows = []
    for name in TASKS:
        parameters, found = measure(name)
        base, *others = found.values()
        each = [f"{value:.2f}" for other in others for value in (other, other - base)]
        rows.append([name, f"{parameters:,}", f"{base:.2f}", *each])
    section = text(rows)
    report.show(arguments, "elsewhere", section)


if __name__ == "__main__":
    main()
