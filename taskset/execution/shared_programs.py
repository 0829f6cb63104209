"""Which optimizers may share a compiled program: those that differ in nothing but numbers that the program is given."""

from __future__ import annotations

import copy
import functools
import inspect
import numbers
import types
from collections.abc import Collection, Iterator
from typing import Any

import tensorflow as tf

from taskset import registry
from taskset.errors import is_number
from taskset.execution import code_digest
from taskset.optimizers.base import Elementwise, Optimizer

# Parameters on which a user's own are looked at, {path: shape}: code may decide by a path or a shape.
PROBE: dict[str, list[int]] = {"dense/w": [3, 2], "dense/b": [2], "conv/kernel": [2, 2, 3, 2], "norm/bias": [2], "norm/scale": []}
_DESCRIBES = ("name", "rule", "hparams")  # what no step goes through; nor does it through what makes or prints an object
_STEPS = ("__call__", "__getattr__", "__getattribute__", "__getitem__")


def program(optimizer: Optimizer) -> str:
    """A name of what its functions compute: its rule, and what else they may depend on. Two objects may share a rule and differ.

    Objects of one class share a program where they differ in nothing but their name and numbers that `hparams` gives under the
    same name. Of a user's own class, its other code must not read them: what `update` takes from the object is a constant of
    its program.
    """
    declared = getattr(optimizer, "rule", "")
    if isinstance(optimizer, Elementwise) and not registry.is_own(type(optimizer)):
        names = " ".join([*optimizer.slots, "|", *sorted(optimizer.hparams(1000))])
        return f"{declared} {id(type(optimizer))} {id(optimizer.formula)} {names}"
    if not hasattr(optimizer, "__dict__") or _has_other_fields(type(optimizer)):
        return f"{declared} {id(optimizer)}"
    hparams = optimizer.hparams(1000)
    parts = [f"{declared} {id(type(optimizer))}", *sorted(hparams)]
    fields = dict(sorted(vars(optimizer).items()))
    given = {key for key, value in fields.items() if is_number(value) and key in hparams and float(hparams[key]) == float(value)}
    given |= {"name"} & set(fields)
    if given and registry.is_own(type(optimizer)):
        given -= _read(optimizer, given, sorted(hparams))
    for key, value in fields.items():
        if key not in given:
            parts.append(f"{key}={value!r}" if _is_plain(value) else f"{key}@{id(value)}")
    return " ".join(parts)


def _has_other_fields(kind: type) -> bool:
    """Whether objects of a class have fields that `vars` doesn't show: slots, or those of a tuple."""
    return issubclass(kind, tuple) or any(vars(base).get("__slots__") for base in kind.__mro__)


def _read(optimizer: Optimizer, fields: Collection[str], names: list[str]) -> set[str]:
    """Those of the fields that code of an optimizer reads: all, where that can't be known.

    Code is read, and run: names in it show what a decision of Python's may read for other parameters than those of PROBE, and a
    run what is read by other ways, as `getattr`, or in functions that code doesn't name.
    """
    try:
        return _read_in_code(type(optimizer), fields) | _read_in_a_run(optimizer, fields, names)
    except Exception:  # whatever a user's code raises; it raises it again where it is run
        return set(fields)


def _read_in_code(kind: type, fields: Collection[str]) -> set[str]:
    """Those of the fields that methods of a class name."""
    names: set[str] = set()
    for base in kind.__mro__[:-1]:
        for name, value in vars(base).items():
            if name not in _DESCRIBES and (not name.startswith("__") or name in _STEPS):
                for code in _codes(value):
                    # tuples have names, too: those of `match self: case Rule(rate=..)`
                    names.update(code.co_names, *(const for const in code.co_consts if isinstance(const, tuple)))
    return names & set(fields)


def _codes(value: Any) -> Iterator[types.CodeType]:
    """The code of a method, a property and the like, of functions in it, and of those that a decorator put it around."""
    left, met = [value], list[Any]()
    while left:
        one = left.pop()
        if any(one is other for other in met):
            continue
        met.append(one)
        if isinstance(one, types.FunctionType):
            yield from code_digest.codes(one.__code__)
            cells = [code_digest.content(cell) for cell in one.__closure__ or ()]
            left += [cell for cell in cells if isinstance(cell, types.FunctionType) and registry.is_own(cell)]
        left += _inner(one)


def _inner(one: Any) -> list[Any]:
    """The function that a property, a partial or a decorator is around; others may have any attribute that they are asked for."""
    if isinstance(one, property):
        return [one.fget]
    if isinstance(one, (staticmethod, classmethod)):
        return [one.__func__]
    if isinstance(one, (functools.partial, functools.partialmethod, functools.cached_property)):
        return [one.func]
    if type(one).__module__.startswith("tensorflow."):
        return [getattr(one, "python_function", None)]
    wrapped = inspect.getattr_static(one, "__wrapped__", None)
    return [] if wrapped is None else [wrapped]


def _read_in_a_run(optimizer: Optimizer, fields: Collection[str], names: list[str]) -> set[str]:
    """Those of the fields that a copy of the optimizer reads while its functions are traced on PROBE."""
    kind, found = type(optimizer), set[str]()

    def noticed(self: Any, name: str) -> Any:
        found.update(fields if name == "__dict__" else {name} & set(fields))
        return kind.__getattribute__(self, name)

    watched = types.new_class(kind.__name__, (kind,), exec_body=lambda body: body.update(__getattribute__=noticed))
    other: Any = _apart(optimizer)
    object.__setattr__(other, "__class__", watched)
    judged = getattr(kind, "evaluated", None)
    losses = [loss for loss in ("loss", "validation_loss") if getattr(optimizer, f"uses_{loss}", False)]

    def step(params: Any, grads: Any, at: Any, loss: Any, hparams: Any) -> Any:
        given = {"loss": loss, "validation_loss": lambda: loss}
        state = other.init(params)
        after = other.update(grads, state, params, at, hparams, **{name: given[name] for name in losses})
        return state, after, other.evaluated(*after, hparams) if judged else ()

    params = {path: tf.TensorSpec(shape) for path, shape in PROBE.items()}
    scalar = tf.TensorSpec([])
    tf.function(step, autograph=False).get_concrete_function(
        params, params, tf.TensorSpec([], tf.int32), scalar, dict.fromkeys(names, scalar)
    )
    return found


def _apart(optimizer: Any) -> Any:
    """A copy whose containers are copies: what its functions fill must not be the optimizer's. Raises `TypeError` for none."""
    other = copy.copy(optimizer)
    if other is optimizer:
        raise TypeError("it is its own copy")
    for name, value in vars(other).items():
        try:
            vars(other)[name] = copy.deepcopy(value)
        except Exception:  # a lock or a module, say, which nothing fills
            vars(other)[name] = copy.copy(value) if isinstance(value, (list, dict, set)) else value
    return other


def _is_plain(value: object) -> bool:
    """Whether it says by its `repr` what it is."""
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (numbers.Real, str))
