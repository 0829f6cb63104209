"""Several runs of one task in one program: they share a seed, and each has its own hyperparameters.

A step of a tiny task costs less than starting it, and runs of one seed share their batches and random draws. So their parameters
get a leading axis of copies, and a step of all copies is one `tf.vectorized_map`: what doesn't depend on the parameters (a batch,
the noise of a quadratic) is computed once for all.
"""

import functools
import re
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from taskset.datasets.base import Batch
from taskset.execution.loop import CHUNK_STEPS, Loop, Run
from taskset.optimizers.base import Gradients, Hparams, Optimizer, Params, State
from taskset.random.stateless import Key
from taskset.tasks import graphs
from taskset.tasks.base import Task


class CopiesLoop(Loop):
    """A `Loop` that trains `copies` runs of one seed side by side.

    Params, states and losses have a leading axis [copies]; so have hyperparameters: {name: [copies] floats}. The numbers are
    those of the runs one by one, up to rounding. Tracing (the first `train` or `compile`) raises `NotBatched` for a task with an
    operation of a kind that has no form for all copies.
    """

    def __init__(self, task: Task, optimizer: Optimizer, copies: int, interval: int = CHUNK_STEPS, mode: str | None = None):
        self._runs = (copies,)
        super().__init__(task, optimizer, interval, mode)
        # What is not known to line hyperparameters up with copies of vectors sees one copy.
        self._flat = getattr(optimizer, "lines_up_copies", False)

    def start(self, seed: int) -> Run:
        """All runs at step 0."""
        params = {path: tf.stack([w] * self._runs[0]) for path, w in self.task.init(seed).items()}
        return Run(seed, params, self._init(params) if self._flat else batched(self._init, params))

    def evaluated(self, run: Run, hparams: Hparams) -> Params:
        """The parameters at which the runs are judged, each by itself."""
        if getattr(self.optimizer, "evaluated", None) is None:
            return super().evaluated(run, hparams)
        tensors = {name: tf.convert_to_tensor(value, tf.float32) for name, value in hparams.items()}
        return self._judge(run.params, run.state, tensors)

    @functools.cached_property
    def _judge(self) -> Callable[..., Any]:
        optimizer: Any = self.optimizer  # `evaluated` is not among what every optimizer has

        def each(params: Params, state: State, hparams: Hparams) -> Params:
            return batched(lambda one: optimizer.evaluated(*one), (params, state, hparams))

        return tf.function(each, autograph=False)

    def _value_and_gradients(self, params: Params, batch: Batch, key: Key) -> tuple[tf.Tensor, Gradients]:
        return batched(lambda one: self.task.value_and_gradients(one, batch, key), params)

    def _loss(self, params: Params, batch: Batch, key: Key) -> tf.Tensor:
        return batched(lambda one: self.task.loss(one, batch, key), params)

    def _updated(
        self, grads: Gradients, state: State, params: Params, step: tf.Tensor, hparams: Hparams, also: dict[str, Any]
    ) -> tuple[Params, State]:
        if "validation_loss" in also:
            raise ValueError("an optimizer that reads validation losses must have its runs trained one by one")
        if self._flat:
            return super()._updated(grads, state, params, step, hparams, also)

        def update(one: tuple[Gradients, State, Params, Hparams, dict[str, Any]]) -> tuple[Params, State]:
            grads, state, params, hparams, also = one
            return self._update(grads, state, params, step, hparams, **also)

        return batched(update, (grads, state, params, hparams, also))


class NotBatched(Exception):
    """A kind of operation that has no form for all copies at once. Raised while tracing, before anything is compiled or run."""


def batched(function: Callable[[Any], Any], arguments: Any) -> Any:
    """`function` of each copy, all copies at once; raises `NotBatched` where that is impossible.

    Two kinds of operation have no form for all copies: those that TensorFlow can't vectorize, or not with weights of each copy's
    own (a convolution's filters), and lists of tensors, which loops over time use (for copies they become lists of lists, which
    XLA does not support).
    """
    graph = tf.compat.v1.get_default_graph()
    before = len(graph.get_operations())
    try:
        result = tf.vectorized_map(function, arguments, fallback_to_while_loop=False)
    except ValueError as error:
        found = re.search(r"No pfor vectorization defined for (\w+)|of op '(\w+)' expected to be loop invariant", str(error))
        if found is None:
            raise
        raise NotBatched(found[1] or found[2]) from error
    lists = next((kind for kind in graphs.kinds(graph, graph.get_operations()[before:]) if kind.startswith("TensorList")), None)
    if lists and not tf.executing_eagerly():
        raise NotBatched(lists)
    return result
