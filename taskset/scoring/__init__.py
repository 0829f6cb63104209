"""Suites of tasks, and the statistics by which optimizers are compared on them."""
