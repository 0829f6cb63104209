"""Optimizers with weights: pure functions of theta, to be trained on the tasks of `taskset`.

`get("mlp")` gives a `learned.optimizers.base.LearnedOptimizer`; `learned.optimizers.as_optimizer.with_weights` makes it an
optimizer that `taskset.execution.loop` takes.
"""

import importlib

from taskset.errors import unknown

# name: module that has a function of that name. A module is imported, and TensorFlow with it, when one is asked for.
_MODULES = {
    "learnable_sgd": "learnable",
    "learnable_sgdm": "learnable",
    "learnable_adam": "learnable",
    "mlp": "mlp",
    "mlp2019": "mlp2019",
    "adafac_mlp": "adafac_mlp",
    "lstm": "lstm",
    "hierarchical": "hierarchical",
    "anchored": "anchored",
}


def names():
    """The names of all learned optimizers, sorted."""
    return sorted(_MODULES)


def get(name):
    """The learned optimizer called `name`. Raises `UnknownName`."""
    if not isinstance(name, str) or name not in _MODULES:
        raise unknown("learned optimizer", name, names(), f"Allowed are {', '.join(names())}")
    return getattr(importlib.import_module(f"learned.optimizers.{_MODULES[name]}"), name)()
