"""Estimators of outer gradients: from a problem and theta to the gradient of the mean normalized loss.

    learned.estimators.names()                  the package's own, and those registered with `learned.register_estimator`
    learned.estimators.get("pes")               a class: `PES(problem, settings)`

`learned.estimators.base` says what an estimator is. Nothing here imports TensorFlow before an estimator is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from learned import registry

if TYPE_CHECKING:
    from learned.estimators.base import Estimator


def names() -> list[str]:
    """The names of all estimators."""
    return registry.estimators.names()


def get(name: str) -> Callable[..., Estimator]:
    """The class of the estimator called `name`. Raises `UnknownName`."""
    return registry.estimators.get(name)
