"""Keras optimizers as pure functions, for the compiled loop.

A Keras optimizer on TensorFlow changes variables. Its update is traced with variables that take the run's values first and are
read afterwards: within a compiled program nothing of that is left but the arithmetic.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
import tensorflow as tf

from taskset.errors import ConfigError, calling, shown
from taskset.execution import code_digest
from taskset.execution.checked import traced
from taskset.normalization.sweep.run_groups import OneByOne
from taskset.optimizers.base import Gradients, Hparams, Params, State, Step
from taskset.scoring.adapters.factories import called

if TYPE_CHECKING:
    import keras

_RATE = "learning_rate"


def is_instance(thing: object) -> TypeGuard[keras.optimizers.Optimizer]:
    """Whether it is an instance of keras.optimizers.Optimizer."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(thing, keras.optimizers.Optimizer)


def from_instance(optimizer: keras.optimizers.Optimizer, name: str, hyperparameters: Mapping[str, Any]) -> Keras:
    """`optimizer` as `Keras`: each run gets another one, made from its config.

    hyperparameters: entries of the config to be changed. Raises `ConfigError`, also where the config lacks something.
    """
    config = optimizer.get_config()
    for key in hyperparameters:
        if key not in config:
            raise ConfigError(f"hyperparameter {shown(key)} of {name!r}: allowed are {', '.join(sorted(config))}")
    kind, wanted = type(optimizer), {**config, **hyperparameters}
    _check_rebuilt(optimizer, called(kind.from_config, {"config": dict(config)}, name), name)
    rebuilt = called(kind.from_config, {"config": dict(wanted)}, name)
    for key in hyperparameters:
        if not _equal(rebuilt.get_config().get(key), wanted[key]):
            raise _lost(key, name)
    return Keras(lambda: kind.from_config(dict(wanted)), name)


def from_factory(factory: Callable[..., Any], given: Mapping[str, Any], name: str) -> Keras:
    """What `factory(**given)` makes, a class or a function, as `Keras`: each run gets another one. Raises `ConfigError`."""

    def make() -> keras.optimizers.Optimizer:
        made = called(factory, given, name)
        if not is_instance(made) or made.built:
            raise ConfigError(f"optimizer {name!r} returned one that is in use: return a new Keras optimizer at every call")
        return made

    return Keras(make, name)


def _check_rebuilt(optimizer: Any, rebuilt: Any, name: str) -> None:
    """Raise `ConfigError` where the optimizer made from another one's config is seen to differ from it."""
    both = [{**code_digest.keras_attributes(one), _RATE: _rate(one)} for one in (optimizer, rebuilt)]
    for key in {**both[0], **both[1]}:
        if key in both[0] and key not in both[1] and optimizer.built:
            continue  # made by `build`
        if not _equal(both[0].get(key), both[1].get(key)):
            raise _lost(key, name)


def _equal(one: Any, other: Any) -> bool:
    """Whether two values are equal, as far as that can be known."""
    if type(one) is not type(other) and not (isinstance(one, (int, float)) and isinstance(other, (int, float))):
        return False
    if isinstance(one, (int, float)):
        return bool(np.float32(one) == np.float32(other))  # a rate was kept as float32
    return code_digest.digest(one) == code_digest.digest(other)


def _lost(key: str, name: str) -> ConfigError:
    return ConfigError(
        f"the config of {name!r} loses {key}: implement get_config, or give the class with hyperparameters, or a function that "
        "makes it"
    )


def _rate(optimizer: Any) -> Any:
    """The learning rate as a number, or its schedule."""
    rate = optimizer._learning_rate
    return float(np.asarray(_value(rate))) if code_digest.is_variable(rate) else rate


