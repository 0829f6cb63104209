"""What the baselines say, in tables and pictures.

page, tables, pictures  docs/baselines.md, its tables and its pictures
horizons                docs/horizons.md: how the best rate moves with the number of steps
search, search_methods  docs/search.md: searchers on the recorded curves; those that other packages bring
rivals, rivals_dots     docs/rivals.md and the table of rivals in the package; the pictures
cluster_reckoning       docs/benchmarks.md: what all tasks would cost on many machines
demo_picture            the picture of README.md
"""
