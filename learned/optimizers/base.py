"""What a learned optimizer is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import tensorflow as tf

from learned.types import Arrays, Params, Shapes, Tree
from taskset.random import seeds, stateless

# {path: (shape, initializer)} of theta; initializers are those of `taskset.tasks.initializers`.
Weights: TypeAlias = dict[str, tuple[tuple[int, ...], Any]]


@dataclass(frozen=True, eq=False)
class LearnedOptimizer:
    """An optimizer whose rule is a function of weights theta, {path: tensor}. `init` and `update` are pure.

    name: the name that it is registered under.
    weights: {path: (shape, initializer)} of theta, initializers being those of `taskset.tasks.initializers`.
    init: `init(theta, params) -> state`, a nested dict of tensors, for the task's params {path: tensor}.
    update: `update(theta, grads, state, params, step, loss, validation_loss) -> (params, state)` after one more step.
        step: steps already taken, a scalar integer tensor; loss: the train loss that grads come from; validation_loss: the last
        one that was measured. Both losses are scalars, None where the rule doesn't say it reads them. With `uses_horizon` there
        is another argument `horizon=`, the number of steps that the training is planned to have, a scalar tensor of the params'
        dtype; beyond it `step` increases and `horizon` stays.
    uses_validation_loss, uses_loss, uses_horizon: whether the rule reads the validation loss, the train loss, the horizon.
    alone: (init, update) of the same rule with another layout of the state, faster for one model by itself, such as in Keras; as
        a program of XLA.
    effective: `effective(theta)`: theta without weights of no effect, such as those of a network whose last layer is 0; the
        update of `alone` takes these, and leaves out what they are for.
    width: units of the hidden layers that are applied to every parameter by itself; 0 where they are narrow or there are none.

    Everything is computed in the params' dtype, which theta must share. For many copies at once use `tf.vectorized_map` over all
    arguments; gradients with respect to theta are those of backpropagation.
    """

    name: str
    weights: Weights
    init: Callable[[Params, Params], Tree]
    update: Callable[..., tuple[Params, Tree]]
    uses_validation_loss: bool = False
    width: int = 0
    uses_loss: bool = False
    uses_horizon: bool = False
    alone: tuple[Callable[..., Tree], Callable[..., tuple[Params, Tree]]] | None = None
    effective: Callable[[Arrays], Arrays] | None = None

    def __repr__(self) -> str:
        return f"<LearnedOptimizer {self.name}: {self.num_weights} weights>"

    @property
    def shapes(self) -> Shapes:
        """{path: shape} of theta."""
        return {path: tuple(shape) for path, (shape, _) in self.weights.items()}

    @property
    def num_weights(self) -> int:
        """The number of scalars in theta."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def for_one_model(self, theta: Arrays) -> tuple[Callable[..., Tree], Callable[..., tuple[Params, Tree]], Arrays]:
        """(init, update, the weights that both take): `alone` with what is effective of theta, or the rule itself."""
        if self.alone is None:
            return self.init, self.update, theta
        return *self.alone, self.effective(theta) if self.effective else theta

    def shown(self, loss: Any, validation_loss: Any) -> tuple[Any, Any]:
        """Both losses as `update` gets them: None for one that the rule does not say it uses, in training as in frameworks."""
        return loss if self.uses_loss else None, validation_loss if self.uses_validation_loss else None

    def planned(self, horizon: Any, dtype: tf.DType) -> dict[str, tf.Tensor]:
        """{"horizon": ..} for `update`, from a number or scalar tensor; {} unless it reads the horizon."""
        return {"horizon": tf.cast(horizon, dtype)} if self.uses_horizon else {}

    def init_theta(self, seed: int, dtype: tf.DType = tf.float32) -> Params:
        """Initial theta; each weight is drawn from (seed, path) alone."""
        seed = seeds.check(seed)
        theta = {}
        for path, (shape, initializer) in self.weights.items():
            key = stateless.as_key(seeds.stream(seed, "theta", path))
            theta[path] = initializer(shape, dtype).draw(key, shape, dtype)
        return theta
