"""Optimizers of this package under another name, and plain pairs of functions."""

import math
import numbers

from taskset.errors import ConfigError, shown

_PROTOCOL = ("hparams", "init", "update")


def is_optimizer(thing):
    """Whether it is an `Optimizer` (`taskset.optimizers.base`), not a class of them."""
    return not isinstance(thing, type) and all(callable(getattr(thing, part, None)) for part in _PROTOCOL)


def is_pair(thing):
    """Whether it is a pair of functions (init, update), or an object (a module, a namespace) that has just these two."""
    if isinstance(thing, type) or is_optimizer(thing):
        return False
    if isinstance(thing, tuple):
        return len(thing) == 2 and all(map(callable, thing))
    return callable(getattr(thing, "init", None)) and callable(getattr(thing, "update", None))


def functions(pair):
    """(init, update) of what `is_pair`."""
    return tuple(pair) if isinstance(pair, tuple) else (pair.init, pair.update)


class Named:
    """An optimizer under another name; all else is as it is."""

    library = "taskset"

    def __init__(self, optimizer, name):
        self._optimizer, self.name = optimizer, name

    def __getattr__(self, attribute):
        if attribute.startswith("__") or attribute == "_optimizer":
            raise AttributeError(attribute)
        return getattr(self._optimizer, attribute)


class Pair:
    """The `Optimizer` of two functions; hyperparameters {name: number} are what `update` is given as its last argument.

    init(params) -> state; update(grads, state, params, step, hparams) -> (params, state): as `taskset.optimizers.base.Optimizer`.
    """

    library = "taskset"

    def __init__(self, init, update, name, hyperparameters=None):
        self.name, self.init, self.update = name, init, update
        self.rule = f"{getattr(update, '__module__', '')}.{getattr(update, '__qualname__', name)}"
        self._hparams = dict(hyperparameters or {})
        for key, value in self._hparams.items():
            if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
                raise ConfigError(f"hyperparameter {key!r} of {name!r} is {shown(value)}: allowed are finite numbers")

    def hparams(self, horizon):
        """The hyperparameters, whatever the horizon."""
        del horizon
        return {key: float(value) for key, value in self._hparams.items()}
