"""Which optimizers may share a compiled program: those that differ in nothing but numbers that the program is given."""

from __future__ import annotations

import functools
import inspect
import numbers
import types
from collections.abc import Iterator, Mapping
from typing import Any

from taskset import registry
from taskset.execution.code_digest import package_of
from taskset.optimizers.base import Elementwise, Optimizer

_ANY = {"getattr", "vars", "__dict__", "asdict", "astuple"}  # functions that may read any attribute
_OF_STEPS = ("__call__", "__getattr__", "__getattribute__")  # of the methods with such names, those that a step may go through


def program(optimizer: Optimizer) -> str:
    """A name of what its functions compute: its rule, and what else they may depend on. Two objects may share a rule and differ.

    Objects of one class share a program where they differ in nothing but numbers that `hparams` gives under the same name, and
    that no other code of the class reads: a number that `update` takes from the object is a constant of its program.
    """
    declared = getattr(optimizer, "rule", "")
    if isinstance(optimizer, Elementwise) and not registry.is_own(type(optimizer)):
        return f"{declared} {id(type(optimizer))} {id(optimizer.formula)}"
    if not hasattr(optimizer, "__dict__"):
        return f"{declared} {id(optimizer)}"
    hparams, read = optimizer.hparams(1000), _read_by(type(optimizer))
    parts = [f"{declared} {id(type(optimizer))}", *sorted(hparams)]
    for key, value in sorted(vars(optimizer).items()):
        given = _is_number(value) and key in hparams and float(hparams[key]) == float(value)
        if key == "name" or (given and key not in read and _ANY.isdisjoint(read)):
            continue
        parts.append(f"{key}={value!r}" if _is_plain(value) else f"{key}@{id(value)}")
    return " ".join(parts)


def _read_by(kind: type) -> set[str]:
    """All names in the code of a class, `hparams` and what makes or prints an object left out, and in the code that it names."""
    names: set[str] = set()
    met: set[int] = set()
    for base in kind.__mro__[:-1]:
        for name, value in vars(base).items():
            if name != "hparams" and (not name.startswith("__") or name in _OF_STEPS):
                _collect(value, names, met)
    return names


def _collect(thing: Any, names: set[str], met: set[int]) -> None:
    """Put all names in the code of `thing` into `names`, and those of the user's own functions and classes that it names."""
    for function in _functions(thing):
        if id(function) in met:
            continue
        met.add(id(function))
        own = _names(function.__code__)
        names |= own
        for other in _named(own, function.__globals__):
            _collect(other, names, met)


def _functions(thing: Any) -> Iterator[types.FunctionType]:
    """The functions in Python of a function, a method, a property, a `tf.function` or a class."""
    if isinstance(thing, type):
        found = list(vars(thing).values())
    elif isinstance(thing, property):
        found = [thing.fget]
    elif isinstance(thing, functools.cached_property):
        found = [thing.func]
    else:
        inner = getattr(thing, "__func__", thing)
        found = [getattr(inner, "python_function", inner)]
    for one in found:
        unwrapped = inspect.unwrap(one) if callable(one) else one
        if isinstance(unwrapped, types.FunctionType):
            yield unwrapped


def _names(code: types.CodeType) -> set[str]:
    """All names that code looks up, those within functions in it included."""
    inner = [const for const in code.co_consts if isinstance(const, types.CodeType)]
    return set(code.co_names).union(*map(_names, inner))


def _named(names: set[str], there: Mapping[str, Any]) -> Iterator[Any]:
    """The user's own functions and classes that names stand for, by themselves or in a module of the user's own."""
    for name in names & there.keys():
        thing = there[name]
        if isinstance(thing, types.ModuleType) and package_of(thing.__name__) is None:
            yield from _named(names - {name}, vars(thing))
        elif isinstance(thing, (types.FunctionType, type)) and package_of(thing.__module__ or "") is None:
            yield thing


def _is_number(value: object) -> bool:
    """Whether it is one that a program can be given: Python code decides by True and False."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _is_plain(value: object) -> bool:
    """Whether it says by its `repr` what it is."""
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (numbers.Real, str))
