"""Several runs of one task in one program: the same seed, a learning rate each.

A step of a tiny task costs less than what it takes to start it, and runs of one seed share their batches and random draws. So
their parameters get a leading axis of copies, and a step of all copies is one `tf.vectorized_map`: what doesn't depend on the
parameters (a batch, the noise of a quadratic) is computed once for all.
"""

import re

import tensorflow as tf

from taskset.execution.loop import Loop, Run


class CopiesLoop(Loop):
    """A `Loop` that trains `copies` runs of one seed side by side.

    Params, states and losses have a leading axis [copies]; so have hyperparameters: {name: [copies] floats}. The numbers are
    those of the runs one by one, up to rounding. Tracing (the first `train` or `compile`) raises `NotBatched` for a task with an
    operation of a kind that has no form for all copies.
    """

    def __init__(self, task, optimizer, copies, *args, **kwargs):
        self._runs = (copies,)
        super().__init__(task, optimizer, *args, **kwargs)

    def start(self, seed):
        """All runs at step 0."""
        params = {path: tf.stack([w] * self._runs[0]) for path, w in self.task.init(seed).items()}
        init = self.optimizer.init
        return Run(seed, params, init(params) if self._flat else batched(init, params))

    def _value_and_gradients(self, params, batch, key):
        return batched(lambda one: self.task.value_and_gradients(one, batch, key), params)

    def _loss(self, params, batch, key):
        return batched(lambda one: self.task.loss(one, batch, key), params)

    def _updated(self, grads, state, params, step, hparams, told):
        if self._flat:
            return super()._updated(grads, state, params, step, hparams, told)
        if "validation_loss" in told:
            raise ValueError("an optimizer that reads validation losses has its runs one by one")
        return batched(lambda one: self.optimizer.update(*one[:3], step, one[3], **one[4]), (grads, state, params, hparams, told))


class NotBatched(Exception):
    """A kind of operation that has no form for all copies at once. It shows in the graph: nothing was compiled or run."""


def batched(function, arguments):
    """`function` of each copy, all copies at once; `NotBatched` where that can't be.

    Two kinds of operation have no form for all copies: those that TensorFlow doesn't know one of, and lists of tensors, which
    loops over time keep (of copies they are lists of lists, which XLA doesn't compile).
    """
    graph = tf.compat.v1.get_default_graph()
    before = len(graph.get_operations())
    try:
        result = tf.vectorized_map(function, arguments, fallback_to_while_loop=False)
    except ValueError as error:
        found = re.search(r"No pfor vectorization defined for (\w+)", str(error))
        if found is None:
            raise
        raise NotBatched(found[1]) from error
    lists = next((kind for kind in _kinds(graph, graph.get_operations()[before:]) if kind.startswith("TensorList")), None)
    if lists and not tf.executing_eagerly():
        raise NotBatched(lists)
    return result


def _kinds(graph, operations):
    """The kinds of `operations` and of all that they call."""
    waiting, seen = [*operations], set()
    while waiting:
        operation = waiting.pop()
        yield operation.type
        for name in _called(operation):
            if name not in seen and (function := graph._get_function(name)) is not None:
                seen.add(name)
                waiting += function.graph.get_operations()


def _called(operation):
    for value in operation.node_def.attr.values():
        yield from (called.name for called in ([value.func] if value.HasField("func") else value.list.func))
