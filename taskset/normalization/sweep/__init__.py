"""Sweeps of optimizers over tasks: the runner, its workers, and what one run is."""
