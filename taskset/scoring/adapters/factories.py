"""Classes and functions that make optimizers, and the hyperparameters that they are called with."""

from __future__ import annotations

import functools
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
            raise ConfigError(f"{described}: {cut(str(error), 200)}; {_way_out(factory, given)}") from error


def _way_out(factory: Callable[..., Any], given: Mapping[str, Any]) -> str:
    known, _ = parameters(factory)
    if known and not set(given) <= set(known):
        return f"its hyperparameters are {cut(', '.join(known), 300)}"
    return "change its hyperparameters" if given else "give it hyperparameters, as in --hyperparameters learning_rate=0.01"


def parameters(factory: Callable[..., Any]) -> tuple[list[str], bool]:
    """(the names that `factory` takes arguments by, whether it takes others, too); of what doesn't tell: ([], True)."""
    try:
        found = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):
        return [], True
    named = [each.name for each in found if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)]
    return named, any(each.kind == each.VAR_KEYWORD for each in found)


def parameters_after_first(factory: Callable[..., Any]) -> tuple[list[str], bool]:
    """As `parameters`, of a factory that gets its first argument by place."""
    return parameters(functools.partial(factory, None))


def with_horizon(factory: Callable[..., Any], given: dict[str, Any], horizon: int | None) -> dict[str, Any]:
    """The hyperparameters that `factory` is to be called with: those given, and the horizon where it has such a parameter."""
    if horizon is None or "horizon" in given:
        return given
    return {**given, "horizon": horizon} if "horizon" in parameters(factory)[0] else given
