"""Seeds and draws: purpose-named seeds, and random numbers that are the same in eager, graph and XLA execution."""
