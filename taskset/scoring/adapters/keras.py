"""Keras optimizers as pure functions, for the compiled loop.

A Keras optimizer on TensorFlow changes variables. Its update is traced with variables that take the run's values first and are
read afterwards: within a compiled program nothing of that is left but the arithmetic.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

import tensorflow as tf

from taskset.errors import ConfigError, shown
from taskset.normalization.sweep.run_groups import OneByOne
from taskset.optimizers.base import Gradients, Hparams, Params, State, Step

if TYPE_CHECKING:
    import keras

_RATE = "learning_rate"


def is_instance(thing: object) -> TypeGuard[keras.optimizers.Optimizer]:
    """Whether it is an instance of keras.optimizers.Optimizer."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(thing, keras.optimizers.Optimizer)


def from_instance(optimizer: keras.optimizers.Optimizer, name: str, hyperparameters: Mapping[str, Any]) -> Keras:
    """`optimizer` as `Keras`; hyperparameters: entries of its config to be changed. Raises `ConfigError`."""
    config = optimizer.get_config()
    for key in hyperparameters:
        if key not in config:
            raise ConfigError(f"hyperparameter {shown(key)} of {name!r}: allowed are {', '.join(sorted(config))}")
    return Keras(type(optimizer), {**config, **hyperparameters}, name)


class Keras:
    """The `Optimizer` of a Keras optimizer's class and config.

    The learning rate is an argument of the compiled program, unless it is a schedule; other entries of the config are part of it.
    Raises: ConfigError for a backend that isn't TensorFlow's, and for `use_ema`, whose averages Keras swaps in outside of steps.
    """

    library = "keras"
    runs = OneByOne  # variables don't go into one program of several runs

    def __init__(self, kind: type[keras.optimizers.Optimizer], config: dict[str, Any], name: str) -> None:
        import keras

        if keras.backend.backend() != "tensorflow":
            raise ConfigError(
                f"Keras backend {keras.backend.backend()!r}: allowed is 'tensorflow'; set KERAS_BACKEND=tensorflow and try again"
            )
        if config.get("use_ema"):
            raise ConfigError(f"use_ema of {name!r} is True: allowed is False; score an optimizer without it")
        self.name, self._kind, self._config = name, kind, config
        fixed = {key: value for key, value in config.items() if key not in (_RATE, "name") or isinstance(value, dict)}
        self._scheduled = isinstance(config.get(_RATE), dict)
        self.rule = f"{kind.__module__}.{kind.__qualname__} {json.dumps(fixed, sort_keys=True, default=str)}"
        self._parts: tuple[keras.optimizers.Optimizer, list[tf.Variable], list[tf.Variable]] | None = None

    def hparams(self, horizon: int) -> dict[str, float]:
        """The learning rate, where it is a number."""
        del horizon
        return {} if self._scheduled or _RATE not in self._config else {_RATE: float(self._config[_RATE])}

    def init(self, params: Params) -> State:
        """The optimizer's own variables at its start, {number: tensor}; builds it for these parameters."""
        with tf.init_scope():
            optimizer = self._kind.from_config(self._config)
            weights = [tf.Variable(w, name=_plain(path)) for path, w in params.items()]
            optimizer.build(weights)
            self._parts = optimizer, weights, _variables(optimizer)
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
        optimizer.apply([grads[path] for path in params], weights)
        moved = {path: weight.read_value() for path, weight in zip(params, weights)}
        return moved, {str(i): variable.read_value() for i, variable in enumerate(own)}


def _plain(path: str) -> str:
    return path.replace("/", "_")


def _value(variable: keras.Variable | tf.Variable) -> tf.Variable:
    """The tf.Variable behind a Keras variable."""
    return getattr(variable, "value", variable) if not isinstance(variable, tf.Variable) else variable


def _variables(optimizer: keras.optimizers.Optimizer) -> list[tf.Variable]:
    """All variables that the optimizer may change: Keras lists its own kind, not a subclass's TensorFlow variables."""
    others = [v for v in vars(optimizer).values() if isinstance(v, tf.Variable)]
    found = {id(_value(v)): _value(v) for v in (*optimizer.variables, *others)}
    return list(found.values())
