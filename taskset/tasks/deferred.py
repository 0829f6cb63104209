"""What a stateless initializer returns in place of numbers."""

import tensorflow as tf


class Deferred:
    """What a stateless initializer returns: the value is drawn later, from a seed and the parameter's path.

    draw: `(key, shape, dtype) -> tensor`; distribution: what it draws from (`taskset.tasks.distributions`).
    """

    def __init__(self, draw, distribution, shape, dtype):
        self.draw, self.distribution = draw, distribution
        self.shape, self.dtype = tuple(int(n) for n in shape), tf.as_dtype(dtype)
