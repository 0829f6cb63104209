"""Truncations of inner training, of all copies of a problem in one compiled program.

Copies are pairs x signs: copy s * N + n is sign s of pair n. A pair has its own start and its own batches; both signs of a pair
share them. What the task itself draws in a step (dropout, noise, augmentation) has one key for all copies: draws with a key for
each copy have no batched form.

Where every operation of a step can be batched, the step of all copies is one `tf.vectorized_map` ("batched"). Where one can't
(a convolution with other filters in each copy), the copies' steps are computed one after the other inside the program
("one_by_one"); so they are on a CPU where the hidden layers of an optimizer's network, of all copies, are larger than a core's
cache: with `mlp` that saves a seventh of the time. The layout is chosen once, when an `Unroll` is made: see its attributes
`layout` and `why`. Both give the same numbers up to rounding.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from learned.types import Tree
from learned.unrolling.problem import Problem
from taskset.errors import ConfigError
from taskset.execution.loop import execution_mode
from taskset.execution.modes import MODES
from taskset.execution.program import compiled, forgotten_gradients
from taskset.random import stateless

LAYOUTS = ("batched", "one_by_one")
CACHE = 4 * 2**20  # bytes


def all_at_once(function: Callable[[Any], Any], arguments: Any) -> Any:
    """`function` of each copy, all copies at once. Raises `ValueError` where an operation has no batched form."""
    return tf.vectorized_map(function, arguments, fallback_to_while_loop=False)


def one_by_one(function: Callable[[Any], Any], arguments: Any) -> Any:
    """`function` of each copy, one copy after the other."""
    example = tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape[1:], x.dtype), arguments)
    result = tf.function(function, autograph=False).get_concrete_function(example).structured_outputs
    signature = tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), result)
    return tf.map_fn(function, arguments, parallel_iterations=1, fn_output_signature=signature)


def at(tree: Any, i: tf.Tensor) -> Any:
    """Element `i` of every leaf."""
    return tf.nest.map_structure(lambda x: x[i], tree)


def where(copies: tf.Tensor, chosen: Any, other: Any) -> Any:
    """Leaves of `chosen` for the copies [C] that are True, of `other` for the rest."""

    def select(x, y):
        return tf.where(tf.reshape(copies, [-1] + [1] * (x.shape.rank - 1)), x, y)

    return tf.nest.map_structure(select, chosen, other)


@contextlib.contextmanager
def _quiet():
    """Without TensorFlow's long log of an operation that it can't batch: whether it can is what is tried."""
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("CRITICAL")
    try:
        yield
    finally:
        logger.setLevel(level)


def _has_lists_of_lists(graph):
    """Whether a TensorArray of TensorArrays is used anywhere: what the batched form of a loop with a TensorArray is."""
    definition = graph.as_graph_def()
    nodes = [*definition.node, *(node for function in definition.library.function for node in function.node_def)]
    kinds = [node.attr["element_dtype"].type for node in nodes if node.op.startswith("TensorList")]
    return tf.variant.as_datatype_enum in kinds


def raw_specs(problem: Problem) -> dict[str, dict[str, tf.TensorSpec]]:
    """{split: {name: spec}} of the raw batch that a step of a problem reads."""
    specs = {}
    for split in problem.splits:
        raw = problem.task.raw_batches(split, 0, 0, 1)
        specs[split] = {name: tf.TensorSpec(array.shape[1:], array.dtype) for name, array in raw.items()}
    return specs


class Unroll:
    """Truncations of `steps` steps of `pairs` x `signs` copies of a problem.

    mode: "xla_loop", "graph_loop" or "eager_loop" (`taskset.execution.loop`); None: the best for the task and device.
    layout: one of LAYOUTS; None: batched if possible.
    run: the compiled `_run`, which computes one truncation.
    """

    def __init__(
        self, problem: Problem, pairs: int, signs: int, steps: int, mode: str | None = None, layout: str | None = None
    ) -> None:
        self.problem, self.pairs, self.signs, self.steps = problem, pairs, signs, steps
        self.copies = pairs * signs
        self.mode = mode or execution_mode(problem.task)
        if self.mode not in MODES or layout not in (None, *LAYOUTS):
            raise ConfigError(f"mode {mode!r}, layout {layout!r}: allowed are {', '.join(MODES)}, and {', '.join(LAYOUTS)}")
        self._initial = problem.initializer()
        self.layout: str
        self.why: str
        self.layout, self.why = (layout, "asked for") if layout else self._choose()
        self._map = all_at_once if self.layout == "batched" else one_by_one
        self.run = self._compiled(self._run)

    def _compiled(self, function):
        if self.mode == "eager_loop":
            return function
        alone = compiled(function, self.mode)
        within = tf.function(function, autograph=False, jit_compile=self.mode == "xla_loop")

        def call(*arguments):
            # Inside another function (a replica's, `learned.unrolling.distributed`) it can't be an operation with its own name.
            return alone(*arguments) if tf.executing_eagerly() else within(*arguments)

        return call

    def _choose(self):
        """(layout, why), by tracing a step of all copies."""
        self._map = all_at_once
        # An error that has another cause than batching comes again when the other layout is traced.
        try:
            with _quiet(), forgotten_gradients():
                traced = tf.function(self._try, autograph=False).get_concrete_function()
        except (ValueError, NotImplementedError) as error:
            return "one_by_one", str(error).splitlines()[0]
        if self.mode == "xla_loop" and _has_lists_of_lists(traced.graph):
            return "one_by_one", "a loop over time, batched, keeps lists of lists, which XLA does not support"
        if self._hidden_bytes() > CACHE and not (tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("TPU")):
            return "one_by_one", "the hidden layers of all copies are larger than a core's cache"
        return "batched", "every operation of a step can be batched"

    def _hidden_bytes(self):
        """The size of a hidden layer of the network that the optimizer applies to every parameter, all copies together."""
        return self.copies * self.problem.task.num_params * self.problem.optimizer.width * self.problem.dtype.size

    def _try(self):
        return self._step(*self._example())

    def _example(self):
        """Zeros as arguments of `_step`."""
        theta, zeros = tf.zeros([self.copies, self.problem.layout.size], self.problem.dtype), tf.zeros([self.copies], tf.int32)
        raw = tf.nest.map_structure(lambda spec: tf.zeros([self.pairs, *spec.shape], spec.dtype), self.raw_specs)
        inner = self._start(theta, self._nothing_fresh())
        return theta, inner, zeros, zeros, raw, tf.zeros([2], tf.int32)

    @functools.cached_property
    def raw_specs(self) -> dict[str, dict[str, tf.TensorSpec]]:
        """As `raw_specs` of its problem."""
        return raw_specs(self.problem)

    def _nothing_fresh(self):
        return self._each_fresh(lambda shape: tf.zeros([self.pairs, *shape], self.problem.dtype))

    def _each_fresh(self, make):
        """`make(shape)` of every leaf that an episode is started from."""

        def of(shapes):
            return {key: of(value) if isinstance(value, dict) else make(value) for key, value in shapes.items()}

        return of(self.problem.fresh_shapes)

    def empty(self) -> Tree:
        """Inner states [C, ..] of zeros: every pair must start an episode in its first truncation."""
        theta = tf.TensorSpec([self.problem.layout.size], self.problem.dtype)
        fresh = self._each_fresh(lambda shape: tf.TensorSpec(shape, self.problem.dtype))
        one = tf.function(self.problem.start, autograph=False).get_concrete_function(theta, fresh).structured_outputs
        return tf.nest.map_structure(lambda spec: tf.zeros([self.copies, *spec.shape], spec.dtype), one)

    # The compiled program.

    def _per_sign(self, tree):
        """[N, ..] -> [C, ..]: what the signs of a pair share."""
        return tf.nest.map_structure(lambda x: tf.concat([x] * self.signs, axis=0), tree)

    def _start(self, theta, fresh):
        return self._map(lambda each: self.problem.start(*each), (theta, self._per_sign(fresh)))

    def _batches(self, raw, key):
        """Prepared batches [C, ..] of one step."""
        if self.problem.task.data is None:
            return {}
        return self._per_sign(self._map(lambda one: self.problem.batches(one, key), raw))

    def _step(self, theta, inner, steps, horizons, raw, key):
        """(losses [C], inner states) of one step of all copies."""
        each, step_key = self._each(theta, inner, steps, horizons, raw, key)
        return self._map(lambda one: self._one_step(one, step_key), each)

    def _each(self, theta, inner, steps, horizons, raw, key):
        """(the arguments of `_one_step` of each copy, leaves [C, ..]; the key that they share)."""
        prepare_key, step_key = stateless.split(key, 2)
        batches = self._batches(raw, prepare_key)
        return {"theta": theta, "inner": inner, "step": steps, "horizon": horizons, "batches": batches}, step_key

    def _one_step(self, one, key):
        batches = {split: one["batches"].get(split, {}) for split in self.problem.splits}
        return self.problem.step(one["theta"], one["inner"], one["step"], batches, key, one["horizon"])

    def _run(self, before, after, inner, fresh, first, reset_at, horizons, raw, key):
        """(losses [K, C] of a truncation, inner states after it).

        before, after: theta [C, P] until a pair's reset in the truncation, and from it on; inner: states [C, ..];
        fresh: parameters [N, ..] that new episodes start from; first: steps taken so far [N]; reset_at: the step of the
        truncation at which a pair starts a new episode [N], K or more for none; horizons: the lengths of a pair's episodes until
        then and from then on [N, 2]; raw: {split: {name: [K, N, ..]}}; key: int32 [2].
        """
        begin = self._start(after, fresh)
        first, reset_at, horizons = self._per_sign((first, reset_at, horizons))

        def body(i, inner, losses):
            inner, theta = self._reset(reset_at, i, begin, inner), where(i >= reset_at, after, before)
            loss, inner = self._step(theta, inner, *self._step_arguments(i, first, reset_at, horizons, raw, key))
            return i + 1, inner, tf.tensor_scatter_nd_update(losses, [[i]], loss[None])

        losses = tf.zeros([self.steps, self.copies], self.problem.dtype)
        start = (tf.constant(0), inner, losses)
        _, inner, losses = tf.while_loop(lambda i, *_: i < self.steps, body, start, parallel_iterations=1)
        return losses, inner

    def _step_arguments(self, i, first, reset_at, horizons, raw, key):
        """(steps taken [C], horizons [C], raw batch, key) of step i of a truncation."""
        new = i >= reset_at
        steps, horizon = tf.where(new, i - reset_at, first + i), tf.where(new, horizons[:, 1], horizons[:, 0])
        return steps, horizon, at(raw, i), stateless.fold(key, i)

    def _reset(self, reset_at, i, begin, inner):
        now = tf.equal(reset_at, i)
        # Selecting reads all states of all copies: only at the few steps where a pair starts a new episode.
        return tf.cond(tf.reduce_any(now), lambda: where(now, begin, inner), lambda: inner)

    # What the host draws.

    def fresh(self, seeds: dict[int, int]) -> Tree:
        """What the pairs n with a seed in `seeds` {n: seed} are started from, leaves [N, ..]; zeros for the others."""
        nothing = self._nothing_fresh()
        if not seeds:
            return nothing
        rows = tf.constant(list(seeds), tf.int32)[:, None]
        drawn = self._initial(seeds.values())
        return tf.nest.map_structure(lambda zeros, x: tf.tensor_scatter_nd_update(zeros, rows, x), nothing, drawn)

    def raw(self, pieces: Sequence[Collection[tuple[int, int, int]]]) -> Tree:
        """Raw batches {split: {name: [K, N, ..]}}; pieces: for each pair a list of (seed, first batch, count), K in all."""
        drawn = {}
        for split, specs in self.raw_specs.items():
            stacked = {name: np.empty([self.steps, self.pairs, *s.shape], s.dtype.as_numpy_dtype) for name, s in specs.items()}
            for n, parts in enumerate(pieces):
                row = 0
                for seed, first, count in parts:
                    part = self.problem.task.raw_batches(split, seed, first, count)
                    for name, array in stacked.items():
                        array[row : row + count, n] = part[name]
                    row += count
            drawn[split] = {name: tf.constant(array) for name, array in stacked.items()}
        return drawn
