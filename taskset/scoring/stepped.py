"""Runs whose optimizer takes its steps in another framework: TensorFlow computes loss and gradients, one program a step.

Start, batches, noise and evaluations are those of the compiled loop: the curves of a rule are the same up to rounding.
"""

import time

import numpy as np
import tensorflow as tf

from taskset.execution.loop import Loop
from taskset.execution.program import Program
from taskset.random import seeds
from taskset.tasks.base import batch_seed


class Gradients:
    """`(loss, gradients)` of a task as a compiled function of one vector of parameters, for batches of a chunk."""

    def __init__(self, task, mode):
        self.task, self._paths = task, list(task.parameter_shapes)
        self.shapes = [tuple(task.parameter_shapes[path]) for path in self._paths]
        self._sizes = [int(np.prod(shape)) for shape in self.shapes]
        self._program = self._computed if mode == "eager_loop" else Program(self._computed, xla=mode == "xla_loop")

    def vector(self, params):
        """{path: tensor} as one vector."""
        return tf.concat([tf.reshape(params[path], [-1]) for path in self._paths], 0)

    def params(self, vector):
        """The vector's parts as {path: tensor}."""
        parts = tf.split(vector, self._sizes)
        return {path: tf.reshape(part, shape) for path, part, shape in zip(self._paths, parts, self.shapes)}

    def __call__(self, vector, raw, numbers):
        """(loss, vector of gradients); numbers: int32 [4], base of the batch's seed and of the loss's, place in raw, step."""
        return self._program(vector, raw, numbers)

    def _computed(self, vector, raw, numbers):
        batch_base, loss_base, i, step = tf.unstack(numbers)
        # Not array[i]: XLA would compile the program for each value of a number that a slice begins with.
        batch = self.task.prepare({name: tf.gather(array, i) for name, array in raw.items()}, batch_base, step)
        loss, gradients = self.task.value_and_gradients(self.params(vector), batch, tf.stack([loss_base, step]))
        return loss, self.vector(gradients)


class Stepped:
    """The runs of one seed as a sweep wants them (`taskset.normalization.sweep.runs.OneByOne`), step by step.

    Optimizers have `begin(start, shapes)`, which returns a run: `vector()`, its parameters as one TensorFlow vector, and
    `step(evaluate)`, which takes a step and may call `evaluate(vector) -> (loss, vector of gradients)` as often as it wants.
    """

    copies = 1

    def __init__(self, task, group, interval, options, mode=None):
        self.group, self.options, self.loop = group, options, Loop(task, group[0], interval, mode)
        self._gradients = Gradients(task, self.loop.mode)

    def start(self, seed, account):
        """All runs at step 0."""
        self._seed, self._step = seed, 0
        with account("draw"):
            self._evaluate = self.loop.evaluation(seed, self.options.batches)
            raw = self.loop.draw(seed, 0)
        with account("start"):
            params = self.loop.task.init(seed)
            start = self._gradients.vector(params).numpy()
            self._runs = {o.name: o.begin(start, self._gradients.shapes) for o in self.group}
            self._seconds = dict.fromkeys(self._runs, 0.0)
        with account("compile"):
            self._bases = [batch_seed(seed, "train"), seeds.stream(seed, "loss", "train")]
            self._gradients(self._gradients.vector(params), raw, self._numbers(0, 0))
            self._initial = self._evaluate(params)

    def losses(self, live, account):
        """{optimizer: {split: loss}} of those named in `live`, where they are now."""
        with account("evaluate"):
            if not self._step:
                return dict.fromkeys(live, self._initial)
            return {name: self._evaluate(self._gradients.params(self._runs[name].vector())) for name in live}

    def advance(self, live, steps, account):
        """Take `steps` steps of the runs named in `live`."""
        end = self._step + steps
        while self._step < end:
            count = min(self.loop.chunk, end - self._step)
            with account("draw"):
                raw = self.loop.draw(self._seed, self._step)
            with account("train"):
                for name in live:
                    self._train(name, raw, count)
            self._step += count

    def _train(self, name, raw, count):
        run, began = self._runs[name], time.process_time()
        for i in range(count):
            numbers = self._numbers(i, self._step + i)
            run.step(lambda vector, numbers=numbers: self._gradients(vector, raw, numbers))
        self._seconds[name] += time.process_time() - began

    def _numbers(self, place, step):
        return tf.constant([*self._bases, place, step], tf.int32)

    def seconds(self, name):
        """CPU seconds of a run's training so far."""
        return self._seconds[name]
