"""What a user's own estimator gives, checked before anything is made of it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from learned.estimators.base import Estimate
from learned.types import Tree
from learned.unrolling.vectors import leaves
from taskset.errors import ConfigError, shown

Kinds = dict[str, tuple[str, tuple[int, ...]]]  # {leaf: (dtype, shape)}


def checked_state(state: Tree, name: str) -> Kinds:
    """Dtypes and shapes of a state's leaves. Raises `ConfigError` where no checkpoint can hold it, or it counts no episodes."""
    if not isinstance(state, dict) or not ("number" in state or "episodes" in state):
        raise ConfigError(
            f'a state of estimator {name!r} is {shown(state)}: allowed is a dict with "number", the whole episodes that were '
            'finished, or "episodes" (learned.estimators.episodes)'
        )
    return {path: _kind(leaf, path, name) for path, leaf in leaves(state)}


def _kind(leaf, path, name):
    try:
        array = leaf if hasattr(leaf, "dtype") and hasattr(leaf, "shape") else np.asarray(leaf)
        kind = np.dtype(getattr(array.dtype, "as_numpy_dtype", array.dtype))
    except (TypeError, ValueError):
        array, kind = leaf, np.dtype(object)
    if kind.kind not in "biuf":
        raise ConfigError(f"a state of estimator {name!r} has {shown(leaf)} under {path!r}: allowed are arrays of numbers")
    return kind.name, tuple(array.shape)


def checked_estimate(found: Any, before: Kinds, name: str) -> tuple[Estimate, Tree]:
    """(estimate of plain numbers, state after it) of what `estimate` returned.

    before: of the state that it was given. Raises `ConfigError` where the estimate is none, or the state has other
    leaves, shapes or dtypes than before: a training that resumed would begin from another.
    """
    if not isinstance(found, tuple) or len(found) != 2 or not isinstance(found[0], Estimate):
        raise ConfigError(f"estimator {name!r} returned {shown(found)}: allowed is a pair (learned.Estimate, state)")
    estimate, state = found
    after = checked_state(state, name)
    for path in sorted({*before, *after}):
        was, now = (kinds.get(path, "nothing") for kinds in (before, after))
        if was != now:
            raise ConfigError(
                f"estimator {name!r} returned a state with {now} under {path!r}, and was given {was}: allowed is the "
                "structure of init's state in every estimate"
            )
    try:
        gradient = np.asarray(estimate.gradient)
        if gradient.dtype.kind not in "iuf":
            raise TypeError(f"its gradient is {gradient.dtype}")
        plain = dataclasses.replace(
            estimate,
            gradient=gradient,
            loss=float(estimate.loss),
            non_finite=int(estimate.non_finite),
            steps=int(estimate.steps),
            details={key: float(value) for key, value in dict(estimate.details).items()},
            square=float(estimate.square),
        )
    except (TypeError, ValueError) as error:
        raise ConfigError(f"estimator {name!r} returned an Estimate that is none ({error}): its fields are numbers") from error
    return plain, state
