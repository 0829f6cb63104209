"""Optimizers of this package under another name, and plain pairs of functions."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias, TypeGuard

from taskset.errors import ConfigError, shown
from taskset.optimizers.base import Init, Optimizer, Update


class HasFunctions(Protocol):
    """An object with just the two functions: a module, a namespace."""

    @property
    def init(self) -> Init: ...

    @property
    def update(self) -> Update: ...


Functions: TypeAlias = tuple[Init, Update] | HasFunctions

_PROTOCOL = ("hparams", "init", "update")


def is_optimizer(thing: object) -> TypeGuard[Optimizer]:
    """Whether it is an `Optimizer` (`taskset.optimizers.base`), not a class of them."""
    return not isinstance(thing, type) and all(callable(getattr(thing, part, None)) for part in _PROTOCOL)


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


class Named:
    """An optimizer under another name; all else is as it is."""

    library = "taskset"

    def __init__(self, optimizer: Optimizer, name: str) -> None:
        self._optimizer, self.name = optimizer, name

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__") or attribute == "_optimizer":
            raise AttributeError(attribute)
        return getattr(self._optimizer, attribute)


class Pair:
    """The `Optimizer` of two functions; hyperparameters {name: number} are what `update` is given as its last argument.

    init(params) -> state; update(grads, state, params, step, hparams) -> (params, state): as `taskset.optimizers.base.Optimizer`.
    """

    library = "taskset"

    def __init__(self, init: Init, update: Update, name: str, hyperparameters: Mapping[str, Any] | None = None) -> None:
        self.name, self.init, self.update = name, init, update
        self.rule = f"{getattr(update, '__module__', '')}.{getattr(update, '__qualname__', name)}"
        self._hparams = dict(hyperparameters or {})
        for key, value in self._hparams.items():
            if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
                raise ConfigError(f"hyperparameter {key!r} of {name!r} is {shown(value)}: allowed are finite numbers")

    def hparams(self, horizon: int) -> dict[str, float]:
        """The hyperparameters, whatever the horizon."""
        del horizon
        return {key: float(value) for key, value in self._hparams.items()}
