"""Truncations of many tasks as StableHLO, for outer training on a machine that has a GPU and JAX, but no TensorFlow.

    python -m tools.weights.gpu.programs SUITE --out DIR --per-family mlp_family=30 'losg_*=20' '*=8' [--optimizer anchored_muon]

SUITE: a suite file; its training tasks, a few of each family, become one program each. A program is a truncation of all pairs,
with everything that belongs to it: where a pair's episode ends it draws another one, its length, start, scale of the parameters
and batches, and a perturbation e, which it keeps to its end (`learned.estimators.es_single`):

    g = 1 / (2 sigma^2 N) sum_n D_n e_n          D: difference of the mean losses of theta + e and theta - e in the truncation

By the package's own tasks, optimizer and `learned.unrolling`; the draws are others than the trainer's.

    (gradient [P], mean loss, share of copies that diverged, state ..)
        = program(theta [P], state .., lengths, starts .., examples .., key)

For each task NAME.stablehlo is the text and NAME.npz the tensors that it captured; programs.json lists the tasks with what their
inputs are, and data.npz has the examples of those that are no images (images are generated there). Convolutions and loops over
time have no batched form in TensorFlow: convolutions become products with patches, loops are written out (`in_batched_form`).
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import time
from pathlib import Path
from unittest import mock

import numpy as np
import tensorflow as tf

from benchmarks.exported import Compiled
from learned import optimizers
from learned.unrolling.rescaling import RescaledProblem
from learned.unrolling.unroll import Unroll
from taskset.catalogue import get_task
from taskset.datasets.images import ImageData
from taskset.execution.runtime import start_tensorflow
from taskset.random import stateless
from taskset.tasks import recurrent_loops
from tools.one_run import task_choice
from tools.weights.gpu.train import DATA, MANIFEST, STARTS

EXAMPLES = 8192  # of data that is no images
SPAN = 10.0  # of the scale of parameters, where it is drawn
ALIKE = 2 / 3  # of the episodes that are rescaled: one scale for all parameters; the others have one for each tensor


@contextlib.contextmanager
def in_batched_form():
    """A context in which convolutions are products of patches, and recurrent loops are written out: both can be batched."""
    with mock.patch.object(tf.nn, "convolution", _convolution), mock.patch.object(recurrent_loops, "_loop", _written_out):
        yield


def _convolution(inputs, filters, strides, padding, dilations=None, data_format=None, name=None):
    """`tf.nn.convolution` in two dimensions, without dilation: [B, H, W, C] and [h, w, C, D]."""
    if set(tf.nest.flatten(dilations)) - {None, 1} or data_format not in (None, "NHWC"):
        raise NotImplementedError("a convolution that is dilated, or of channels first")
    strides = [strides] * 2 if isinstance(strides, int) else list(strides)[-3:-1] if len(strides) == 4 else list(strides)
    count, paddings = [], [[0, 0]]
    for size, kernel, stride in zip(inputs.shape[1:3], filters.shape[:2], strides):
        count.append(-(-size // stride) if padding == "SAME" else (size - kernel) // stride + 1)
        missing = max((count[-1] - 1) * stride + kernel - size, 0) if padding == "SAME" else 0
        paddings.append([missing // 2, missing - missing // 2])
    x = tf.pad(inputs, [*paddings, [0, 0]])

    def shifted(i, j):
        ends = [k + (n - 1) * stride + 1 for k, n, stride in zip((i, j), count, strides)]
        return x[:, i : ends[0] : strides[0], j : ends[1] : strides[1]]

    patches = tf.concat([shifted(i, j) for i in range(filters.shape[0]) for j in range(filters.shape[1])], -1)
    product = tf.matmul(tf.reshape(patches, [-1, patches.shape[-1]]), tf.reshape(filters, [-1, filters.shape[-1]]))
    return tf.reshape(product, [*patches.shape[:-1], filters.shape[-1]])


def _written_out(step, state, inputs, widths, order):
    """`recurrent_loops._loop`, step by step."""
    sources, sinks = [tf.unstack(x) for x in inputs], {}
    for i in range(len(sources[0])):
        t = order(i)
        state, sinks[t] = step(state, [source[t] for source in sources])
    return state, [tf.stack([sinks[t][k] for t in range(len(sinks))]) for k in range(len(widths))]


class RowsProblem(RescaledProblem):
    """A problem whose raw batch is the numbers of rows of `examples` {name: tensor [n, ..]}."""

    def __init__(self, examples, *arguments, **more):
        super().__init__("tensor", *arguments, **more)
        self.examples = examples

    def batches(self, raw, key):
        rows = raw["train"]["rows"]
        return {"train": self.task.prepare({name: tf.gather(x, rows) for name, x in self.examples.items()}, key[0], key[1])}


class Truncation:
    """A truncation of all pairs, a pure function of flat inputs; see the module."""

    def __init__(self, problem, settings, batch_size, examples):
        self.problem, self.pairs, self.steps, self.sigma = problem, settings.pairs, settings.steps, settings.sigma
        self.rescaled, self.batch_size, self.examples = settings.rescaled, batch_size, examples
        self.unroll = Unroll(problem, self.pairs, 2, self.steps, "xla_loop", "batched")

    def empty(self):
        """The state before the first truncation, {name: zeros}: all pairs are at the end of an episode of no steps."""
        zeros = tf.zeros([self.pairs], tf.int32)
        e = tf.zeros([self.pairs, self.problem.layout.size])
        return {"inner": self.unroll.empty(), "e": e, "taken": zeros, "planned": zeros}

    def __call__(self, theta, state, lengths, starts, key):
        """lengths [L] int32: of episodes, in truncations, each as likely as another; starts {path: [S, ..]}; key int32 [2]."""
        key_e, key_length, key_start, key_kind, key_scale, key_rows, key_steps = stateless.split(key, 7)
        new = state["taken"] >= state["planned"]
        drawn = tf.gather(lengths, self._below(key_length, [self.pairs], lengths.shape[0]))
        planned, taken = tf.where(new, drawn, state["planned"]), tf.where(new, 0, state["taken"])
        e = self.sigma * stateless.normal(key_e, [self.pairs, theta.shape[0]])
        e = tf.where(new[:, None], e, state["e"])
        fresh = {"params": self._starts(starts, key_start), "scale": self._scales(starts, key_kind, key_scale)}
        copies = tf.concat([theta + e, theta - e], axis=0)
        reset_at = tf.where(new, 0, self.steps)
        horizons = tf.tile((planned * self.steps)[:, None], [1, 2])
        raw = {"train": {"rows": self._below(key_rows, [self.steps, self.pairs, self.batch_size], self.examples)}}
        first = taken * self.steps
        losses, inner = self.unroll._run(copies, copies, state["inner"], fresh, first, reset_at, horizons, raw, key_steps)
        plus, minus = losses[:, : self.pairs], losses[:, self.pairs :]
        d = tf.reduce_mean(plus - minus, axis=0)
        gradient = tf.linalg.matvec(e, d, transpose_a=True) / (2 * self.sigma**2 * self.pairs)
        over = tf.reshape(~self._finite(inner["params"]), [2, self.pairs])
        # One sign that has diverged goes on, at the highest loss, as long as the other does: that is what diverging costs.
        taken = tf.where(tf.reduce_all(over, axis=0), planned, taken + 1)
        after = {"inner": inner, "e": e, "taken": taken, "planned": planned}
        return gradient, tf.reduce_mean(losses), tf.reduce_mean(tf.cast(over, tf.float32)), after

    def _below(self, key, shape, count):
        """Integers 0 .. count - 1."""
        return tf.minimum(tf.cast(stateless.uniform(key, shape) * count, tf.int32), count - 1)

    def _starts(self, starts, key):
        rows = self._below(key, [self.pairs], STARTS)
        return {path: tf.gather(x, rows) for path, x in starts.items()}

    def _scales(self, starts, key_kind, key_scale):
        kind = stateless.uniform(key_kind, [self.pairs])
        logs = np.log(SPAN) * (2 * stateless.uniform(key_scale, [self.pairs, 1 + len(starts)]) - 1)
        logs = tf.where(kind[:, None] < ALIKE * self.rescaled, logs[:, :1], logs[:, 1:])
        scales = tf.exp(tf.where(kind[:, None] < self.rescaled, logs, 0.0))
        return {path: scales[:, i] for i, path in enumerate(sorted(starts))}

    def _finite(self, params):
        """[2 N]: whether all parameters of a copy are finite."""
        each = [tf.reduce_all(tf.math.is_finite(tf.reshape(w, [2 * self.pairs, -1])), axis=1) for w in params.values()]
        return tf.reduce_all(tf.stack(each), axis=0)


def distribution(task, path):
    """What a parameter is drawn from as JSON values, {"name", "shape", ..}; numbers that no seed changes are in DATA."""
    law = task.parameter_starts[path]
    shape = list(task.parameter_shapes[path])
    if law.name in ("given", "identity"):
        return {"name": "given", "shape": shape}
    numbers = {"mean": law.mean, "stddev": law.stddev, "bounds": law.bounds}
    return {"name": law.name, "shape": shape, **{key: value for key, value in numbers.items() if value is not None}}


def examples_of(task, arrays):
    """({name of the input: shape and dtype}, what they are there): the raw examples of a task's train split."""
    if task.data is None:
        return {}, {}
    if isinstance(task.data, ImageData):
        raw = {name: x[0] for name, x in task.raw_batches("train", 0, 0, 1).items()}
        cut = task._open.cuts["train"]
        count = len(cut.rows)
        there = {"images": task.data.name, "stored": cut.stored, "rows": [cut.rows.start, cut.rows.stop]}
        return {name: ((count, *x.shape[1:]), x.dtype) for name, x in raw.items()}, there
    size = next(iter(task.batch_shapes.values()))[0][0]
    raw = task.raw_batches("train", 0, 0, max(1, EXAMPLES // size))
    raw = {name: x.reshape(-1, *x.shape[2:]) for name, x in raw.items()}
    for name, x in raw.items():
        arrays[f"{task.name}/{name}"] = x
    return {name: (x.shape, x.dtype) for name, x in raw.items()}, {"arrays": sorted(raw)}


def exported(entry, settings, arrays):
    """The entry of the manifest of a task; its program and what it captured are written. settings: the command's options."""
    from learned.outer_training import objectives

    task = get_task(entry.task, "synthetic")
    specs, there = examples_of(task, arrays)
    shapes = {path: list(shape) for path, shape in task.parameter_shapes.items()}
    facts = {"task": task.name, "family": entry.family, "examples": there, "parameters": task.num_params}
    facts["examples_shapes"] = {name: [list(shape), np.dtype(dtype).name] for name, (shape, dtype) in specs.items()}
    facts["starts"] = {path: distribution(task, path) for path in sorted(shapes)}
    for path, law in facts["starts"].items():
        if law["name"] == "given":
            arrays[f"{task.name}/start/{path}"] = task.init(0)[path].numpy()
    examples = {name: tf.TensorSpec(shape, dtype) for name, (shape, dtype) in specs.items()}
    starts = {path: tf.TensorSpec([STARTS, *shape], tf.float32) for path, shape in shapes.items()}
    optimizer, scale = optimizers.get(settings.optimizer), objectives.LossScale(*entry.scales["train"])
    count = next(iter(examples.values())).shape[0] if examples else 1
    batch = next(iter(task.batch_shapes.values()))[0][0] if examples else 1
    problem = RowsProblem({}, task, optimizer, objectives.get("train"), scale)
    truncation = Truncation(problem, settings, batch, count)
    state = truncation.empty()
    theta = tf.zeros([problem.layout.size])
    example = (theta, state, tf.ones([64], tf.int32), starts, examples, tf.zeros([2], tf.int32))
    flat = tf.nest.flatten(example)
    specs_of = [x if isinstance(x, tf.TensorSpec) else tf.TensorSpec(x.shape, x.dtype) for x in flat]

    def run(*given):
        theta, state, lengths, starts, examples, key = tf.nest.pack_sequence_as(example, given)
        problem.examples = examples
        return tf.nest.flatten(truncation(theta, state, lengths, starts, key))

    compiled = Compiled(tf.function(run, autograph=False, jit_compile=True), specs_of)
    with gzip.open(settings.out / f"{task.name}.stablehlo.gz", "wt", compresslevel=6) as file:
        file.write(compiled.stablehlo())
    np.savez_compressed(settings.out / f"{task.name}.npz", *(x.numpy() for x in compiled.inputs[len(specs_of) :]))
    facts["state"] = [[list(x.shape), x.dtype.name] for x in tf.nest.flatten(state)]
    facts["theta"] = {path: list(shape) for path, shape in problem.layout.shapes.items()}
    return facts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", type=Path, help="Suite file; its training tasks are taken.")
    parser.add_argument("--out", type=Path, required=True, help="Directory for the programs.")
    parser.add_argument("--pairs", type=int, default=64, help="Antithetic pairs.")
    parser.add_argument("--steps", type=int, default=50, help="Inner steps of a truncation.")
    parser.add_argument("--sigma", type=float, default=0.01, help="Standard deviation of the perturbations.")
    parser.add_argument("--rescaled", type=float, default=3 / 8, help="Share of episodes whose parameters are rescaled.")
    parser.add_argument("--optimizer", default="anchored", help="Learned optimizer of the package.")
    task_choice.per_family_option(parser, [("*", 4)])
    arguments = parser.parse_args()
    start_tensorflow(threads=1)
    suite = task_choice.few_of_file(arguments.suite, arguments.per_family)
    arguments.out.mkdir(parents=True, exist_ok=True)
    listed, arrays, refused = [], {}, []
    for entry in suite.of_split("train"):
        begun = time.perf_counter()
        try:
            with in_batched_form():
                listed.append(exported(entry, arguments, arrays))
        except (ValueError, NotImplementedError, tf.errors.OpError) as error:
            refused.append(entry.task)
            print(f"{entry.task}: {str(error).splitlines()[0][:200]}", flush=True)
            continue
        print(f"{entry.task} {listed[-1]['parameters']} {time.perf_counter() - begun:.1f} s", flush=True)
    given = {name: getattr(arguments, name) for name in ("optimizer", "pairs", "steps", "sigma", "rescaled")}
    facts = {**given, "refused": refused, "tasks": listed}
    (arguments.out / MANIFEST).write_text(json.dumps(facts))
    np.savez_compressed(arguments.out / DATA, **arrays)


if __name__ == "__main__":
    main()
