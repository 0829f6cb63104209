"""What a function keeps in Python between its calls: numbers, arrays, iterators, random generators, tensors.

A compiled program runs Python once, while it is traced, so that what a user's function keeps there changes once and not in every
step. Snapshots before and after the tracing tell, and name the place. They see what the function's object, its closure, its
defaults and the names of its module hold, in containers and in objects of users' classes. What hides elsewhere (in functions that
it calls, in sets, in flags, in iterators without a length) is seen by `taskset.tasks.retracing`, once it makes another program.
"""

from __future__ import annotations

import collections
import functools
import inspect
import itertools
import numbers
import operator
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from types import CodeType, FunctionType, GeneratorType, SimpleNamespace
from typing import Any

import numpy as np
import tensorflow as tf

DEPTH, MOST = 4, 2000  # how far objects are followed, and how many values are looked at
MORE = "more"  # stands in a snapshot for what was not looked at
_LIBRARIES = {*sys.stdlib_module_names, "tensorflow", "keras", "sonnet", "numpy", "jax", "jaxlib", "optax", "torch"}
_LIBRARIES |= {"taskset", "learned"}


def of(function: Any) -> dict[str, Any]:
    """{where: what}: what a function keeps. What: a text that is equal for equal values, or a symbolic tensor itself.

    `changed` compares two of them. What can't be looked at is left out.
    """
    look = _Look(set())
    for each in _wrapped(function):
        owner = _owner(each)
        look.seen.add(id(owner))
        for where, value in [*((f"self.{key}", value) for key, value in _entries(owner)), *_names(each)]:
            look.follow(where, value, DEPTH)
    return look.found


def _owner(function: Any) -> Any:
    """The object of a bound method, else the function itself."""
    owner = getattr(function, "__self__", function)
    # In a method under `tf.function` stands TensorFlow's reference to the object.
    return owner.target if type(owner).__name__ == "TfMethodTarget" else owner


def _wrapped(function: Any) -> list[Any]:
    """A function and, where it was made by `tf.function`, `jax.jit` or another decorator, those that it was made of."""
    found = [function]
    while len(found) < DEPTH and (inner := getattr(found[-1], "__wrapped__", None)) is not None:
        found.append(inner)
    return found


def _names(function: Any) -> Iterator[tuple[str, Any]]:
    """(name, value): defaults, closure and the module's names of a function that is written in Python."""
    plain = getattr(function, "__func__", function)
    code = getattr(plain, "__code__", None)
    if code is None:
        return
    yield from ((f"default {i}", value) for i, value in enumerate(plain.__defaults__ or ()))
    for key, cell in zip(code.co_freevars, plain.__closure__ or ()):
        with suppress(ValueError):  # of one that is not yet filled
            yield key, cell.cell_contents
    yield from ((key, plain.__globals__[key]) for key in _names_in(code) if key in plain.__globals__)


def _names_in(code: CodeType) -> list[str]:
    """The names that a function uses, also in comprehensions and functions inside it, each once."""
    inside = [name for part in code.co_consts if isinstance(part, CodeType) for name in _names_in(part)]
    return list(dict.fromkeys([*code.co_names, *inside]))


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Where a function keeps another value than before, none any more, or a tensor of the program that it was traced into.

    A value where there was none may be what it remembers in order not to compute it again.
    """

    def differs(where: str, what: Any) -> bool:
        if tf.is_symbolic_tensor(what):
            return before.get(where) is not what
        return where in before and (tf.is_symbolic_tensor(before[where]) or before[where] != what)

    whole = MORE not in before and MORE not in after
    lost = [where for where in before if where not in after] if whole and len(after) < len(before) else []
    return [where for where, what in after.items() if differs(where, what)] + lost


class _Look:
    """A snapshot being made. found: {where: what}; seen: ids of what was followed; looked: how many values were looked at."""

    def __init__(self, seen: set[int]) -> None:
        self.found: dict[str, Any] = {}
        self.seen, self.looked = seen, 0

    def follow(self, where: str, value: Any, depth: int) -> None:
        """Add what a value is, or what its parts are, down to a depth."""
        self.looked += 1
        if self.looked > MOST:
            self.found[MORE] = MORE
            return
        if value is None or isinstance(value, (bool, np.bool_, str, bytes)):
            return  # flags and texts may say that something was prepared
        with suppress(Exception):  # whatever a user's object raises where it is looked at
            text = _as_text(value)
            if text is not None or tf.is_symbolic_tensor(value):
                self.found[where] = value if text is None else text
            elif depth and id(value) not in self.seen:
                self.seen.add(id(value))
                for key, part in _entries(value):
                    self.follow(f"{where}{key}" if key.startswith("[") else f"{where}.{key}", part, depth - 1)


def _of_array(value: np.ndarray) -> str | None:
    return None if value.size > MOST or value.dtype.hasobject else repr((value.shape, value.tobytes()))


def _of_generator(value: GeneratorType[Any, Any, Any]) -> str:
    frame = value.gi_frame  # None at its end
    return repr(frame and (frame.f_lasti, {key: x for key, x in frame.f_locals.items() if isinstance(x, numbers.Number)}))


def _of_iterator(value: Iterator[Any]) -> str | None:
    return repr(operator.length_hint(value, -1)) if type(value).__module__ in ("builtins", "itertools") else None


_TEXTS: tuple[tuple[type | tuple[type, ...], Callable[[Any], str | None]], ...] = (  # the first kind that a value is
    ((int, float, complex, np.number), repr),  # NaN is NaN
    (np.ndarray, _of_array),
    (np.random.Generator, lambda value: repr(value.bit_generator.state)),
    (np.random.RandomState, lambda value: repr(value.get_state(legacy=False))),
    (random.Random, lambda value: repr(value.getstate())),
    (GeneratorType, _of_generator),
    (itertools.count, repr),
    (Iterator, _of_iterator),
)


def _as_text(value: Any) -> str | None:
    """What is compared of a number, an array, an iterator or a random generator; None of all else."""
    return next((text(value) for kind, text in _TEXTS if isinstance(value, kind)), None)


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """(place, part): the parts of a container, and of an object of a user's own class, those of its classes among them."""
    if isinstance(value, dict):
        yield from ((f"[{key!r:.40}]", part) for key, part in list(itertools.islice(value.items(), MOST)))
    elif isinstance(value, (list, tuple, collections.deque)):
        yield from ((f"[{i}]", part) for i, part in enumerate(list(itertools.islice(value, MOST))))
    elif isinstance(value, functools.partial):
        yield from [("args", value.args), ("keywords", value.keywords)]
    attributes = _attributes(value)
    yield from ((key, part) for key, part in attributes.items() if not key.startswith(("__", "_self_")) and not _is_code(part))


def _attributes(value: Any) -> dict[str, Any]:
    """{name: attribute} of an object or class of a user's own, of a function, or of a plain namespace."""
    if isinstance(value, (FunctionType, SimpleNamespace)):
        return dict(vars(value))
    kind = value if isinstance(value, type) else type(value)
    if _of_library(kind):
        return {}
    found: dict[str, Any] = {}
    for each in reversed([each for each in kind.__mro__ if not _of_library(each)]):
        found |= vars(each)
    if value is not kind:
        found |= {name: getattr(value, name, None) for name, slot in found.items() if inspect.ismemberdescriptor(slot)}
        found |= getattr(value, "__dict__", {})
    return found


def _is_code(part: Any) -> bool:
    return inspect.isroutine(part) or isinstance(part, (type, property, classmethod, staticmethod))


def _of_library(kind: type) -> bool:
    return getattr(kind, "__module__", "").partition(".")[0] in _LIBRARIES
