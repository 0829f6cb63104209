"""Names for types that the signatures of this package repeat. Imports TensorFlow for type checkers only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

PathLike: TypeAlias = str | Path
Params: TypeAlias = "dict[str, tf.Tensor]"  # {path: tensor}: a task's parameters or gradients, or theta
Arrays: TypeAlias = dict[str, np.ndarray]  # {path: array}: the same in NumPy
Shapes: TypeAlias = dict[str, tuple[int, ...]]
Tree: TypeAlias = dict[str, Any]  # nested dicts with tensors or arrays as leaves: states
Batch: TypeAlias = "dict[str, tf.Tensor]"
Places: TypeAlias = dict[int, tuple[str, int, Arrays]]  # {place: (task, how many it has drawn, leaves of its state)}
Line: TypeAlias = dict[str, Any]  # an outer step in the log, JSON values (`learned.outer_training.log`)
Lengths: TypeAlias = Callable[[np.random.Generator, int], np.ndarray]  # (rng, n) -> lengths [n] of episodes that start
