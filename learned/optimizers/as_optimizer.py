"""A learned optimizer with fixed weights, wherever `taskset.execution.loop` expects an optimizer."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from learned import registry
from learned.optimizers.base import LearnedOptimizer
from learned.types import Arrays, Params, Tree
from taskset.errors import ConfigError, shown
from taskset.execution.loop import VALIDATION_INTERVAL


@dataclass(frozen=True, eq=False)
class WithWeights:
    """A `taskset.optimizers.base.Optimizer`: `learned` with the weights theta, {path: float array}. Made by `with_weights`.

    The state is {"learned": ..} and, if the optimizer reads it, the last validation loss, measured every 10 steps. Runs are
    computed one by one, and weights of no effect are known: so the rule is `LearnedOptimizer.alone` where there is one.
    trained_on: names of the tasks that its weights were trained on, as far as they are known: `taskset score` says how many of
    those it scores are among them.
    """

    learned: LearnedOptimizer
    theta: Arrays
    name: str
    rule: str
    trained_on: tuple[str, ...] = ()
    uses_loss = True

    def __repr__(self) -> str:
        return f"<WithWeights {self.name}: {self.learned!r}>"

    @property
    def uses_validation_loss(self) -> bool:
        """Whether the learned optimizer reads it."""
        return self.learned.uses_validation_loss

    def hparams(self, horizon: float) -> dict[str, float]:
        """The number of steps of the run where the learned optimizer reads it, else nothing."""
        return {"horizon": float(horizon)} if self.learned.uses_horizon else {}

    @functools.cached_property
    def _parts(self):
        return self.learned.for_one_model(self.theta)

    def init(self, params: Params) -> Tree:
        """The state before the first step."""
        init, _, theta = self._parts
        state = {"learned": init(_constants(theta, params), params)}
        if self.uses_validation_loss:
            state["validation_loss"] = tf.zeros([], _dtype(params))
        return state

    def update(
        self,
        grads: Params,
        state: Tree,
        params: Params,
        step: tf.Tensor,
        hparams: Mapping[str, Any],
        loss: tf.Tensor,
        validation_loss: Callable[[], tf.Tensor] | None = None,
    ) -> tuple[Params, Tree]:
        """(params, state) after one more step; loss: the train loss; validation_loss: measures the other one."""
        held = loss
        if self.uses_validation_loss:
            held = tf.cond(tf.equal(step % VALIDATION_INTERVAL, 0), validation_loss, lambda: state["validation_loss"])
        planned = self.learned.planned(hparams.get("horizon"), _dtype(params))
        _, update, theta = self._parts
        losses = self.learned.shown(loss, held)
        params, learned = update(_constants(theta, params), grads, state["learned"], params, step, *losses, **planned)
        return params, {"learned": learned, "validation_loss": held} if self.uses_validation_loss else {"learned": learned}


def _dtype(params):
    return next(iter(params.values())).dtype


def _constants(theta, params):
    return {path: tf.constant(w, _dtype(params)) for path, w in theta.items()}


def with_weights(
    learned: LearnedOptimizer, theta: Mapping[str, Any], name: str | None = None, trained_on: tuple[str, ...] = ()
) -> WithWeights:
    """`learned` with the weights theta ({path: array or tensor}) as an optimizer of `taskset`.

    name: that of its results; default: the learned optimizer's. trained_on: as of `WithWeights`.
    Raises: ConfigError where theta has other paths or shapes.
    """
    if not isinstance(theta, dict):
        raise ConfigError(f"weights of {learned.name!r} are {shown(theta)}: allowed is {{path: array}}, as a checkpoint's theta")
    theta = {path: np.array(w) for path, w in theta.items()}
    shapes = {path: w.shape for path, w in theta.items()}
    for path in sorted(shapes.keys() | learned.shapes.keys()):
        if shapes.get(path) != learned.shapes.get(path):
            raise ConfigError(
                f"weights of {learned.name!r}: {path!r} has shape {shapes.get(path, 'none (it is missing)')}, "
                f"allowed is {learned.shapes.get(path, 'no such entry')}; take the weights of a checkpoint of this optimizer"
            )
    # Weights are constants of the compiled program, so only runs with the same weights share it: hence a rule per digest.
    code = "".join(registry.own_code(optimizer=learned.name).values())
    parts = [path.encode() + theta[path].tobytes() for path in sorted(theta)]
    digest = hashlib.sha256(b"".join([*parts, code.encode()])).hexdigest()
    return WithWeights(learned, theta, name or learned.name, f"{learned.name}/{digest[:16]}", trained_on)
