"""Learned optimizers, trained on the tasks of `taskset`."""
