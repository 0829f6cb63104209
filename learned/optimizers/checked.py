"""A user's own learned rule, checked wherever it is used: a mistake is one line, not an error of the compiler's."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from learned.optimizers.base import LearnedOptimizer
from learned.types import Params, Tree
from taskset.execution import checked


def checked_rule(rule: LearnedOptimizer) -> LearnedOptimizer:
    """The same rule, whose `init`s give tensors, and whose `update`s raise as `taskset.execution.checked.updated`."""
    made = copy.copy(rule)  # not of its fields: a class derived from it may have others
    parts: dict[str, Any] = dict(zip(("init", "update"), _checked(rule.init, rule.update, rule.name)))
    if rule.alone is not None:
        parts["alone"] = _checked(*rule.alone, rule.name)
    for part, function in parts.items():
        object.__setattr__(made, part, function)
    return made


def _checked(
    init: Callable[..., Tree], update: Callable[..., tuple[Params, Tree]], name: str
) -> tuple[Callable[..., Tree], Callable[..., tuple[Params, Tree]]]:
    def checked_update(
        theta: Params, grads: Params, state: Tree, params: Params, step: tf.Tensor, *losses: Any, **planned: Any
    ) -> tuple[Params, Tree]:
        return checked.updated(update, name, (params, state), theta, grads, state, params, step, *losses, **planned)

    return checked.checked_init(init, name), checked_update
