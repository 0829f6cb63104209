"""A digest of what an object computes: its code, and the values that the code is bound to. No TensorFlow.

Of a function: bytecode, defaults, closure, and the global names that it uses; of an instance: its class and its attributes. Code
of installed packages counts by its name and the package's version. What can't be seen, such as the state of an object written in
C, makes the whole unknown.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import hashlib
import inspect
import os
import random
import re
import sys
import sysconfig
import types
import weakref
from collections.abc import Iterator, Mapping, Set
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from taskset.version import __version__

MOST = 20000  # objects that are looked at
_OWN = ("taskset", "learned")  # installed or not, their version counts
_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(...))
_LEFT_OUT = {"__dict__", "__weakref__", "__doc__", "__module__", "__qualname__", "__annotations__", "__firstlineno__"}
_LEFT_OUT |= {"__static_attributes__", "_abc_impl", "__abstractmethods__", "__orig_bases__", "__parameters__", "__match_args__"}
_LEFT_OUT |= {"__dataclass_params__"}  # what they ask for is in the class's methods
_WRITTEN = 2  # of `of_code`: counts what it looks at; texts of two numbers can't be compared

_DOCSTRING = 0x4000000  # a flag of code from Python 3.14 on: its first constant is a docstring


class Unknown(Exception):
    """Something whose code or values can't be seen."""


def digest(thing: object) -> str | None:
    """16 letters, the same in another process while `thing` computes the same; None where that can't be known."""
    try:
        return _Reader().digest(thing)[:16]
    except Exception:  # Unknown, and whatever objects of others raise when they are looked at
        return None


def of_code(thing: object) -> str | None:
    """A text that is the same while the code of `thing` is: in another process, later in this one, beside other packages.

    The code is that of functions and classes, their defaults and closures, and of what they name globally. Values that a run may
    change don't count, in containers and objects, nor do versions of packages. It begins with the version of Python, whose
    bytecode it is of, and a number for how it is read: `differs` tells what has changed.
    """
    try:
        return f"{sys.version_info.major}.{sys.version_info.minor}/{_WRITTEN} {_CodeReader().digest(thing)[:16]}"
    except Exception:  # whatever objects of others raise when they are looked at
        return None


def differs(one: str, other: str) -> bool:
    """Whether two texts of `of_code` are of different code; False where they begin differently, as that can't be told then."""
    return one != other and one.partition(" ")[0] == other.partition(" ")[0]


def _installed(module: str) -> str | None:
    """ "NAME VERSION" of the installed package that a module is of; None for a user's own."""
    top = module.partition(".")[0]
    if top in _OWN:
        return f"{top} {__version__}"
    loaded = sys.modules.get(top)
    file = getattr(loaded, "__file__", None) or next(iter(getattr(loaded, "__path__", [])), None)
    if top in sys.builtin_module_names or (top in sys.stdlib_module_names - {"__main__"} and _of_python(file)):
        return f"python {sys.version_info.major}.{sys.version_info.minor}"
    if file is None or not _among_packages(Path(file)):
        return None
    return f"{top} {getattr(loaded, '__version__', '')}"


def _package_of(thing: types.FunctionType | type) -> str | None:
    """As `_installed`, of a function's or class's own module: `__module__` may be that of what it wraps, or of what made it."""
    if isinstance(thing, types.FunctionType):
        return _installed(str(thing.__globals__.get("__name__") or thing.__module__ or ""))
    package = _installed(thing.__module__)
    if package is None or "<locals>" in thing.__qualname__ or not _made_in_python(thing):
        return package
    found: object = sys.modules.get(thing.__module__)
    for name in thing.__qualname__.split("."):
        found = getattr(found, name, None)
    return package if found is thing or thing.__module__.partition(".")[0] not in sys.stdlib_module_names else None


