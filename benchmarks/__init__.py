"""Timings, and nothing else: `python -m benchmarks.NAME` prints a section of docs/benchmarks.md, and writes it with --publish.

processes             measuring in processes of their own, and watching others
inner, inner_parts    the training loop beside JAX; where its time goes
inner_tasks,          its tasks; ours and JAX's side
    inner_sides
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
export, exported      programs for machines with a GPU and no TensorFlow; as functions with their arguments
run_stablehlo         runs and times them there, and needs no other file
jax_twins, jax_outer  the other side of the comparisons, written as one would in JAX
"""