class Keras:
    """The `Optimizer` of the Keras optimizers that `make()` returns, a new one at each call.

    The learning rate is an argument of the compiled program, unless it is a schedule; all else is part of it.
    Raises: ConfigError for a backend that isn't TensorFlow's, for `use_ema`, whose averages Keras swaps in outside of steps, and
    for what divides gradients by the scale of a loss that nobody scales here.
    """

    library = "keras"
    runs = OneByOne  # variables don't go into one program of several runs

    def __init__(self, make: Callable[[], keras.optimizers.Optimizer], name: str) -> None:
        import keras

        if keras.backend.backend() != "tensorflow":
            raise ConfigError(
                f"Keras backend {keras.backend.backend()!r}: allowed is 'tensorflow'; set KERAS_BACKEND=tensorflow and try again"
            )
        self._example = optimizer = make()  # it is kept: `rule` has the numbers of objects that it holds
        if optimizer.use_ema:
            raise ConfigError(f"use_ema of {name!r} is True: allowed is False; score an optimizer without it")
        if float(optimizer.scale_loss(1.0)) != 1.0:
            raise ConfigError(f"{name!r} wants a scaled loss: allowed are optimizers without loss_scale_factor or loss scaling")
        self.name, self._make = name, make
        rate = _rate(optimizer)
        self._hparams = {_RATE: rate} if isinstance(rate, float) else {}
        self.rule = _rule(optimizer, self._hparams)
        self._parts: tuple[keras.optimizers.Optimizer, list[keras.Variable], list[tf.Variable]] | None = None

    def hparams(self, horizon: int) -> dict[str, float]:
        """The learning rate, where it is a number."""
        del horizon
        return dict(self._hparams)

    def init(self, params: Params) -> State:
        """The optimizer's own variables at its start, {number: tensor}; builds it for these parameters."""
        import keras

        with tf.init_scope():
            optimizer = self._make()
            weights = [keras.Variable(w, name=_plain(path)) for path, w in params.items()]  # Keras's own: some read their paths
            with calling(optimizer.build, f"build of {self.name!r} failed"):
                optimizer.build(weights)
            self._parts = optimizer, weights, _variables(optimizer, weights)
            return {str(i): tf.identity(v) for i, v in enumerate(self._parts[2])}

    def update(self, grads: Gradients, state: State, params: Params, step: Step, hparams: Hparams) -> tuple[Params, State]:
        """See `taskset.optimizers.base.Optimizer.update`."""
        del step  # Keras counts for itself
        assert self._parts is not None, "built by `init`"
        optimizer, weights, own = self._parts
        for i, variable in enumerate(own):
            variable.assign(state[str(i)])
        if _RATE in hparams:
            _value(optimizer._learning_rate).assign(tf.cast(hparams[_RATE], _value(optimizer._learning_rate).dtype))
        for weight, w in zip(weights, params.values()):
            weight.assign(w)
        gradients = [grads[path] for path in params]
        what = f"update of {self.name!r}"
        may_change = [*map(_value, weights), *own]
        traced(optimizer.update_step, lambda: optimizer.apply(gradients, weights), what, may_change=may_change)
        moved = {path: _value(weight).read_value() for path, weight in zip(params, weights)}
        return moved, {str(i): variable.read_value() for i, variable in enumerate(own)}


def _plain(path: str) -> str:
    return path.replace("/", "_")


def _value(variable: keras.Variable | tf.Variable) -> tf.Variable:
    """The tf.Variable behind a Keras variable."""
    return getattr(variable, "value", variable) if not isinstance(variable, tf.Variable) else variable


def _variables(optimizer: keras.optimizers.Optimizer, weights: Sequence[keras.Variable]) -> list[tf.Variable]:
    """All variables that the optimizer may change: Keras lists its own kind, not a subclass's TensorFlow variables."""
    found = {id(_value(v)): _value(v) for v in (*optimizer.variables, *_within(vars(optimizer)))}
    return [v for key, v in found.items() if key not in {id(_value(weight)) for weight in weights}]


def _within(values: Any) -> Iterator[Any]:
    """The variables in a nest of lists, tuples, sets and dicts."""
    if code_digest.is_variable(values):
        yield values
    elif isinstance(values, (list, tuple, set, frozenset, Mapping)):
        for value in values.values() if isinstance(values, Mapping) else values:
            yield from _within(value)


def _rule(optimizer: keras.optimizers.Optimizer, hparams: Mapping[str, float]) -> str:
    """Optimizers of one class whose attributes are the same, apart from the learning rate, are the same program.

    What can't be compared counts as different. Variables that a constructor makes count by their values, which may depend on it.
    """
    parts = [str(id(type(optimizer))), *sorted(hparams)]
    made = {str(i): np.asarray(v) for i, v in enumerate(_variables(optimizer, [])) if v is not _value(optimizer._learning_rate)}
    for key, value in sorted({**code_digest.keras_attributes(optimizer), **made}.items()):
        parts.append(f"{key}={code_digest.digest(value) or id(optimizer)}")
    return " ".join([*parts, "" if hparams else code_digest.digest(optimizer._learning_rate) or str(id(optimizer))])
