"""Learned optimizers, trained on the tasks of `taskset`.

Importing this registers the tasks of `learned.digits` and `learned.tiny`. No TensorFlow.
"""

from learned import digits, tiny  # noqa: F401
