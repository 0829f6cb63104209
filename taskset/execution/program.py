"""Compiled functions of nested tensors that cost little to call.

Calling a `tf.function` takes Python about a millisecond for a dozen tensors in dicts, as long as hundreds of steps of a small
task. Here the tensors are flattened and the traced function is run as one operation: a sixth of that (docs/benchmarks.md).
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import ops

from taskset.errors import ConfigError
from taskset.execution import compile_cache
from taskset.execution.canonical import canonical_name
from taskset.random import hidden, stateless
from taskset.tasks.graphs import global_draw


class Program:
    """`function(*args) -> result`, both nested dicts and tuples of tensors, as one operation.

    It is traced (and, with `xla`, compiled as a whole) at the first call. All later calls must have arguments of the same
    structure, shapes and dtypes; to check that would take longer than a small program itself.
    """

    def __init__(self, function: Callable[..., Any], xla: bool):
        self.function, self.xla = function, xla
        self._traced: tuple[Any, list[tf.Tensor], list[tf.DType], Any] | None = None

    def __call__(self, *args: Any) -> Any:
        flat = tf.nest.flatten(args)
        if self._traced is None:
            self._traced = self._trace(args, flat, canonical=self.xla)
            if self.xla:
                key = self._key(self._traced[0], flat)
                return compile_cache.first_call(key, lambda: self._run(flat), lambda: self._afresh(args, flat))
        return self._run(flat)

    def _key(self, name: str, flat: list[tf.Tensor]) -> str:
        shapes = repr([(list(x.shape), x.dtype.name) for x in flat])
        return f"{name}-{hashlib.sha256(shapes.encode()).hexdigest()[:8]}"

    def _afresh(self, args: tuple[Any, ...], flat: list[tf.Tensor]) -> Any:
        self._traced = self._trace(args, flat, canonical=False)
        return self._run(flat)

    def _run(self, flat: list[tf.Tensor]) -> Any:
        assert self._traced is not None, "traced by the first call"
        concrete, captured, dtypes, places = self._traced
        return _fill(places, tf.raw_ops.StatefulPartitionedCall(args=flat + captured, Tout=dtypes, f=concrete))

    def _trace(
        self, args: tuple[Any, ...], flat: list[tf.Tensor], canonical: bool
    ) -> tuple[Any, list[tf.Tensor], list[tf.DType], Any]:
        """(function or its canonical name, captured tensors, dtypes of the results, structure of the results)."""
        places = None

        def run(*flat):
            nonlocal places
            with stateless.for_xla_cpu() if self.xla and _on_cpu() else contextlib.nullcontext():
                result = self.function(*tf.nest.pack_sequence_as(args, flat))
            flat_result = tf.nest.flatten(result)
            places = tf.nest.pack_sequence_as(result, list(range(len(flat_result))))
            return flat_result

        # For a function that runs as an operation, jit_compile is ignored, but not for a function that it calls: hence two.
        inner = tf.function(run, autograph=False, jit_compile=self.xla)
        specs = [tf.TensorSpec(x.shape, x.dtype) for x in flat]

        def outer(*flat):
            return inner(*flat)

        with forgotten_gradients():
            concrete = tf.function(outer, autograph=False).get_concrete_function(*specs)
        if drawn := global_draw(concrete.name.decode()):
            raise ConfigError(
                f"an optimizer, an objective or data draws from TensorFlow's global random state ({drawn}), which no other run "
                f"repeats: allowed are functions like {hidden.REPEATABLE}"
            )
        called = canonical_name(concrete.name.decode()) if canonical else concrete
        return called, list(concrete.captured_inputs), [x.dtype for x in concrete.outputs], places


def compiled(function: Callable[..., Any], mode: str) -> Callable[..., Any]:
    """`function` as it runs in a mode of `taskset.execution.modes`: itself in the eager loop, else a `Program`."""
    return function if mode == "eager_loop" else Program(function, xla=mode == "xla_loop")


@contextlib.contextmanager
def forgotten_gradients() -> Iterator[None]:
    """Around the tracing of functions that are not differentiated afterwards: frees the gradients registered meanwhile.

    TensorFlow registers the gradient of each `tf.custom_gradient` that it traces and keeps it, for the life of the process, with
    all graphs around it (some 60 MB for a truncation of outer training).
    """
    registered = ops.gradient_registry._registry
    before = set(registered)
    try:
        yield
    finally:
        for name in [name for name in registered if name not in before and name.startswith("CustomGradient-")]:
            del registered[name]


def _on_cpu() -> bool:
    return not any(tf.config.list_logical_devices(kind) for kind in ("GPU", "TPU"))


def _fill(places: Any, values: Sequence[tf.Tensor]) -> Any:
    """`places` with each number i replaced by values[i]. `tf.nest.pack_sequence_as` takes ten times as long."""
    if isinstance(places, dict):
        return {key: _fill(place, values) for key, place in places.items()}
    if isinstance(places, (tuple, list)):
        return tuple(_fill(place, values) for place in places)
    return values[places]
