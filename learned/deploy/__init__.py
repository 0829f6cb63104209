"""Trained optimizers in use: loading, Keras, export to NumPy, PyTorch and JAX, and the weights that ship."""
