"""Classes and functions that make optimizers, and the hyperparameters that they are called with."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from taskset.errors import ConfigError, calling, cut, shown


def called(factory: Callable[..., Any], given: Mapping[str, Any], name: str) -> Any:
    """What `factory(**given)` returns; `ConfigError` where it fails, or doesn't take these hyperparameters."""
    described = f"optimizer {name!r} with {shown(given)}"
    with calling(factory, f"{described} can't be made"):
        try:
            return factory(**given)
        except (TypeError, ValueError) as error:
            example = "give it hyperparameters, as in --hyperparameters '{\"learning_rate\": 0.01}'"
            way = "change its hyperparameters" if given else example
            raise ConfigError(f"{described}: {cut(str(error), 200)}; {way}") from error


def with_horizon(factory: Callable[..., Any], given: dict[str, Any], horizon: int | None) -> dict[str, Any]:
    """The hyperparameters that `factory` is to be called with: those given, and the horizon where it has such a parameter."""
    if horizon is None or "horizon" in given:
        return given
    try:
        parameters = inspect.signature(factory).parameters
    except (TypeError, ValueError):
        return given
    return {**given, "horizon": horizon} if "horizon" in parameters else given
