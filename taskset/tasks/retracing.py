"""Whether a function is the same program whenever it is traced.

A compiled program runs Python once, while it is traced. A function that keeps something in Python (a flag, a set, a counter that
decides) is another program when it is traced again, wherever it keeps it: two programs tell.
"""

from __future__ import annotations

import hashlib
import numbers
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from taskset.tasks import graphs


def program(call: Callable[[], Any]) -> tuple[Any, ...] | None:
    """What `call()` computes when it is traced, equal for equal programs; None where it fails. Nothing of it stays.

    In a program, `call` may compute with that program's tensors.
    """
    kept: list[Any] = []

    def body() -> list[tf.Tensor]:
        found = tf.nest.flatten(call(), expand_composites=True)
        kept.extend(by_value(np.asarray(x)) for x in found if isinstance(x, (numbers.Number, np.ndarray, np.generic)))
        return [x for x in found if tf.is_tensor(x)]

    try:
        made = tf.function(body, autograph=False).get_concrete_function()
    except Exception:  # whatever a user's function raises; it raises it again where it is traced for good
        return None
    return of(made), tuple(kept)


def of(made: tf.types.experimental.ConcreteFunction) -> tuple[Any, ...]:
    """What a traced function computes, with what it captured: equal for equal programs."""
    return graphs.digest(made.name.decode()), tuple(map(_captured, made.captured_inputs))


def _captured(value: tf.Tensor) -> Any:
    """A number or array by its value; a variable, or a tensor of a program, by itself."""
    if tf.is_symbolic_tensor(value):
        return id(value.graph), value.name
    if value.dtype in (tf.resource, tf.variant):
        return value.ref()
    return by_value(np.asarray(value))


def by_value(value: np.ndarray) -> Any:
    """What arrays are compared by: equal for equal ones, bit for bit, and small. Objects, which are no numbers, by their text."""
    whole = repr(value.tolist()).encode() if value.dtype.hasobject else value.tobytes()
    return value.dtype.name, value.shape, hashlib.sha256(whole).hexdigest()
