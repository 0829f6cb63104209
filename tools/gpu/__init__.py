"""Outer training on a machine that has a GPU and JAX, but no TensorFlow: programs are written here, and run there."""
