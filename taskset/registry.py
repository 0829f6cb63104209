"""What is registered: the functions of each task family, fixed tasks, and users' own optimizers.

Imports nothing that registers: `taskset.catalogue` loads the package's own tasks, `taskset.plugins` the modules of users.

A task family is made of up to four registered functions, each under the family's name:

- a sampler, `seed -> config` (JSON values only), which makes the names `{family}_seed{seed}` exist;
- a JSON schema of its configs (an argument of `register_sampler`), by which users' own configs are checked;
- facts, `config -> Facts`: what follows from a config without building it (its data, its parameter shapes, why it can't run);
- a builder, `(config, data) -> Model`, in TensorFlow.

Only the builders import TensorFlow. A fixed task is a name for one (family, config).
"""

from __future__ import annotations

import contextlib
import copy
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeAlias, TypeVar

from taskset.errors import ConfigError, shown
from taskset.random import seeds

if TYPE_CHECKING:
    from taskset.datasets.base import DataSpec

Config: TypeAlias = Any  # a task's description, JSON values: in most families a dict of fields, in losg_tasks_family a list
Shapes: TypeAlias = dict[str, tuple[int, ...]]  # {path of a parameter: its shape}

Made = TypeVar("Made")  # what a table has under a name
F = TypeVar("F", bound="Callable[..., Any]")  # a registered function, which its decorator returns as it is

SEEDS = 1000  # the published seeds of a family: 0 .. 999; any other non-negative seed works as well


@dataclass(frozen=True)
class Facts:
    """What a config says before anything is built.

    data: the data specification (`taskset.datasets.base.DataSpec`), None for a task without data.
    parameter_shapes: {path: shape}, None if they are known only once the task is built.
    infeasible: the config field and the reason why this config can't run; None if it can.
    """

    data: DataSpec | None = None
    parameter_shapes: Shapes | None = None
    infeasible: str | None = None

    @property
    def reads(self) -> str:
        """The data set that is read, which is not always the one that the config names; "" where none is loaded or generated."""
        if self.data is None or not self.data.needs_source:
            return ""
        return getattr(self.data, "reads", getattr(self.data, "name", ""))

    @property
    def num_params(self) -> int | None:
        """The number of parameters; None where their shapes aren't known."""
        return None if self.parameter_shapes is None else sum(math.prod(shape) for shape in self.parameter_shapes.values())

    @property
    def origin(self) -> dict[str, Any] | None:
        """What `Task.data_origin` will be, where the data knows it before it is opened; else None."""
        return getattr(self.data, "origin", None)

    @property
    def convolutional(self) -> bool:
        """Whether a parameter is a filter of two dimensions: [height, width, channels in, channels out]."""
        return any(len(shape) == 4 for shape in (self.parameter_shapes or {}).values())


@dataclass(frozen=True)
class Family:
    """The functions registered under one family name; None for those that are not registered (yet)."""

    name: str
    sample: Callable[[int], Config] | None = None
    schema: dict[str, Any] | None = None
    facts: Callable[[Config], Facts] | None = None
    build: Callable[..., Any] | None = None


@dataclass(frozen=True)
class OwnOptimizer:
    """A registered optimizer. build: `build(**hyperparameters) -> Optimizer`, in TensorFlow."""

    build: Callable[..., Any]
    hyperparameters: dict[str, float | bool]


def require_optimizer(made: object, maker: str) -> None:
    """Raise `ConfigError` where what a user's function returned is no optimizer. maker: the function, in the message."""
    missing = [part for part in ("rule", "hparams", "init", "update") if not hasattr(made, part)]
    if missing:
        raise ConfigError(
            f"{maker} returned {shown(made, 60)}, which has no {', '.join(missing)}: "
            "return an optimizer, as taskset.optimizers.base describes it"
        )


_FUNCTIONS = ("sample", "facts", "build")

_tables: list[dict[str, Any]] = []


def watched(table: dict[str, Made]) -> dict[str, Made]:
    """The dict `table` itself, {name: what a user registered}; `all_or_nothing` and `restored` undo what is put into it."""
    _tables.append(table)
    return table


