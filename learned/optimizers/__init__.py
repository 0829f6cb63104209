"""Optimizers with weights: pure functions of theta, to be trained on the tasks of `taskset`.

    learned.optimizers.names()                  the package's own, and those registered with `learned.register_optimizer`
    learned.optimizers.get("mlp")               a `LearnedOptimizer` (`learned.optimizers.base`)

`learned.optimizers.as_optimizer.with_weights` makes it an optimizer that `taskset.execution.loop` takes. Each rule is there in
NumPy as well: to be used (`learned.deploy.numpy_update`), and to be tested against (tests/twins/learned.py). Nothing here imports
TensorFlow before an optimizer is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from learned import registry
from taskset.errors import ConfigError, shown

if TYPE_CHECKING:
    from learned.optimizers.base import LearnedOptimizer


def names() -> list[str]:
    """The names of all learned optimizers."""
    return registry.optimizers.names()


def get(name: str) -> LearnedOptimizer:
    """The learned optimizer called `name`.

    Raises `UnknownName`; `ConfigError` where a registered function returns something else than a `LearnedOptimizer` of its name.
    """
    made = registry.optimizers.get(name)()
    from learned.optimizers.base import LearnedOptimizer

    if not isinstance(made, LearnedOptimizer):
        raise ConfigError(f"learned optimizer {name!r} is {shown(made)}: allowed is a function that returns a LearnedOptimizer")
    if made.name != name:
        raise ConfigError(f"learned optimizer {name!r} calls itself {made.name!r}: give LearnedOptimizer the registered name")
    if registry.optimizers.own(name) is None:
        return made
    from learned.optimizers.checked import checked_rule

    return checked_rule(made)
