"""Seeds and draws: purpose-named seeds, and numbers that are equal in eager mode, in a graph and under XLA."""
