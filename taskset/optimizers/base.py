"""What an optimizer is, and the dictionary handling that all elementwise rules share.

An optimizer is any object with the five attributes of `Optimizer`; there is nothing to inherit from. `from_functions` makes one
from a plain pair of functions, `init` and `update`. Sign descent with a linear cool-down, written by a user:

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

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeGuard

import numpy as np
import tensorflow as tf

from taskset import registry
from taskset.errors import ConfigError, shown, whole_number

Params: TypeAlias = dict[str, tf.Tensor]  # {path: the parameter's value}
Gradients: TypeAlias = dict[str, tf.Tensor]  # {path: dense tensor of the parameter's shape and dtype}
State: TypeAlias = dict[str, Any]  # nested dict of tensors, of an optimizer's own structure
Hparams: TypeAlias = Mapping[str, float | tf.Tensor]  # {name: scalar}; a tensor where it is an argument of a compiled program
Step: TypeAlias = int | tf.Tensor  # steps already taken: 0, 1, ..
Init: TypeAlias = Callable[[Params], State]
Stepped: TypeAlias = tuple[tf.Tensor, ...]  # (w, *slots) of one parameter after a step
Formula: TypeAlias = Callable[..., Stepped]  # (t, w, g, *slots, **hparams) -> (w, *slots), see `Elementwise`
Update: TypeAlias = Callable[[Gradients, State, Params, Step, Hparams], tuple[Params, State]]


class Optimizer(Protocol):
    """Pure functions of tensors, and the hyperparameters that go with them.

    name: what results are stored under.
    rule: names `init` and `update`. Optimizers of one rule differ in their hyperparameters only and share a compiled program, so
        different behaviour needs a different rule. (Of a user's own, those do that differ in nothing but numbers that `hparams`
        gives by the names of their attributes, and that no other code of theirs reads.)

    Four more attributes are optional, and absent from an optimizer that doesn't need them:

    elementwise: True where update treats all numbers alike, so that the shapes of params don't matter: they may come as vectors.
    uses_loss: True where update takes `loss=`, the scalar train loss that grads come from.
    uses_validation_loss: True where update takes `validation_loss=`, a function without arguments that returns the loss of
        `params` on a batch of the split valid_inner, another batch every 10 steps. Inside a `tf.cond` it costs only where it is
        called.
    evaluated: `evaluated(params, state, hparams) -> {path: tensor}`, the parameters at which a run is judged where these are not
        the ones at which gradients are taken. Evaluations, and the parameters that `taskset.execution.loop.train` returns, are
        at these; losses of training steps are those of `params`.
    """

    @property
    def name(self) -> str: ...

    @property
    def rule(self) -> str: ...

    def hparams(self, horizon: int) -> dict[str, float]:
        """The hyperparameters of `update` for a run of `horizon` steps; the same names for every optimizer of one rule."""

    def init(self, params: Params, /) -> State:
        """The state before the first step."""

    def update(self, grads: Gradients, state: State, params: Params, step: Step, hparams: Hparams, /) -> tuple[Params, State]:
        """(params, state) after one more step.

        grads: {path: dense tensor of the parameter's shape and dtype}, taken as they are, finite or not.
        step: steps already taken, 0, 1, ..: an int or a scalar integer tensor.
        hparams: {name: scalar}, as `hparams(horizon)` gives them, or tensors of them.
        """


@dataclass(frozen=True, eq=False)
class FromFunctions:
    """The `Optimizer` that `from_functions` makes."""

    name: str
    init: Init
    update: Update

    @property
    def rule(self) -> str:
        """Its name: nothing else is known to run the same program."""
        return self.name

    def hparams(self, horizon: int) -> dict[str, float]:
        """{"horizon": the number of steps of the run}. Raises `ConfigError` unless horizon is an integer >= 1."""
        return {"horizon": float(positive(horizon))}


def from_functions(name: str, init: Init, update: Update) -> FromFunctions:
    """An `Optimizer` made from a pair of pure functions, for a rule without hyperparameters to vary.

    init: `init(params) -> state`; update: `update(grads, state, params, step, hparams) -> (params, state)`, both as in
    `Optimizer`. hparams has one entry, "horizon", the number of steps of the run, for schedules. name: what results are stored
    under, another one for each pair. Raises `ConfigError` for a name that can't be part of a file name.

    >>> def update(grads, state, params, step, hparams):
    ...     return {path: w - 0.5 * grads[path] for path, w in params.items()}, state
    >>> optimizer = from_functions("half_a_gradient", lambda params: {}, update)
    >>> optimizer.rule, optimizer.hparams(10)
    ('half_a_gradient', {'horizon': 10.0})
    """
    registry.check_name("optimizer", name)
    return FromFunctions(name, init, update)


@dataclass(frozen=True, eq=False)
class Elementwise:
    """An `Optimizer` made of the mathematics of a single parameter.

    formula: `formula(t, w, g, *slots, **hparams) -> (w, *slots)` for one parameter w, its gradient g and its slots, t = 1, 2, ..
    the step being taken. All are of w's dtype; t and hparams are scalars or broadcast against w.
    slots: names of the tensors kept for each parameter, which start at zero. The state is {slot: {path: tensor}}.
    settings: the hyperparameters by the names that people use.
    translate: `translate(horizon, **settings)` -> the hparams of `formula`, computed in double precision.

    Many runs in one program: with a leading axis of copies on params, grads and state, hparams may have shape [copies].
    """

    name: str
    rule: str
    formula: Formula
    slots: tuple[str, ...]
    settings: dict[str, Any]
    translate: Callable[..., dict[str, float]]

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"<{type(self).__name__} {self.name}: {settings or self.rule}>"

    @property
    def elementwise(self) -> bool:
        """Whether shapes don't matter: not where a subclass has a start or a step of its own."""
        return type(self).init is Elementwise.init and type(self).update is Elementwise.update

    @property
    def lines_up_copies(self) -> bool:
        """Whether a step can be that of many runs, with hparams of shape [copies]."""
        return self.elementwise

    def hparams(self, horizon: int) -> dict[str, float]:
        """The hparams for a run of `horizon` steps, {name: float}. Raises `ConfigError` unless horizon is an integer >= 1."""
        translated = self.translate(positive(horizon), **self.settings)
        for name, value in translated.items():
            require_float32(name, value, self.name)
        return {name: float(value) for name, value in translated.items()}

    def init(self, params: Params) -> State:
        """Zeros for every slot: {slot: {path: tensor}}."""
        return {slot: {path: tf.zeros_like(w) for path, w in params.items()} for slot in self.slots}

    def update(self, grads: Gradients, state: State, params: Params, step: Step, hparams: Hparams) -> tuple[Params, State]:
        """(params, state) after one more step; see `Optimizer.update`."""
        new_params: Params = {}
        new_state: State = {slot: {} for slot in self.slots}
        for path, w in params.items():
            t = tf.cast(step, w.dtype) + 1
            h = {name: beside(value, w) for name, value in hparams.items()}
            slots = [state[slot][path] for slot in self.slots]
            new_params[path], *slots = self.formula(t, w, grads[path], *slots, **h)
            for slot, value in zip(self.slots, slots):
                new_state[slot][path] = value
        return new_params, new_state


def as_given(horizon: int, **settings: float) -> dict[str, float]:
    """The `translate` of rules whose formula reads the settings as they are written."""
    del horizon
    return settings


def is_optimizer(thing: object) -> TypeGuard[Optimizer]:
    """Whether it has the functions of an `Optimizer`; a class of them has not."""
    return not isinstance(thing, type) and all(callable(getattr(thing, part, None)) for part in ("hparams", "init", "update"))


def is_own(optimizer: Optimizer) -> bool:
    """Whether its mathematics is a user's own, whatever class holds it."""
    parts = [type(optimizer), *(getattr(optimizer, part, None) for part in ("formula", "init", "update"))]
    return any(registry.is_own(part) for part in (parts if isinstance(optimizer, (Elementwise, FromFunctions)) else parts[:1]))


def positive(steps: int, name: str = "horizon") -> int:
    """A number of steps as an int. name: of the argument. Raises `ConfigError` unless it is an integer of at least 1."""
    return whole_number(name, steps, note=", a number of steps")


def hparams_of(optimizer: Optimizer, horizon: int) -> dict[str, float]:
    """`optimizer.hparams(horizon)`, of which `require_float32` holds."""
    hparams = optimizer.hparams(horizon)
    for name, value in hparams.items():
        require_float32(name, value, optimizer.name)
    return hparams


def require_float32(name: str, value: Any, optimizer: str) -> None:
    """Raise `ConfigError` for a hyperparameter that would be another number in float32, in which compiled steps get it.

    That is an integer, such as a seed, that would be rounded, and a finite number that would be infinite. Raises it, too, for
    what is no number.
    """
    if not isinstance(value, (int, float)):
        array = np.asarray(value)
        if array.size != 1 or array.dtype.kind not in "biuf":
            raise ConfigError(f"hyperparameter {name!r} of {optimizer!r} is {shown(value)}: allowed is a number")
        value = array.item()
    with np.errstate(over="ignore"):
        rounded = float(np.float32(min(max(value, -1e39), 1e39)))
    if (isinstance(value, int) and rounded != value) or (math.isfinite(value) and not math.isfinite(rounded)):
        raise ConfigError(
            f"hyperparameter {name!r} of {optimizer!r} is {value!r}: steps get it in float32, where it is {rounded:.9g}; "
            "give a number that float32 has, or a float if it may be rounded"
        )


def in_dtype(value: float | tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """`value` as a tensor of `dtype`. A Python float goes there directly: tf.cast would take it through float32."""
    return tf.cast(value, dtype) if tf.is_tensor(value) else tf.convert_to_tensor(value, dtype)


def beside(value: float | tf.Tensor, w: tf.Tensor) -> tf.Tensor:
    """`value` in w's dtype, its axes lined up with the leading ones of w."""
    value = in_dtype(value, w.dtype)
    missing = w.shape.rank - value.shape.rank if value.shape.rank else 0
    for _ in range(missing):
        value = tf.expand_dims(value, -1)
    return value
