"""Learned optimizers, trained on the tasks of `taskset`.

Importing this registers the tasks of `learned.digits`. No TensorFlow.
"""

from learned import digits  # noqa: F401
