"""What a stateless initializer returns in place of numbers."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import tensorflow as tf

from taskset.random.stateless import Key
from taskset.tasks.distributions import Distribution

Draw: TypeAlias = Callable[[Key, Sequence[int], tf.DType], tf.Tensor]  # (key, shape, dtype) -> tensor


class Deferred:
    """What a stateless initializer returns: the value is drawn later, from a seed and the parameter's path.

    draw: `(key, shape, dtype) -> tensor`; distribution: the law of its entries (`taskset.tasks.distributions`).
    """

    def __init__(self, draw: Draw, distribution: Distribution, shape: Sequence[int], dtype: tf.DType):
        self.draw, self.distribution = draw, distribution
        self.shape, self.dtype = tuple(int(n) for n in shape), tf.as_dtype(dtype)
