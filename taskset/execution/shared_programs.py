"""Which optimizers may share a compiled program: those that differ in nothing but numbers that the program is given."""

from __future__ import annotations

import numbers
from typing import Any

import tensorflow as tf

from taskset import registry
from taskset.optimizers.base import Elementwise, Optimizer
from taskset.tasks import retracing

SHAPES: tuple[list[int], ...] = ([], [2], [3, 2], [2, 2, 3, 2])  # of the parameters on which a user's own are compared


def program(optimizer: Optimizer) -> str:
    """A name of what its functions compute: its rule, and what else they may depend on. Two objects may share a rule and differ.

    Objects of one class share a program where they differ in nothing but numbers that `hparams` gives under the same name. Of a
    user's own class, also a trace of `init` and `update` has to be the same: they may read such a number from the object, or
    decide by it.
    """
    declared = getattr(optimizer, "rule", "")
    if isinstance(optimizer, Elementwise) and not registry.is_own(type(optimizer)):
        return f"{declared} {id(type(optimizer))} {id(optimizer.formula)}"
    if not hasattr(optimizer, "__dict__"):
        return f"{declared} {id(optimizer)}"
    hparams = optimizer.hparams(1000)
    parts = [f"{declared} {id(type(optimizer))}", *sorted(hparams)]
    for key, value in sorted(vars(optimizer).items()):
        if key == "name" or (_is_number(value) and key in hparams and float(hparams[key]) == float(value)):
            continue
        parts.append(f"{key}={value!r}" if _is_plain(value) else f"{key}@{id(value)}")
    if registry.is_own(type(optimizer)):
        parts.append(_traced(optimizer, sorted(hparams)))
    return " ".join(parts)


def _traced(optimizer: Optimizer, names: list[str]) -> str:
    """What init and update of an optimizer compute on parameters of SHAPES; its id where that can't be traced."""
    params = {f"p{i}": tf.TensorSpec(shape) for i, shape in enumerate(SHAPES)}
    scalar = tf.TensorSpec([])
    losses = {f"{loss}": scalar for loss in ("loss", "validation_loss") if getattr(optimizer, f"uses_{loss}", False)}

    def step(params: Any, grads: Any, at: Any, hparams: Any, losses: Any) -> Any:
        if "validation_loss" in losses:
            losses = {**losses, "validation_loss": lambda loss=losses["validation_loss"]: loss}
        state = optimizer.init(params)
        return state, optimizer.update(grads, state, params, at, hparams, **losses)

    made = tf.function(step, autograph=False)
    try:
        found = made.get_concrete_function(params, params, tf.TensorSpec([], tf.int32), dict.fromkeys(names, scalar), losses)
    except Exception:  # whatever a user's function raises; it raises it again where it is run
        return f"{id(optimizer)}"
    return f"{hash(retracing.of(found)):x}"


def _is_number(value: object) -> bool:
    """Whether it is one that a program can be given: Python code decides by True and False."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _is_plain(value: object) -> bool:
    """Whether it says by its `repr` what it is."""
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (numbers.Real, str))