def _made_in_python(kind: type) -> bool:
    """Whether it is no class of C: one of C has methods of C that are its own. No flag tells them apart."""
    heap = 1 << 9  # Py_TPFLAGS_HEAPTYPE: classes made in Python, and some of C
    of_c = (types.MethodDescriptorType, types.WrapperDescriptorType, types.ClassMethodDescriptorType)
    own = [value for value in vars(kind).values() if isinstance(value, of_c) and value.__objclass__ is kind]
    return bool(kind.__flags__ & heap) and not own and not isinstance(vars(kind).get("__new__"), types.BuiltinFunctionType)


def _of_python(file: str | None) -> bool:
    """Whether a module with a name of the standard library is of it: a file of a user's may be called `queue`, too."""
    places = {Path(sysconfig.get_path(place)).resolve() for place in ("stdlib", "platstdlib")}
    return file is None or any(Path(file).resolve().is_relative_to(place) for place in places)


def _among_packages(file: Path) -> bool:
    places = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    return bool({"site-packages", "dist-packages"} & set(file.parts)) or any(file.is_relative_to(place) for place in places)


class _Reader:
    """One reading: an object that was met before counts by its number, so that circles end."""

    def __init__(self) -> None:
        self._met: dict[int, int] = {}
        self._kept: list[object] = []  # an object that is made on the way must not give its id to another

    def digest(self, thing: object) -> str:
        """The digest of `thing`. Raises `Unknown`."""
        return hashlib.sha256(repr(self._read(thing)).encode()).hexdigest()

    def _read(self, thing: object) -> object:
        """A text, or a nest of texts, that stands for `thing`."""
        if type(thing) in _PLAIN:
            return f"{type(thing).__name__} {thing!r}"
        if id(thing) in self._met:
            return f"met {self._met[id(thing)]}"
        if len(self._met) > MOST:
            raise Unknown
        self._met[id(thing)] = len(self._met)
        self._kept.append(thing)
        return getattr(self, next(method for kind, method in _READERS if isinstance(thing, kind)))(thing)

    def _code(self, code: types.CodeType) -> object:
        consts = code.co_consts[1:] if _has_docstring(code) else code.co_consts
        if "__firstlineno__" in code.co_names:  # of a class, from Python 3.13 on: a line added above it is no other code
            consts = tuple(const for const in consts if const != code.co_firstlineno)
        names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        numbers = (code.co_flags & ~_DOCSTRING, code.co_argcount, code.co_kwonlyargcount, code.co_posonlyargcount)
        instructions = [code.co_code.hex(), getattr(code, "co_exceptiontable", b"").hex()]  # from 3.11 on: what a `try` covers
        return ["code", instructions, [self._read(const) for const in consts], names, numbers]

    def _function(self, function: types.FunctionType) -> object:
        cells = [content(cell) for cell in function.__closure__ or ()]
        bound = self._read([function.__defaults__, function.__kwdefaults__, cells])
        if (package := _package_of(function)) is not None:
            return ["function", package, function.__module__, function.__qualname__, bound]
        there, attributes = function.__globals__, {k: v for k, v in vars(function).items() if k != "__wrapped__"}
        bound = [bound, self._read(attributes)]
        used = [(name, self._read(there[name])) for name in sorted(_names(function.__code__)) if name in there]
        return ["function", self._read(function.__code__), bound, used]

    def _method(self, method: types.MethodType) -> object:
        return ["method", self._read(method.__func__), self._read(method.__self__)]

    def _wrapper(self, thing: staticmethod[..., Any] | classmethod[Any, ..., Any]) -> object:
        return [type(thing).__name__, self._read(thing.__func__)]

    def _property(self, thing: property) -> object:
        return ["property", self._read(thing.fget), self._read(thing.fset)]

    def _partial(self, thing: functools.partial[Any]) -> object:
        return ["partial", self._read(thing.func), self._read(thing.args), self._read(thing.keywords)]

    def _builtin(self, function: types.BuiltinFunctionType) -> object:
        owner = function.__self__
        known = owner is None or isinstance(owner, (types.ModuleType, type))
        return ["builtin", str(function.__module__), function.__qualname__, None if known else self._read(owner)]

    def _module(self, module: types.ModuleType) -> object:
        if (package := _installed(module.__name__)) is not None:
            return ["module", package, module.__name__]
        try:
            if module.__file__ is None:  # a package without a file of its own, which may lie in several places
                raise Unknown
            file = Path(module.__file__)
            files = _files_below(file.parent) if hasattr(module, "__path__") else [file]
            return ["module", *(hashlib.sha256(one.read_bytes()).hexdigest() for one in files)]
        except (OSError, AttributeError) as error:
            raise Unknown from error

    def _class(self, kind: type) -> object:
        if (package := _package_of(kind)) is not None:
            return ["class", package, kind.__module__, kind.__qualname__]
        parts = {name: value for name, value in vars(kind).items() if name not in _LEFT_OUT and not _is_slot(value)}
        return ["class", self._read(kind.__bases__), self._read(parts)]

    def _enum(self, thing: enum.Enum) -> object:
        return ["enum", self._read(type(thing)), thing.name]

    def _mapping(self, mapping: Mapping[Any, Any]) -> object:
        # In an order that another process has, too: numbers of objects that were met depend on it.
        items = sorted(mapping.items(), key=lambda item: str(item[0]))
        pairs = [(self._read(key), self._read(value)) for key, value in items]
        return ["mapping", self._read(type(mapping)), pairs, self._beside(mapping)]

    def _set(self, values: Set[Any]) -> object:
        return ["set", sorted(_Reader().digest(value) for value in values), self._beside(values)]

    def _sequence(self, values: list[Any] | tuple[Any, ...]) -> object:
        return ["sequence", self._read(type(values)), [self._read(value) for value in values], self._beside(values)]

    def _beside(self, container: Any) -> object:
        """What a container has beside its entries: attributes of a user's class, and what a defaultdict makes."""
        attributes = _attributes(container) if _package_of(type(container)) is None else {}
        if isinstance(container, collections.defaultdict):
            attributes["default_factory"] = container.default_factory
        return [(name, self._read(value)) for name, value in sorted(attributes.items())]

    def _value(self, thing: Any) -> object:
        return ["value", type(thing).__name__, str(thing)]

    def _ufunc(self, function: np.ufunc) -> object:
        known = (np, sys.modules.get("scipy.special"))
        if not any(getattr(module, function.__name__, None) is function for module in known):
            raise Unknown  # of np.frompyfunc, say: around a function that it hides
        return self._value(function)

    def _random(self, generator: random.Random) -> object:
        if type(generator) is not random.Random:
            raise Unknown
        return ["random", self._read(generator.getstate())]

    def _pattern(self, pattern: re.Pattern[Any]) -> object:
        return ["pattern", repr(pattern.pattern), pattern.flags]

    def _field(self, field: dataclasses.Field[Any]) -> object:
        made = (field.default, field.default_factory)
        return ["field", field.name, [None if one is dataclasses.MISSING else self._read(one) for one in made]]

    def _cached(self, thing: functools.cached_property[Any]) -> object:
        return ["cached", self._read(thing.func)]

    def _instance(self, thing: Any) -> object:
        kind = type(thing)
        if of_keras(kind):
            return ["keras", self._read(kind), self._read(_nameless(thing.get_config())), self._read(keras_attributes(thing))]
        if kind.__name__ in ("dtype", "DType"):  # of PyTorch, of TensorFlow
            return self._value(thing)
        if hasattr(thing, "__array__"):
            return self._array(thing)
        if _around(thing):  # a function that JAX or TensorFlow compiles
            return ["wrapped", kind.__qualname__, self._read(thing.__wrapped__)]
        attributes = _attributes(thing)
        if not (attributes or hasattr(thing, "__dict__")) or _hides(kind):
            raise Unknown
        return ["instance", self._read(kind), self._read(attributes)]

    def _array(self, thing: Any) -> object:
        try:
            array = np.asarray(thing)
        except Exception as error:  # whatever a class of others raises
            raise Unknown from error
        if array.dtype == object:
            raise Unknown
        digest = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
        mask = self._read(np.ma.getmaskarray(thing)) if isinstance(thing, np.ma.MaskedArray) else None
        return ["array", type(thing).__name__, str(array.dtype), array.shape, digest, mask]


