"""The weights of a learned optimizer as one flat vector, and any nested dict of tensors as named arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from learned.types import Arrays, Params


class Layout:
    """Where each weight lies in the flat vector theta [P].

    shapes: {path: shape}, in the vector's order. size: P.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.shapes = {path: tuple(shape) for path, shape in shapes.items()}
        self._sizes = [math.prod(shape) for shape in self.shapes.values()]
        self.size = sum(self._sizes)

    def views(self, vector: tf.Tensor) -> Params:
        """{path: tensor} of a vector [P] (a tensor), differentiable."""
        parts = tf.split(vector, self._sizes)
        return {path: tf.reshape(part, shape) for (path, shape), part in zip(self.shapes.items(), parts)}

    def vector(self, weights: Mapping[str, Any]) -> np.ndarray:
        """The vector [P] (NumPy) of {path: array or tensor}."""
        if set(weights) != set(self.shapes):
            raise ValueError(f"weights are called {sorted(weights)}; expected are {sorted(self.shapes)}")
        return np.concatenate([np.asarray(weights[path]).reshape(-1) for path in self.shapes])

    def arrays(self, vector: np.ndarray) -> Arrays:
        """{path: array} of a NumPy vector [P]."""
        parts = np.split(np.asarray(vector), np.cumsum(self._sizes)[:-1])
        return {path: part.reshape(shape) for (path, shape), part in zip(self.shapes.items(), parts)}


def leaves(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """("a|b", tensor or array) of each leaf of a nested dict {"a": {"b": tensor or array}}; keys must be free of "|"."""
    if not isinstance(tree, dict):
        yield prefix, tree
        return
    for key, value in tree.items():
        yield from leaves(value, f"{prefix}|{key}" if prefix else str(key))


def named_leaves(tree: Any) -> Arrays:
    """{"a|b": NumPy array} of `leaves`."""
    return {path: np.asarray(leaf) for path, leaf in leaves(tree)}


def from_leaves(template: Any, named: Mapping[str, np.ndarray]) -> Any:
    """A nested dict like `template` with the arrays of `named_leaves`; tensors where the template has tensors.

    Raises ValueError where a leaf is missing, has another shape or type, or stands nowhere in the template.
    """
    unknown = sorted({*named} - {path for path, _ in leaves(template)})
    if unknown:
        raise ValueError(f"{unknown[0]!r} is unknown")
    return _from_leaves(template, named, "")


def _from_leaves(template: Any, named: Mapping[str, np.ndarray], prefix: str) -> Any:
    if isinstance(template, dict):
        return {key: _from_leaves(value, named, f"{prefix}|{key}" if prefix else key) for key, value in template.items()}
    if prefix not in named:
        raise ValueError(f"{prefix!r} is missing")
    leaf, expected = named[prefix], np.asarray(template)
    if leaf.shape != expected.shape or leaf.dtype != expected.dtype:
        raise ValueError(f"{prefix!r} is {leaf.dtype} {leaf.shape}; expected is {expected.dtype} {expected.shape}")
    return tf.constant(leaf) if tf.is_tensor(template) else leaf
