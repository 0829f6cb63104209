"""The packages' mathematics once more, in NumPy: optimizers in learned.py, losses of families in the other files."""