class _CodeReader(_Reader):
    """Reads code and what it is bound to, and of other values their types."""

    def _function(self, function: types.FunctionType) -> object:
        name = [function.__module__, function.__qualname__]
        bound = [self._read(function.__defaults__), self._pairs(function.__kwdefaults__ or {})]
        bound += [self._read(content(cell)) for cell in function.__closure__ or ()]
        if _package_of(function) is not None:
            return ["function", name, bound]
        there = function.__globals__
        bound += [self._pairs(_code_in(vars(function)))]
        used = [(key, self._read(there[key])) for key in sorted(_names(function.__code__)) if key in there]
        return ["function", self._read(function.__code__), bound, used]

    def _pairs(self, values: Mapping[str, Any]) -> object:
        return [(key, self._read(value)) for key, value in sorted(values.items())]

    def _partial(self, thing: functools.partial[Any]) -> object:
        return ["partial", self._read(thing.func), self._read(thing.args), self._pairs(thing.keywords)]

    def _module(self, module: types.ModuleType) -> object:
        return ["module", module.__name__] if _installed(module.__name__) is not None else super()._module(module)

    def _class(self, kind: type) -> object:
        if _package_of(kind) is not None:
            return ["class", kind.__module__, kind.__qualname__]
        parts = {name: value for name, value in vars(kind).items() if name not in _LEFT_OUT and not _is_slot(value)}
        return ["class", [self._read(base) for base in kind.__bases__], self._pairs(parts)]

    def _random(self, generator: random.Random) -> object:
        return self._instance(generator)

    def _mapping(self, mapping: Mapping[Any, Any]) -> object:
        weak = isinstance(mapping, (weakref.WeakKeyDictionary, weakref.WeakValueDictionary))  # what is there comes and goes
        entries = {} if weak else {str(key): value for key, value in mapping.items()}
        return ["mapping", type(mapping).__name__, self._pairs(_code_in(entries))]

    def _set(self, values: Set[Any]) -> object:
        return super()._set(values) if isinstance(values, frozenset) else ["set", type(values).__name__]

    def _enum(self, thing: enum.Enum) -> object:
        return ["enum", self._read(type(thing)), thing.name, self._read(thing.value)]

    def _sequence(self, values: list[Any] | tuple[Any, ...]) -> object:
        return ["tuple", *(self._read(value) for value in values)] if isinstance(values, tuple) else ["list"]

    def _builtin(self, function: types.BuiltinFunctionType) -> object:
        return ["builtin", str(function.__module__), function.__qualname__]

    def _instance(self, thing: Any) -> object:
        if _around(thing):
            return ["wrapped", self._read(thing.__wrapped__)]
        return ["instance", self._read(type(thing)), self._pairs(_code_in(_attributes(thing)))]