_families: dict[str, Family] = {}
_fixed: dict[str, Callable[[], tuple[str, Config]]] = {}
_optimizers: dict[str, OwnOptimizer] = watched({})


def check_name(kind: str, name: str) -> None:
    """Raise `ConfigError` unless `name` can name a `kind` ("family", "fixed task", ..): it becomes part of file names."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}", name) or parse(name):
        raise ConfigError(
            f"{kind} name {shown(name)}: allowed are up to 100 letters, digits and _ . + -, a letter or digit first, "
            "no _seedN at the end"
        )


def same(known: object, given: object) -> bool:
    """Whether `given` is what was registered before, defined again by a notebook's cell or a reloaded module.

    Functions are compared by module and name, schemas by content.
    """
    if not callable(given):
        return known == given
    places = [(getattr(f, "__module__", None), getattr(f, "__qualname__", "<")) for f in (known, given)]
    return known is given or (places[0] == places[1] and "<" not in places[0][1])  # lambdas all have one name


def _register(family, **functions):
    check_name("family", family)
    given = {part: function for part, function in functions.items() if function is not None}
    known = _families.get(family, Family(family))
    again = any(callable(f) and getattr(known, part) is not None and same(getattr(known, part), f) for part, f in given.items())
    for part, function in given.items():
        before = getattr(known, part)
        if before is not None and not same(before, function) and not (again and part == "schema"):
            raise ConfigError(f"family {family!r} has its {part} registered already, by another module: choose another name")
    _families[family] = replace(known, **given)


@contextlib.contextmanager
def all_or_nothing() -> Iterator[None]:
    """A context that an exception leaves without what was registered in it, and without the modules that registered that.

    What the package itself registered meanwhile stays, here and in `restored`: its modules are imported once.
    """
    before, modules = _entries(), set(sys.modules)
    try:
        yield
    except BaseException:
        for module in {getattr(function, "__module__", "") for function in _undone(*before)} - modules:
            sys.modules.pop(module, None)
        raise


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """A context after which the names that were registered in it are forgotten, and those that were forgotten in it are back."""
    before = _entries()
    try:
        yield
    finally:
        _undone(*before)


def forget(name: str) -> None:
    """Take back what is registered under a name, a family, a fixed task or an optimizer: the name is free again."""
    for table in (_families, _fixed, _optimizers):
        table.pop(name, None)


def _entries():
    """The families, the fixed tasks, and {id of a watched table: what it has}."""
    return dict(_families), dict(_fixed), {id(table): dict(table) for table in _tables}


def _undone(families, fixed, tables):
    """Make everything what it was by `_entries()` but for what the package added; returns the functions that are lost by that."""
    lost = []
    for name, now in (families | _families).items():
        then = families.get(name, Family(name))
        kept = {part: getattr(now, part) for part in _FUNCTIONS if _is_packaged(getattr(now, part))}
        if name not in families and any(is_own(getattr(now, part)) for part in _FUNCTIONS):
            kept = {}  # a family of a user's, which may have functions of the package
        back = replace(then, **kept, schema=then.schema or (now.schema if kept else None))
        lost += [function for part in _FUNCTIONS if (function := getattr(now, part)) is not getattr(back, part) and function]
        _families[name] = back
        if back == Family(name):
            del _families[name]
    packaged = {name: describe for name, describe in _fixed.items() if _is_packaged(describe) and name not in fixed}
    for table, back in [(_fixed, fixed | packaged), *((table, tables.get(id(table), {})) for table in _tables)]:
        came = [made for name, made in table.items() if made is not back.get(name)]
        lost += [made.build if isinstance(made, OwnOptimizer) else made for made in came]
        table.clear()
        table.update(back)  # a table that came meanwhile had nothing
    return lost


def _is_packaged(function):
    return function is not None and not is_own(function)


def register_sampler(family: str, schema: dict[str, Any] | None = None) -> Callable[[F], F]:
    """Decorator for `sample(seed) -> config` of a task family. schema: the JSON schema of its configs.

    This and the following raise `ConfigError` for a name that is not allowed, and for one that another module has registered.
    """

    def register(sample):
        _register(family, sample=sample, schema=schema)
        return sample

    return register


def register_schema(family: str, schema: dict[str, Any]) -> None:
    """Register the JSON schema of a family without a sampler, whose configs come from fixed tasks and users."""
    _register(family, schema=schema)


def register_facts(family: str) -> Callable[[F], F]:
    """Decorator for `facts(config) -> Facts`. It raises nothing for a config that can't run: `Facts.infeasible` says why."""

    def register(facts):
        _register(family, facts=facts)
        return facts

    return register


