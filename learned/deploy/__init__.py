"""A trained optimizer elsewhere: Keras, exports, NumPy, and the weights that ship."""