_READERS: tuple[tuple[Any, str], ...] = (
    (types.CodeType, "_code"),
    (types.FunctionType, "_function"),
    (types.MethodType, "_method"),
    ((staticmethod, classmethod), "_wrapper"),
    (property, "_property"),
    (functools.partial, "_partial"),
    (functools.cached_property, "_cached"),
    (dataclasses.Field, "_field"),
    (re.Pattern, "_pattern"),
    (random.Random, "_random"),
    (types.BuiltinFunctionType, "_builtin"),
    (types.ModuleType, "_module"),
    (type, "_class"),
    (enum.Enum, "_enum"),
    (Mapping, "_mapping"),
    (Set, "_set"),
    ((list, tuple), "_sequence"),
    (np.ufunc, "_ufunc"),
    ((np.dtype, np.generic, range, PurePath), "_value"),
    (object, "_instance"),
)


def _has_docstring(code: types.CodeType) -> bool:
    """Whether the first constant is a docstring. Before Python 3.14 that of a function is one, or None; others have none."""
    if sys.version_info >= (3, 14):
        return bool(code.co_flags & _DOCSTRING)
    function = code.co_flags & inspect.CO_NEWLOCALS and not code.co_name.startswith("<")
    return bool(function and code.co_consts and isinstance(code.co_consts[0], str))