def register_builder(family: str) -> Callable[[F], F]:
    """Decorator for `build(config, data) -> Model`, where `data` is `Facts.data` of the config."""

    def register(build):
        _register(family, build=build)
        return build

    return register


def register_fixed(name: str) -> Callable[[F], F]:
    """Decorator for a function without arguments that returns (family, config) of the fixed task `name`."""

    def register(describe):
        check_name("fixed task", name)
        if name in _fixed and not same(_fixed[name], describe):
            raise ConfigError(f"fixed task {name!r} is registered already, by another module: choose another name")
        _fixed[name] = describe
        return describe

    return register


def add_fixed(module: str, name: str, family: str, config: Config) -> None:
    """Register a fixed task of a module (`__name__`) by its family and config. Each reader of its config gets a copy."""

    def describe() -> tuple[str, Config]:
        return family, copy.deepcopy(config)

    vars(describe)["of_module"] = module  # by which `is_own` tells the package's own tasks from others
    register_fixed(name)(describe)


def known_families() -> Mapping[str, Family]:
    """{name: `Family`} of what is registered so far, to be read; `taskset.catalogue` loads the package's own."""
    return MappingProxyType(_families)


def known_fixed() -> Mapping[str, Callable[[], tuple[str, Config]]]:
    """{name: its function} of the fixed tasks that are registered so far, in that order, to be read."""
    return MappingProxyType(_fixed)


def add_optimizer(name: str, own: OwnOptimizer) -> None:
    """Register an optimizer; `taskset.register_optimizer` is the decorator for it, which checks its arguments."""
    if name in _optimizers and not same(_optimizers[name].build, own.build):
        raise ConfigError(f"optimizer {name!r} is registered already, by another module: choose another name")
    _optimizers[name] = own


def package_of(function: Callable[..., Any]) -> str:
    """The first part of the name of the module that a function is of: the one whose globals it reads.

    Its `__module__` says something else where it is wrapped (`functools.wraps`) or made by a function of another module.
    """
    made_by = getattr(function, "of_module", None) or getattr(function, "__globals__", {}).get("__name__")
    return str(made_by or getattr(function, "__module__", None) or "").partition(".")[0]


def is_own(function: Callable[..., Any] | None) -> bool:
    """Whether there is a function and it is a user's own, not the package's."""
    return function is not None and package_of(function) not in ("taskset", "learned")


def own_builder(family: str) -> Callable[..., Any] | None:
    """The builder that a user registered for a family; None where it is the package's, or there is none."""
    build = _families[family].build if family in _families else None
    return build if is_own(build) else None


def own_facts(family: str) -> Callable[[Config], Facts] | None:
    """As `own_builder`, of the function that says what a task is and which data it reads."""
    facts = _families[family].facts if family in _families else None
    return facts if is_own(facts) else None


def own_optimizers() -> list[str]:
    """The names of the registered optimizers, in the order in which they were registered."""
    return list(_optimizers)


def own_optimizer(name: str) -> OwnOptimizer | None:
    """The registered optimizer called `name`, None if there is none."""
    return _optimizers.get(name) if isinstance(name, str) else None


def parse(name: str) -> tuple[str, int] | None:
    """`"mlp_family_seed3"` -> `("mlp_family", 3)`; None for a name that does not end in a seed."""
    match = re.fullmatch(r"(.+)_seed(0|[1-9][0-9]{0,17})", name) if isinstance(name, str) else None
    return (match[1], int(match[2])) if match else None


def check_seed(family_name: str, seed: SupportsIndex) -> int:
    """`seed` as an int. Raises `ConfigError` unless it is an integer in 0 .. 2**31 - 1."""
    return seeds.check(seed, family_name, f"; the published ones are 0 .. {SEEDS - 1}")
