"""Data sets as tasks read them: four splits of arrays, and the batches drawn from them."""
