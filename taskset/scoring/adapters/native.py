"""Optimizers of this package under another name, and plain pairs of functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias, TypeGuard

from taskset.errors import ConfigError, is_finite, shown
from taskset.execution.checked import checked_init, checked_update
from taskset.execution.shared_programs import program
from taskset.optimizers.base import Init, Optimizer, Update, is_optimizer, is_own, require_float32


class HasFunctions(Protocol):
    """An object with just the two functions: a module, a namespace."""

    @property
    def init(self) -> Init: ...

    @property
    def update(self) -> Update: ...


Functions: TypeAlias = tuple[Init, Update] | HasFunctions


def is_pair(thing: object) -> TypeGuard[Functions]:
    """Whether it is a pair of functions (init, update), or an object (a module, a namespace) that has just these two."""
    if isinstance(thing, type) or is_optimizer(thing):
        return False
    if isinstance(thing, tuple):
        return len(thing) == 2 and all(map(callable, thing))
    return callable(getattr(thing, "init", None)) and callable(getattr(thing, "update", None))


def functions(pair: Functions) -> tuple[Init, Update]:
    """(init, update) of what `is_pair`."""
    return (pair[0], pair[1]) if isinstance(pair, tuple) else (pair.init, pair.update)


def identity(function: object) -> str:
    """The same text for the same function of the same object, as long as both exist."""
    owner, plain = getattr(function, "__self__", None), getattr(function, "__func__", None)
    return f"{id(function)}" if plain is None else f"{id(owner)}.{id(plain)}"


class Named:
    """An optimizer under another name; all else is as it is. What a user's own does is checked."""

    library = "taskset"

    def __init__(self, optimizer: Optimizer, name: str) -> None:
        self._optimizer, self.name = optimizer, name
        self.rule = program(optimizer)
        self.init, self.update = optimizer.init, optimizer.update
        if is_own(optimizer):
            self.init, self.update = checked_init(self.init, name), checked_update(self.update, name)

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__") or attribute == "_optimizer":
            raise AttributeError(attribute)
        return getattr(self._optimizer, attribute)


class Pair:
    """The `Optimizer` of two functions; hyperparameters {name: number} are what `update` is given as its last argument.

    init(params) -> state; update(grads, state, params, step, hparams) -> (params, state): as `taskset.optimizers.base.Optimizer`.
    hparams has an entry "horizon" besides, the number of steps of the run, as with `taskset.optimizers.from_functions`.
    """

    library = "taskset"

    def __init__(self, init: Init, update: Update, name: str, hyperparameters: Mapping[str, Any] | None = None) -> None:
        self.name, self.init, self.update = name, checked_init(init, name), checked_update(update, name)
        self._hparams = numbers_of(hyperparameters, name)
        for key, value in (hyperparameters or {}).items():
            require_float32(key, value, name)
        # The functions themselves: a function that makes functions gives all of them the same name.
        self.rule = " ".join(["pair", identity(init), identity(update), *sorted(self._hparams)])

    def hparams(self, horizon: int) -> dict[str, float]:
        """The hyperparameters, and the horizon."""
        return with_steps(self._hparams, horizon)


def with_steps(hyperparameters: Mapping[str, float], horizon: int) -> dict[str, float]:
    """Hyperparameters of a pair with "horizon", the number of steps of its run; one of a user's own goes first."""
    return {"horizon": float(horizon), **hyperparameters}


def numbers_of(hyperparameters: Mapping[str, Any] | None, name: str) -> dict[str, float]:
    """Hyperparameters {name: number} as floats. Raises `ConfigError` for what is no finite number."""
    for key, value in (hyperparameters or {}).items():
        if not is_finite(value):
            raise ConfigError(f"hyperparameter {key!r} of {name!r} is {shown(value)}: allowed are finite numbers")
    return {key: float(value) for key, value in (hyperparameters or {}).items()}
