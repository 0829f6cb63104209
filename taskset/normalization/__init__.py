"""Baselines: the sweep of optimizers over tasks, its Parquet store, and the loss normalizers that follow from it."""
