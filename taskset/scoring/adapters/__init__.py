"""Optimizers of other libraries as those of this package: `adapt`. A library is imported by whoever brings its optimizer.

    native   an `Optimizer` of taskset, or a plain pair of functions (init, update)   compiled loop
    keras    an instance or a subclass of keras.optimizers.Optimizer                  compiled loop
    torch    a subclass of torch.optim.Optimizer                                      a step at a time, memory shared
    optax    a gradient transformation                                                a step at a time, memory shared

Any other class or function is a factory: it is called with the hyperparameters, and what it returns is adapted. A factory with
a parameter called `horizon` gets the number of steps of a run, for schedules.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from taskset.errors import ConfigError, cut, shown
from taskset.scoring.adapters import keras, native, optax, torch

Adapted: TypeAlias = native.Named | native.Pair | keras.Keras | torch.Torch | optax.Optax

ALLOWED = (
    "allowed are an optimizer of taskset, a pair of functions (init, update), an instance or subclass of "
    "keras.optimizers.Optimizer, a subclass of torch.optim.Optimizer, an optax transformation, and a function that returns one"
)


def adapt(thing: object, name: str, hyperparameters: Mapping[str, Any] | None = None, horizon: int | None = None) -> Adapted:
    """`thing` with `hyperparameters` {name: value} as an optimizer of `taskset.normalization.sweep`, called `name`.

    horizon: the number of steps of its runs. Raises: ConfigError for what is no optimizer, and for hyperparameters that it
    doesn't take.
    """
    given = dict(hyperparameters or {})
    if torch.is_class(thing):
        return torch.Torch(thing, name, with_horizon(thing, given, horizon))
    if keras.is_instance(thing):
        return keras.from_instance(thing, name, given)
    if optax.is_transformation(thing):
        _refuse(given, name, "an optax transformation has its own; give the function that makes it")
        return optax.Optax(thing, name)
    if native.is_pair(thing):
        return native.Pair(*native.functions(thing), name, given)
    if native.is_optimizer(thing):
        _refuse(given, name, "this object has its own; give its class")
        return native.Named(thing, name)
    if not callable(thing):
        raise ConfigError(f"optimizer {shown(thing)}: {ALLOWED}")
    made = called(thing, with_horizon(thing, given, horizon), name)
    if made is thing or (callable(made) and not native.is_pair(made) and not isinstance(made, tuple)):
        raise ConfigError(f"optimizer {name!r} returned {shown(made)}: {ALLOWED}")
    return adapt(made, name)


def with_horizon(factory: Callable[..., Any], given: dict[str, Any], horizon: int | None) -> dict[str, Any]:
    """The hyperparameters that `factory` is to be called with: those given, and the horizon where it has such a parameter."""
    if horizon is None or "horizon" in given:
        return given
    try:
        parameters = inspect.signature(factory).parameters
    except (TypeError, ValueError):
        return given
    return {**given, "horizon": horizon} if "horizon" in parameters else given


def called(factory: Callable[..., Any], given: Mapping[str, Any], name: str) -> object:
    """What `factory(**given)` returns; `ConfigError` where it doesn't take these hyperparameters."""
    try:
        return factory(**given)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"optimizer {name!r} with {shown(given)}: {cut(str(error), 200)}; change its hyperparameters"
        ) from error


def _refuse(given: Mapping[str, Any], name: str, why: str) -> None:
    if given:
        raise ConfigError(f"optimizer {name!r}: hyperparameters {shown(given)} have no place: {why}")
