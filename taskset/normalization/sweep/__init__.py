"""Sweeps of optimizers over tasks: their options, the runs and curves of a task, and what is left to do."""
