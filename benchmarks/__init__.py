"""Timings, and nothing else: `python -m benchmarks.NAME` prints a section of docs/benchmarks.md, and writes it with --publish.

    inner       the training loop beside JAX               modes       XLA or graph, for tasks of every family
    outer       outer steps beside JAX                     compile     a hundred tasks, without and with the cache of programs
    families    what a step of each family's tasks costs   sweep       what `baseline` costs beside the training itself
    memory      the workers of an outer training           startup     commands and functions that should be at once
    cheap_sweeps  what a sweep of a cheap task costs beside its training steps
    demo        `make demo`
    export      programs for machines with a GPU and no TensorFlow, which run_stablehlo.py runs and times there

jax_twins.py and jax_outer.py are the other side of the comparisons, written as one would in JAX.
"""
