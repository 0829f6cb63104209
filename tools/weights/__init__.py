"""Where weights that ship come from, for docs/one_run.md and its history.

anchored_controller  the weights of that name, from those of examples/
anchored_muon_start  where `anchored_muon` starts its outer training
anchored_muon_drawn  weights that are fitted to a rule, not trained
short_runs           short outer trainings that differ in one thing each
valid_variant        `anchored` trained for validation losses
shipped_checkpoint   a checkpoint that knows the tasks of every training before it
gpu/                 outer training on a machine that has a GPU and JAX, but no TensorFlow
"""
