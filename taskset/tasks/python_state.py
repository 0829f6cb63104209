"""What a function keeps in Python between its calls: numbers, containers, tensors, iterators, random generators.

A compiled program runs Python once, while it is traced, so that what a user's function keeps there changes once and not in every
step. Snapshots before and after the tracing tell.
"""

from __future__ import annotations

import collections
import itertools
import numbers
import operator
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import FunctionType, GeneratorType
from typing import Any

import numpy as np
import tensorflow as tf

DEPTH, MOST = 4, 2000  # how far objects are followed, and how many entries are looked at
_LIBRARIES = ("tensorflow", "keras", "sonnet", "numpy", "jax", "jaxlib", "optax", "torch", "taskset", "learned", "builtins")


def of(function: Any) -> dict[str, Any]:
    """{where: what}: what a function keeps in its object, its closure and the names of its module that it uses.

    What: a text that is equal for equal values, or a symbolic tensor itself. `changed` compares two of them.
    """
    owner, plain = getattr(function, "__self__", function), getattr(function, "__func__", function)
    parts = [(f"self.{key}", value) for key, value in _entries(owner)]
    code = getattr(plain, "__code__", None)
    if code is not None:
        for key, cell in zip(code.co_freevars, plain.__closure__ or ()):
            with suppress(ValueError):  # of one that is not yet filled
                parts.append((key, cell.cell_contents))
        parts += [(key, plain.__globals__[key]) for key in code.co_names if key in plain.__globals__]
    found: dict[str, Any] = {}
    seen = {id(owner)}
    for where, value in parts:
        _follow(where, value, DEPTH, found, seen)
    return found


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Where a function keeps another value than before, or a tensor of the program that it was traced into.

    A value where there was none may be what it remembers in order not to compute it again.
    """

    def differs(where: str, what: Any) -> bool:
        if tf.is_symbolic_tensor(what):
            return before.get(where) is not what
        return where in before and (tf.is_symbolic_tensor(before[where]) or before[where] != what)

    return [where for where, what in after.items() if differs(where, what)]


def _follow(where: str, value: Any, depth: int, found: dict[str, Any], seen: set[int]) -> None:
    """Add to `found` what a value is, or what its parts are, down to a depth; seen: ids of what was followed already."""
    text = _as_text(value)
    if text is not None or tf.is_symbolic_tensor(value):
        found[where] = value if text is None else text
    elif depth and id(value) not in seen and len(found) < MOST:
        seen.add(id(value))
        for key, part in _entries(value):
            _follow(f"{where}{key}" if key.startswith("[") else f"{where}.{key}", part, depth - 1, found, seen)


def _of_array(value: np.ndarray) -> str | None:
    return None if value.size > MOST or value.dtype.hasobject else repr((value.shape, value.tobytes()))


def _of_generator(value: GeneratorType[Any, Any, Any]) -> str:
    frame = value.gi_frame  # None at its end
    return repr(frame and (frame.f_lasti, {key: x for key, x in frame.f_locals.items() if isinstance(x, numbers.Number)}))


_TEXTS: tuple[tuple[type, Callable[[Any], str | None]], ...] = (  # the first kind that a value is
    (numbers.Number, repr),  # NaN is NaN
    (np.ndarray, _of_array),
    (np.random.Generator, lambda value: repr(value.bit_generator.state)),
    (np.random.RandomState, lambda value: repr(value.get_state(legacy=False))),
    (random.Random, lambda value: repr(value.getstate())),
    (GeneratorType, _of_generator),
    (itertools.count, repr),
    (Iterator, lambda value: repr(operator.length_hint(value, -1))),
)


def _as_text(value: Any) -> str | None:
    """What is compared of a number, an array, an iterator or a random generator; None of all else.

    Not of flags, texts and None: they may say that something was prepared.
    """
    if isinstance(value, (bool, np.bool_)):
        return None
    return next((text(value) for kind, text in _TEXTS if isinstance(value, kind)), None)


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """(place, part): the parts of a container, and of an object of a user's own class, those of its classes among them."""
    if isinstance(value, Mapping):
        yield from ((f"[{key!r}]", part) for key, part in list(value.items()))
    elif isinstance(value, (list, tuple, collections.deque)):
        yield from ((f"[{i}]", part) for i, part in enumerate(list(value)))
    kinds = [kind for kind in (value if isinstance(value, type) else type(value)).__mro__ if not _of_library(kind)]
    attributes: dict[str, Any] = {}
    for kind in reversed(kinds):
        attributes |= vars(kind)
    if (kinds and not isinstance(value, type)) or isinstance(value, FunctionType):
        attributes |= getattr(value, "__dict__", {})
    yield from ((key, part) for key, part in attributes.items() if not key.startswith(("__", "_self_")) and not callable(part))


def _of_library(kind: type) -> bool:
    return getattr(kind, "__module__", "").partition(".")[0] in _LIBRARIES
