"""Compiled functions of nested tensors that cost little to call.

Calling a `tf.function` takes Python about a millisecond for a dozen tensors in dicts, as long as hundreds of steps of a small
task. Here the tensors are flattened and the traced function is run as one operation: a sixth of that (docs/benchmarks.md).
"""

import contextlib
import hashlib

import tensorflow as tf
from tensorflow.python.framework import ops

from taskset.execution import compile_cache
from taskset.execution.canonical import canonical_name
from taskset.random import stateless


class Program:
    """`function(*args) -> result`, both nested dicts and tuples of tensors, as one operation.

    It is traced (and, with `xla`, compiled as a whole) at the first call. All later calls must have arguments of the same
    structure, shapes and dtypes; to check that would take longer than a small program itself.
    """

    def __init__(self, function, xla):
        self.function, self.xla, self._traced = function, xla, None

    def __call__(self, *args):
        flat = tf.nest.flatten(args)
        if self._traced is None:
            self._traced = self._trace(args, flat, canonical=self.xla)
            if self.xla:
                return compile_cache.first_call(self._key(flat), lambda: self._run(flat), lambda: self._afresh(args, flat))
        return self._run(flat)

    def _key(self, flat):
        shapes = repr([(list(x.shape), x.dtype.name) for x in flat])
        return f"{self._traced[0]}-{hashlib.sha256(shapes.encode()).hexdigest()[:8]}"

    def _afresh(self, args, flat):
        self._traced = self._trace(args, flat, canonical=False)
        return self._run(flat)

    def _run(self, flat):
        concrete, captured, dtypes, places = self._traced
        return _fill(places, tf.raw_ops.StatefulPartitionedCall(args=flat + captured, Tout=dtypes, f=concrete))

    def _trace(self, args, flat, canonical):
        places = None

        def run(*flat):
            nonlocal places
            with stateless.for_xla_cpu() if self.xla and _on_cpu() else contextlib.nullcontext():
                result = self.function(*tf.nest.pack_sequence_as(args, flat))
            flat_result = tf.nest.flatten(result)
            places = tf.nest.pack_sequence_as(result, list(range(len(flat_result))))
            return flat_result

        # Run as an operation, a function's own wish to be compiled is not looked at, that of one which it calls is: hence two.
        inner = tf.function(run, autograph=False, jit_compile=self.xla)
        specs = [tf.TensorSpec(x.shape, x.dtype) for x in flat]
        with forgotten_gradients():
            concrete = tf.function(lambda *flat: inner(*flat), autograph=False).get_concrete_function(*specs)
        called = canonical_name(concrete.name.decode()) if canonical else concrete
        return called, list(concrete.captured_inputs), [x.dtype for x in concrete.outputs], places


@contextlib.contextmanager
def forgotten_gradients():
    """Around the tracing of functions that are only run afterwards: TensorFlow keeps the gradient of each `tf.custom_gradient`
    that is met, and with it all graphs around it (some 60 MB of a window of outer training), for as long as the process lives."""
    registered = ops.gradient_registry._registry
    before = set(registered)
    try:
        yield
    finally:
        for name in [name for name in registered if name not in before and name.startswith("CustomGradient-")]:
            del registered[name]


def _on_cpu():
    return not any(tf.config.list_logical_devices(kind) for kind in ("GPU", "TPU"))


def _fill(places, values):
    """`places` with each number i replaced by values[i]. `tf.nest.pack_sequence_as` takes ten times as long."""
    if isinstance(places, dict):
        return {key: _fill(place, values) for key, place in places.items()}
    if isinstance(places, (tuple, list)):
        return tuple(_fill(place, values) for place in places)
    return values[places]
