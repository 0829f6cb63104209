"""Runs whose optimizer takes its steps in another framework: TensorFlow computes loss and gradients, one program a step.

Start, batches, noise and evaluations are those of the compiled loop: the curves of a rule are the same up to rounding.
"""

import time

import tensorflow as tf

from taskset.execution.loop import Loop
from taskset.execution.program import Program
from taskset.tasks.elsewhere.vector import VectorTask, bases


class Stepped:
    """The runs of one seed as a sweep wants them (`taskset.normalization.sweep.runs.OneByOne`), step by step.

    Optimizers have `begin(start, shapes)`, which returns a run: `vector()`, its parameters as one TensorFlow vector, and
    `step(evaluate)`, which takes a step and may call `evaluate(vector) -> (loss, vector of gradients)` as often as it wants.
    """

    copies = 1

    def __init__(self, task, group, interval, options, mode=None):
        self.group, self.options, self.loop = group, options, Loop(task, group[0], interval, mode)
        self._vectors, mode = VectorTask(task), self.loop.mode
        computed = self._vectors.value_and_gradients
        self._gradients = computed if mode == "eager_loop" else Program(computed, xla=mode == "xla_loop")

    def start(self, seed, account):
        """All runs at step 0."""
        self._seed, self._step = seed, 0
        with account("draw"):
            self._evaluate = self.loop.evaluation(seed, self.options.batches)
            raw = self.loop.draw(seed, 0)
        with account("start"):
            params = self.loop.task.init(seed)
            start = self._vectors.vector(params).numpy()
            self._runs = {o.name: o.begin(start, self._vectors.shapes) for o in self.group}
            self._seconds = dict.fromkeys(self._runs, 0.0)
        with account("compile"):
            self._bases = bases(seed, "train")
            self._gradients(self._vectors.vector(params), raw, self._numbers(0, 0))
            self._initial = self._evaluate(params)

    def losses(self, live, account):
        """{optimizer: {split: loss}} of those named in `live`, where they are now."""
        with account("evaluate"):
            if not self._step:
                return dict.fromkeys(live, self._initial)
            return {name: self._evaluate(self._vectors.params(self._runs[name].vector())) for name in live}

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
