"""Weights of `anchored_muon` whose steps go over, in the first part of a run, from a checkpoint's to those of `relative_muon`.

    python -m tools.weights.anchored_muon_drawn SUITE CHECKPOINT OUT.npz [--ramp .3] [--per-family '*=4']

Learned step sizes are greedy: they win the first steps, and are too small for the rest of a long run, where the hand-designed
ones of `relative_muon` end lower. The rule that is wanted has, at the fraction f of a run, the geometric mean of both,

    r = learned^(1 - w) relative^w,    w = min(f / ramp, 1)

It is run on training tasks of the suite, in runs of LENGTHS steps, and a controller is fitted to what it does (imitation): Adam
on the squared differences of its outputs, beginning at the checkpoint, `power` and `length` among the weights. What comes out is
a checkpoint like any other, and outer training can go on from it.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from pathlib import Path

import numpy as np

from taskset.execution.runtime import start_tensorflow
from tools import report
from tools.one_run import task_choice
from tools.weights import shipped_checkpoint

LENGTHS = (100, 200, 400, 1000, 2000)
SAMPLES = 60  # of each run
STEPS, BATCH, RATE = 40_000, 2048, 3e-3  # of the fit
OUTPUT_WEIGHTS = (1.0, 0.2, 0.2)  # of the errors of the three outputs; the first is the logarithm of the step
LINEAR_FROM = 0.5  # errors count by their square up to here, then linearly
NEARLY_OVER = 1e-3  # what is left of a run counts as no less, so that the last rate has a logarithm


def relative_rates(seen, fraction, horizon):
    """Rates [tensors] with which `anchored_muon` moves as `relative_muon` does, for directions of the sizes that both have."""
    import tensorflow as tf

    from learned.optimizers import anchored_muon
    from taskset.optimizers.relative_muon import relative_muon

    by_hand = relative_muon().settings
    falling = by_hand["travel"] * tf.sqrt(3 / horizon) * tf.maximum(1 - fraction, NEARLY_OVER) * tf.sqrt(seen.s_square)
    longer = [1.0 if o is None else by_hand["orthogonal"] / anchored_muon.SIZE for o in seen.o]
    return falling * tf.constant(longer, falling.dtype)


def drawn(theta, ramp, see=lambda x, outputs: None):
    """`update` of the wanted rule, as that of a `LearnedOptimizer` without theta. see: called with what the controller reads
    [READ + 1, tensors] and the outputs [3, tensors] with which it would make the same step."""
    import tensorflow as tf

    from learned.optimizers import anchored_muon, tensorwise

    def update(grads, state, params, step, loss, horizon):
        seen = anchored_muon.observed(grads, state, params, step, loss, horizon)
        outputs = tensorwise.controller(theta, seen.read)
        rates, shares = anchored_muon.rates_and_shares(theta, outputs, seen, horizon)
        fraction = tf.minimum(tf.cast(step, rates.dtype) / horizon, 1.0)
        w = tf.minimum(fraction / ramp, 1.0)
        shift = w * (tf.math.log(relative_rates(seen, fraction, horizon)) - tf.math.log(rates))
        see(seen.read, tf.stack([outputs[0] + shift / 3, *outputs[1:]]))
        return anchored_muon.moved(params, seen, rates * tf.exp(shift), shares), seen.state

    return update


def readings_along(task, theta, ramp, seeds):
    """Along runs of LENGTHS steps of the wanted rule, one of each seed: (read [n, READ + 1], outputs [n, 3], steps of the run
    [n], weights [n], which add up to 1 for each moment)."""
    import tensorflow as tf

    from learned.optimizers import anchored_muon

    kept, rows = [], []
    update = drawn({path: tf.constant(w, tf.float32) for path, w in theta.items()}, ramp, lambda *both: kept.append(both))

    @tf.function(jit_compile=True)
    def one_step(params, state, batch, step, horizon):
        loss, grads = task.value_and_gradients(params, batch, tf.stack([0, step]))
        kept.clear()
        return *update(grads, state, params, step, loss, horizon), *kept[-1]

    for length, seed in zip(LENGTHS, seeds):
        params = task.init(seed)
        state = anchored_muon.anchored_muon().init(None, params)
        batches = iter(task.batches("train", seed)) if task.data is not None else None
        every = max(length // SAMPLES, 1)
        for step in range(length):
            batch = {} if batches is None else next(batches)
            params, state, read, outputs = one_step(params, state, batch, tf.constant(step), tf.constant(float(length)))
            if step % every == seed % every:
                read, outputs = read.numpy().T, outputs.numpy().T
                if not (np.isfinite(read).all() and np.isfinite(outputs).all()):
                    break
                rows.append((read, outputs, np.full(len(read), length), np.full(len(read), 1 / len(read))))
    return tuple(np.concatenate(column) for column in zip(*rows))


def logarithms(read, lengths):
    """[n, 2]: what `power` and `length` are multiplied by, log of the size and log(T / 2000), from readings and lengths."""
    from learned.optimizers import tensorwise

    return np.stack([3 * read[:, tensorwise.SIZE_READ], np.log(lengths / tensorwise.USUAL_STEPS)], axis=1).astype(np.float32)


def fitted(theta, read, outputs, lengths, weights, steps=STEPS, say=print):
    """theta, fitted to outputs [n, 3] for what was read [n, READ + 1], in runs of `lengths` steps [n]; weights [n]: of the rows.

    A tenth of the rows, at random, tells how good the fit is: `say` gets a line with the mean error of each output on them."""
    import tensorflow as tf

    from learned.optimizers import tensorwise

    more = logarithms(read, lengths)
    rng = np.random.default_rng(0)
    aside = rng.random(len(read)) < 0.1
    wanted = outputs + np.pad(more @ np.array([[theta["power"]], [theta["length"]]]), ((0, 0), (0, 2)))
    columns = [np.asarray(column, np.float32) for column in (read, more, wanted, weights)]
    fit, held = ([column[rows] for column in columns] for rows in (~aside, aside))
    variables = {path: tf.Variable(w) for path, w in theta.items()}
    adam = tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(RATE, steps))
    adam.build(list(variables.values()))

    def errors(read, more, wanted):
        found = tf.stack(tensorwise.controller(variables, tf.transpose(read)), axis=1)
        exponents = tf.stack([variables["power"], variables["length"]])
        return found + tf.pad(tf.linalg.matvec(more, exponents)[:, None], [[0, 0], [0, 2]]) - wanted

    @tf.function
    def one_step(read, more, wanted, weights):
        with tf.GradientTape() as tape:
            size = tf.abs(errors(read, more, wanted))
            cost = tf.where(size < LINEAR_FROM, tf.square(size), 2 * LINEAR_FROM * size - LINEAR_FROM**2)
            loss = tf.reduce_sum(weights[:, None] * cost * tf.constant(OUTPUT_WEIGHTS)) / tf.reduce_sum(weights)
        adam.apply_gradients(zip(tape.gradient(loss, list(variables.values())), variables.values()))

    for _ in range(steps):
        chosen = rng.integers(len(fit[0]), size=BATCH)
        one_step(*(tf.constant(column[chosen]) for column in fit))
    off = np.abs(errors(*map(tf.constant, held[:3])).numpy()).mean(axis=0)
    say(f"mean error of the outputs on {aside.sum():,} rows: " + ", ".join(f"{x:.3f}" for x in off))
    return {path: np.asarray(w.numpy()) for path, w in variables.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", help="Suite file, whose training tasks are run.")
    parser.add_argument("checkpoint", help="Checkpoint of `anchored_muon`: a file, or a name of `python -m learned pretrained`.")
    parser.add_argument("out", type=Path, help="The checkpoint to write.")
    parser.add_argument("--ramp", type=float, default=0.3, help="Fraction of a run after which steps are the hand-designed ones.")
    task_choice.per_family_option(parser, [("*", 4)])
    arguments = parser.parse_args()
    if not (math.isfinite(arguments.ramp) and arguments.ramp > 0):
        parser.error("--ramp: a number > 0")
    start_tensorflow(threads=1)
    from learned.deploy.weights import load_weights
    from taskset.catalogue import get_task
    from taskset.scoring import suites

    found, suite = load_weights(arguments.checkpoint), suites.load(arguments.suite)
    if found.optimizer != "anchored_muon":
        parser.error(f"{arguments.checkpoint} is a checkpoint of {found.optimizer}: give one of anchored_muon")
    entries, parts = task_choice.few(suite, arguments.per_family).tasks, []
    if not entries:
        parser.error(f"{arguments.suite} has no such training tasks")
    for number, entry in enumerate(entries):
        first = number * len(LENGTHS)
        task = get_task(entry.task, suite.source)
        parts.append(readings_along(task, found.theta, arguments.ramp, range(first, first + len(LENGTHS))))
        print(f"{number + 1} of {len(entries)}: {entry.task}", flush=True)
    theta = fitted(found.theta, *(np.concatenate(column) for column in zip(*parts)))
    seen = {entry.task: shipped_checkpoint.of_train(dataclasses.asdict(entry)) for entry in entries}
    shipped_checkpoint.save(
        arguments.out, shipped_checkpoint.with_tasks(found.meta, shipped_checkpoint.entries_of([found]) | seen), theta
    )


if __name__ == "__main__":
    with report.errors_of_one_line():
        main()
