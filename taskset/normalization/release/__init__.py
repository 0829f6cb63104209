"""Baselines that ship: merging sweeps, checks, the card and its machine-readable description."""
