"""The settings of optimizers: which values are allowed, and the names made from them."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from taskset.errors import ConfigError, integer, is_finite, shown
from taskset.optimizers.base import Elementwise, Formula, as_given

Allowed = tuple[str, Callable[[Any], bool]]  # in words, {}: the setting's name; and whether a finite number is allowed

_RATES = (
    "learning_rate",
    "l1",
    "l2",
    "linear_decay",
    "exponential_decay",
    "l2_weight_decay",
    "adamw_weight_decay",
    "min_learning_rate_mult",
    "weight_decay",
    "adam_learning_rate",
    "share",
    "orthogonal",
    "travel",
)
# Divided by, alone or beside a sum of squares: with 0, which smaller numbers are in float32, a parameter whose gradients are 0
# would become NaN.
_DIVISORS = ("epsilon", "initial_accumulator_value", "initial_distance")
_OTHERS_DIVIDE = ("adam6p", "adam8p")  # they have another epsilon, a constant under the root
_AVERAGES = ("momentum", "rho", "beta1", "beta2")
_FRACTIONS = ("warmup_fraction", "constant_fraction")

_SMALLEST = float(np.finfo(np.float32).tiny)
_IN_FLOAT32 = ("lion", "muon", "prodigy")  # rules whose steps take 1 - beta of the beta that float32 has

_FROM_0: Allowed = ("a finite number >= 0", lambda x: x >= 0)
_ALLOWED: dict[str, Allowed] = {
    **dict.fromkeys(_RATES, _FROM_0),
    **dict.fromkeys(_DIVISORS, (f"a finite number > 0, at least {_SMALLEST:.3g}", lambda x: x >= _SMALLEST)),
    **dict.fromkeys(_AVERAGES, ("a number in 0 <= {} < 1", lambda x: 0 <= x < 1)),
    **dict.fromkeys(_FRACTIONS, ("a number in 0 <= {} <= 1", lambda x: 0 <= x <= 1)),
}


def checked(rule: str, settings: dict[str, Any]) -> dict[str, Any]:
    """`settings` with its numbers as floats. Raises `ConfigError`, naming the setting and what is allowed."""
    return {name: _checked(rule, name, value) for name, value in settings.items()}


def count(rule: str, name: str, value: Any, lowest: int) -> int:
    """`value` as an int, as it is part of a program. Raises `ConfigError` unless it is an integer >= `lowest`."""
    number = integer(value)
    if number is None or number < lowest:
        raise ConfigError(f"{name} {value!r} of {rule}: allowed is an integer >= {lowest}; change it and call {rule} again")
    return number


def _checked(rule: str, name: str, value: Any) -> float | bool:
    if name == "use_nesterov":
        if value is not True and value is not False:
            raise ConfigError(f"use_nesterov {value!r} of {rule}: allowed is True or False; change it and call {rule} again")
        return value
    if name not in _ALLOWED:
        raise ConfigError(f"{name} of {rule}: taskset/optimizers/settings.py doesn't say what it may be; add it there")
    words, fits = _FROM_0 if name == "epsilon" and rule in _OTHERS_DIVIDE else _ALLOWED[name]
    if name in _AVERAGES and rule in _IN_FLOAT32 and is_finite(value) and fits(value) and np.float32(value) == 1:
        raise ConfigError(f"{name} {shown(value)} of {rule}: it is 1 in float32, in which steps are taken; give a smaller one")
    if not is_finite(value) or not fits(value):
        raise ConfigError(f"{name} {shown(value)} of {rule}: allowed is {words.format(name)}; change it and call {rule} again")
    return float(value)


def described(rule: str, settings: dict[str, Any]) -> str:
    """The name of an optimizer that got none: `"adam(learning_rate=0.001, beta1=0.9, ..)"`."""
    return f"{rule}({', '.join(f'{name}={value!r}' for name, value in settings.items())})"


def elementwise(
    rule: str,
    formula: Formula,
    slots: tuple[str, ...],
    settings: dict[str, Any],
    name: str | None,
    translate: Callable[..., dict[str, float]] = as_given,
) -> Elementwise:
    """The `Elementwise` of `settings`, which are checked; without a name it is `described` by them."""
    settings = checked(rule, settings)
    return Elementwise(name or described(rule, settings), rule, formula, slots, settings, translate)


def with_averages(settings: dict[str, float]) -> dict[str, float]:
    """The hparams of `settings` with beta1 and beta2: those as `average`s, the others as they are."""
    others = {name: value for name, value in settings.items() if name not in ("beta1", "beta2")}
    return {**others, **average("beta1", settings["beta1"]), **average("beta2", settings["beta2"])}


def average(name: str, beta: float) -> dict[str, float]:
    """The hparams of an exponential moving average with decay `beta`: 1 - beta and log(beta).

    Computed in double precision: in float32, 1 - beta of beta = 1 - 1e-6 would be off by 1.3 per cent.
    """
    return {f"one_minus_{name}": 1.0 - beta, f"log_{name}": math.log(beta) if beta > 0 else -math.inf}
