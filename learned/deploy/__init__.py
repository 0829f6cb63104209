"""Trained optimizers in use: loading, Keras, export to NumPy, and the weights that ship."""
