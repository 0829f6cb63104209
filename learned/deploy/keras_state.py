"""The state of a learned optimizer over the variables of a Keras model, some of which may be frozen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from learned.optimizers import features
from learned.types import Params


def key(i: int) -> str:
    """The path of variable i in the rule: names that sort in the order of the variables."""
    return f"{i:05d}"


class Frozen:
    """Takes the part of a state that belongs to the variables in training out of it, and puts it back.

    A leaf of a state belongs to one variable: then it has the variable's key. Or to all of them, in the order of
    `features.tensor_order`: then an axis has one entry for each variable, or for each of their numbers. Or to none.

    params: {key: tensor} of all variables; moving: of those in training.
    """

    def __init__(self, params: Params, moving: Params) -> None:
        everything = features.tensor_order(params)
        positions = [everything.index(key) for key in features.tensor_order(moving)]
        ends = np.cumsum([params[key].shape.num_elements() for key in everything])
        numbers = np.split(np.arange(ends[-1]), ends[:-1])
        of_numbers = np.concatenate([numbers[i] for i in positions])
        self._moving = [(len(everything), np.array(positions)), (int(ends[-1]), of_numbers)]  # (how many in all, which move)

    def part(self, whole: Any, like: Any) -> Any:
        """The part of the state `whole` that a state shaped as `like` has."""
        if isinstance(like, dict):
            return {key: self.part(whole[key], value) for key, value in like.items()}
        axis, moving = self._axis(whole, like)
        return whole if axis is None else tf.gather(whole, moving, axis=axis)

    def whole(self, old: Any, part: Any) -> Any:
        """The state `old` with its part replaced by `part`."""
        if isinstance(old, dict):
            return {key: self.whole(value, part[key]) if key in part else value for key, value in old.items()}
        axis, moving = self._axis(old, part)
        if axis is None:
            return part
        places = np.arange(old.shape[axis])
        places[moving] = old.shape[axis] + np.arange(len(moving))
        return tf.gather(tf.concat([old, part], axis), places, axis=axis)

    def _axis(self, whole, part):
        """(the axis along which variables or their numbers lie, which of them move), or (None, None)."""
        for count, moving in self._moving:
            for axis, both in enumerate(zip(whole.shape, part.shape)):
                if both == (count, len(moving)):
                    return axis, moving
        return None, None


def map_leaves(tree: Any, function: Callable[..., Any], *others: Any, name: str = "") -> Any:
    """A dict like `tree` with `function(name, leaf, *leaves of others)` for its leaves."""
    if isinstance(tree, dict):
        return {
            key: map_leaves(value, function, *(other[key] for other in others), name=f"{name}_{key}" if name else key)
            for key, value in tree.items()
        }
    return function(name, tree, *others)
