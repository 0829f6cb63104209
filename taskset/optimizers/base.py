"""What an optimizer is, and the dictionary handling that all elementwise rules share.

An optimizer is any object with the five attributes of `Optimizer`; there is nothing to inherit from. Sign descent with a linear
cool-down, written by a user:

>>> import tensorflow as tf
>>> class SignDescent:
...     rule = "sign_descent"  # all instances run the same program, whatever their learning rate
...
...     def __init__(self, learning_rate):
...         self.name, self.learning_rate = f"sign_descent_{learning_rate}", learning_rate
...
...     def hparams(self, horizon):
...         return {"learning_rate": self.learning_rate, "per_step": 1 / horizon}
...
...     def init(self, params):
...         return {}
...
...     def update(self, grads, state, params, step, hparams):
...         left = 1.0 - tf.cast(step, tf.float32) * hparams["per_step"]
...         rate = hparams["learning_rate"] * left
...         return {path: w - rate * tf.sign(grads[path]) for path, w in params.items()}, state

One step with it, the second of four (step = 1 has been taken):

>>> optimizer = SignDescent(0.4)
>>> params = {"x": tf.constant([1.0, -2.0])}
>>> params, state = optimizer.update({"x": tf.constant([5.0, -0.1])}, optimizer.init(params), params, 1, optimizer.hparams(4))
>>> [round(float(x), 3) for x in params["x"]]
[0.7, -1.7]

A rule that treats every number of every parameter alike is shorter as an `Elementwise`.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import tensorflow as tf

from taskset.errors import ConfigError


class Optimizer(Protocol):
    """Pure functions of tensors, and the hyperparameters that go with them.

    name: what results are stored under.
    rule: names `init` and `update`. Optimizers of one rule differ in their hyperparameters only and share a compiled program, so
        different behaviour needs a different rule.

    Four attributes are optional. With `elementwise = True`, update treats all numbers alike and the shapes of params don't
    matter: it may be given them as vectors. With `uses_loss = True`, update is called with `loss=`, the scalar train loss that
    grads come from; with `uses_validation_loss = True`, with `validation_loss=`, a function without arguments that gives the loss
    of `params` on a batch of the split valid_inner, another batch every 10 steps; within `tf.cond` it costs only where it's
    wanted.

    Where a run is to be judged at other parameters than those that its gradients are taken at, `evaluated(params, state, hparams)`
    gives them, {path: tensor}: evaluations, and what `taskset.execution.loop.train` returns, are at these; losses of training steps
    are those of `params`.
    """

    name: str
    rule: str

    def hparams(self, horizon: int) -> dict[str, float]:
        """What `update` is to be given, for a run of `horizon` steps; the same names for every optimizer of one rule."""

    def init(self, params: dict) -> dict:
        """The state before the first step, a nested dict of tensors, for params {path: tensor}."""

    def update(self, grads: dict, state: dict, params: dict, step, hparams: dict) -> tuple[dict, dict]:
        """(params, state) after one more step.

        grads: {path: dense tensor of the parameter's shape and dtype}, taken as they are, finite or not.
        step: steps already taken, 0, 1, ..: an int or a scalar integer tensor.
        hparams: {name: scalar}, as `hparams(horizon)` gives them, or tensors of them.
        """


@dataclass(frozen=True, eq=False)
class Elementwise:
    """An `Optimizer` made of the mathematics of a single parameter.

    formula: `formula(t, w, g, *slots, **hparams) -> (w, *slots)` for one parameter w, its gradient g and its slots, t = 1, 2, ..
    the step being taken. All are of w's dtype; t and hparams are scalars or broadcast against w.
    slots: names of what is kept for each parameter; all start at zero. The state is {slot: {path: tensor}}.
    settings: the hyperparameters by the names that people use.
    translate: `translate(horizon, **settings)` -> the hparams of `formula`, computed in double precision.

    Many runs in one program: with a leading axis of copies on params, grads and state, hparams may have shape [copies].
    """

    name: str
    rule: str
    formula: Callable
    slots: tuple[str, ...]
    settings: dict
    translate: Callable

    elementwise = True

    def hparams(self, horizon):
        """The hparams for a run of `horizon` steps, {name: float}. Raises `ConfigError` unless horizon is an integer >= 1."""
        return {name: float(value) for name, value in self.translate(positive(horizon), **self.settings).items()}

    def init(self, params):
        """Zeros for every slot: {slot: {path: tensor}}."""
        return {slot: {path: tf.zeros_like(w) for path, w in params.items()} for slot in self.slots}

    def update(self, grads, state, params, step, hparams):
        """(params, state) after one more step; see `Optimizer.update`."""
        new_params, new_state = {}, {slot: {} for slot in self.slots}
        for path, w in params.items():
            t = tf.cast(step, w.dtype) + 1
            h = {name: beside(value, w) for name, value in hparams.items()}
            slots = [state[slot][path] for slot in self.slots]
            new_params[path], *slots = self.formula(t, w, grads[path], *slots, **h)
            for slot, value in zip(self.slots, slots):
                new_state[slot][path] = value
        return new_params, new_state


def as_given(horizon, **settings):
    """The `translate` of rules whose formula reads the settings as people write them."""
    del horizon
    return settings


def positive(horizon):
    """`horizon` as an int. Raises `ConfigError` unless it is an integer >= 1."""
    try:
        steps = operator.index(horizon)
    except TypeError:
        steps = 0
    if steps < 1:
        raise ConfigError(f"horizon {horizon!r}: allowed is an integer >= 1; give the number of steps of the run")
    return steps


def beside(value, w):
    """`value` in w's dtype, its axes lined up with the leading ones of w."""
    # A Python float goes to w's dtype directly: tf.cast would take it through float32.
    value = tf.cast(value, w.dtype) if tf.is_tensor(value) else tf.convert_to_tensor(value, w.dtype)
    missing = w.shape.rank - value.shape.rank if value.shape.rank else 0
    for _ in range(missing):
        value = tf.expand_dims(value, -1)
    return value
