"""Timings, and nothing else: `python -m benchmarks.NAME` prints a section of docs/benchmarks.md, and writes it with --publish.

inner, inner_parts    the training loop beside JAX; where its time goes
families, elsewhere   what a step of each family's tasks costs, here; in PyTorch and JAX
modes                 XLA or graph, for tasks of every family
compile               a hundred tasks, without and with the cache of programs
sweep, cheap_sweeps   what `baseline` costs beside the training itself
outer, outer_speed    outer steps beside JAX; where the time of a real outer training goes
outer_workers         how busy the workers of an outer training are
deployed              what a step of a learned optimizer costs where it is used
deployed_first_step   and how long its first step takes
memory, startup       the memory of workers; commands and functions that should be at once
demo                  `make demo`
export                programs for machines with a GPU and no TensorFlow, which run_stablehlo.py runs and times there

jax_twins.py and jax_outer.py are the other side of the comparisons, written as one would in JAX.
"""
