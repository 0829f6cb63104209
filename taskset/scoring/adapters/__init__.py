"""Optimizers of other libraries as those of this package: `adapt`. A library is imported by whoever brings its optimizer.

    native   an `Optimizer` of taskset, or a plain pair of functions (init, update)   compiled loop
    numpy    an object with functions `init`, `update` and framework = "numpy"        a step at a time
    keras    an instance or a subclass of keras.optimizers.Optimizer                  compiled loop
    torch    a subclass of torch.optim.Optimizer                                      a step at a time, memory shared
    optax    a gradient transformation                                                a step at a time, memory shared

Any other class or function is a factory: it is called with the hyperparameters, and what it returns is adapted. A factory with
a parameter called `horizon` gets the number of steps of a run, for schedules; a pair has it in `hparams["horizon"]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from taskset.errors import ConfigError, shown
from taskset.optimizers.base import is_optimizer
from taskset.scoring.adapters import keras, native, numpy, optax, torch
from taskset.scoring.adapters.factories import called, with_horizon

Adapted: TypeAlias = native.Named | native.Pair | numpy.NumPy | keras.Keras | torch.Torch | optax.Optax

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
        init, update = native.functions(thing)
        return (numpy.NumPy if numpy.is_marked(thing, name) else native.Pair)(init, update, name, given)
    if is_optimizer(thing):
        _refuse(given, name, "this object has its own; give its class")
        return native.Named(thing, name)
    return _made_by(thing, name, given, horizon)


def _made_by(factory: object, name: str, given: dict[str, Any], horizon: int | None) -> Adapted:
    """What a class or a function makes, adapted."""
    if not callable(factory):
        raise ConfigError(f"optimizer {shown(factory)}: {ALLOWED}")
    given = with_horizon(factory, given, horizon)
    made = called(factory, given, name)
    if keras.is_instance(made):
        return keras.from_factory(factory, given, name)
    if made is factory or (callable(made) and not native.is_pair(made) and not isinstance(made, tuple)):
        raise ConfigError(f"optimizer {name!r} returned {shown(made)}: {ALLOWED}")
    return adapt(made, name)


def _refuse(given: Mapping[str, Any], name: str, why: str) -> None:
    if given:
        raise ConfigError(f"optimizer {name!r}: hyperparameters {shown(given)} have no place: {why}")
