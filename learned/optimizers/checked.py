"""A user's own learned rule, checked wherever it is used: a mistake is one line, not an error of the compiler's."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from learned.optimizers.base import LearnedOptimizer
from learned.types import Params, Tree
from taskset.execution import checked
from taskset.execution.loop import tensors


def checked_rule(rule: LearnedOptimizer) -> LearnedOptimizer:
    """The same rule, whose `init` gives tensors, and whose `update` raises as `taskset.execution.checked.called`."""

    def init(theta: Params, params: Params) -> Tree:
        return tensors(rule.init(theta, params), rule.name)

    def update(
        theta: Params, grads: Params, state: Tree, params: Params, step: tf.Tensor, *losses: Any, **planned: Any
    ) -> tuple[Params, Tree]:
        return checked.called(rule.update, rule.name, (params, state), theta, grads, state, params, step, *losses, **planned)

    return dataclasses.replace(rule, init=init, update=update)
