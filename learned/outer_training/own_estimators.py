"""What a user's own estimator gives, checked before anything is made of it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from learned.estimators.base import Estimate
from learned.types import Arrays, Tree
from learned.unrolling.vectors import named_leaves
from taskset.errors import ConfigError, shown


def checked_state(state: Tree, name: str) -> Arrays:
    """The leaves {name: array} of a state. Raises `ConfigError` where no checkpoint can hold it, or it counts no episodes."""
    if not isinstance(state, dict) or not ("number" in state or "episodes" in state):
        raise ConfigError(
            f'a state of estimator {name!r} is {shown(state)}: allowed is a dict with "number", the whole episodes that were '
            'finished, or "episodes" (learned.estimators.episodes)'
        )
    leaves = named_leaves(state)
    for path, leaf in leaves.items():
        if leaf.dtype.kind not in "biuf":
            raise ConfigError(f"a state of estimator {name!r} has {shown(leaf)} under {path!r}: allowed are arrays of numbers")
    return leaves


def checked_estimate(found: Any, before: Arrays, name: str) -> tuple[Estimate, Tree]:
    """(estimate of plain numbers, state after it) of what `estimate` returned.

    before: the leaves of the state that it was given. Raises `ConfigError` where the estimate is none, or the state has other
    leaves, shapes or dtypes than before: a training that resumed would begin from another.
    """
    if not isinstance(found, tuple) or len(found) != 2 or not isinstance(found[0], Estimate):
        raise ConfigError(f"estimator {name!r} returned {shown(found)}: allowed is a pair (learned.Estimate, state)")
    estimate, state = found
    after = checked_state(state, name)
    for path in sorted({*before, *after}):
        kinds = [(leaves[path].dtype.name, leaves[path].shape) if path in leaves else "nothing" for leaves in (before, after)]
        if kinds[0] != kinds[1]:
            raise ConfigError(
                f"estimator {name!r} returned a state with {kinds[1]} under {path!r}, and was given {kinds[0]}: allowed is the "
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