def _around(thing: Any) -> bool:
    """Whether an object of an installed package's class stands for the function that it wraps; what a user's adds is code."""
    return callable(getattr(thing, "__wrapped__", None)) and _package_of(type(thing)) is not None


def _attributes(thing: Any) -> dict[str, Any]:
    """An object's attributes and what its slots hold, without what says how it is called."""
    slots = {
        name: getattr(thing, name)
        for base in type(thing).__mro__
        if "__slots__" in vars(base)
        for name, value in vars(base).items()
        if isinstance(value, types.MemberDescriptorType) and hasattr(thing, name)
    }
    there = getattr(thing, "__dict__", {})
    names = {"__name__", "__type_params__"} if "__wrapped__" in there else set()  # those of the function that it wraps
    return slots | {name: value for name, value in there.items() if name not in _LEFT_OUT | names}


def _code_in(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those values that are functions of a user's module: classes and what a function makes may come while it runs."""
    functions = {name: value for name, value in values.items() if isinstance(value, types.FunctionType) and name != "__wrapped__"}
    return {name: one for name, one in functions.items() if "<locals>" not in one.__qualname__ and _package_of(one) is None}


def _files_below(folder: Path) -> list[Path]:
    """A package's Python files, sorted. Raises `Unknown` where there are too many to be one."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [
            name for name in folders if not name.startswith((".", "__")) and name not in ("site-packages", "dist-packages")
        ]
        found += [Path(place, name) for name in names if name.endswith(".py")]
        if len(found) > MOST:
            raise Unknown
    return sorted(found)


def content(cell: types.CellType) -> object:
    """What a closure's cell holds."""
    try:
        return cell.cell_contents
    except ValueError:  # not yet filled
        return "empty"


def codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """Code, and that of the functions and classes within it."""
    yield code
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield from codes(const)


def _names(code: types.CodeType) -> set[str]:
    """All names that code looks up outside of itself, those of functions within it included."""
    return {name for one in codes(code) for name in one.co_names}


_KERAS = {"name", "built", "_lock", "_variables", "_trainable_variables", "_trainable_variables_indices", "_tracker"}
_KERAS |= {"_iterations", "_learning_rate", "_distribution_strategy"}


def keras_attributes(thing: object) -> dict[str, Any]:
    """The attributes of a Keras object that say what it computes: neither Keras' bookkeeping nor variables."""
    found = {key: value for key, value in vars(thing).items() if key not in _KERAS and not key.startswith("_self_")}
    return {key: value for key, value in found.items() if not _varies(value)}


def _varies(value: Any) -> bool:
    """Whether it is a variable, or a list of variables."""
    return is_variable(value) or (isinstance(value, (list, tuple)) and any(map(_varies, value)))


def is_variable(value: Any) -> bool:
    """Whether it is a variable of Keras or TensorFlow."""
    return hasattr(value, "assign") and hasattr(value, "dtype")  # optimizers have `assign`, too


def of_keras(kind: type) -> bool:
    """Whether it is a class of Keras, or derived from one, whose objects have a config."""
    return any(base.__module__.startswith("keras.") for base in kind.__mro__) and hasattr(kind, "get_config")


def _nameless(config: Any) -> Any:
    """A config without names: Keras numbers those that it gives."""
    if isinstance(config, Mapping):
        return {key: _nameless(value) for key, value in config.items() if key != "name"}
    return [_nameless(one) for one in config] if isinstance(config, (list, tuple)) else config


def _is_slot(value: object) -> bool:
    return inspect.isdatadescriptor(value) and not isinstance(value, property) and not hasattr(value, "__dict__")


def _hides(kind: type) -> bool:
    """Whether a class has a base written in C, other than `object`, that may keep values of its own."""
    return any(base not in (object, types.SimpleNamespace) and not _made_in_python(base) for base in kind.__mro__)
