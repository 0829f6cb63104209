"""Outer training on a machine that has a GPU and JAX, but no TensorFlow: programs are written here, and run there.

programs    truncations of many tasks, as StableHLO
train       runs the programs there
checkpoint  what was trained, as a checkpoint of the package
"""
