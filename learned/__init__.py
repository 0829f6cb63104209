"""Learned optimizers, trained on the tasks of `taskset`. Importing this registers the tasks of `learned.digits`; no TensorFlow."""

from learned import digits  # noqa: F401
