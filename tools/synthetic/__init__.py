"""How near the stand-ins come to the real data, for docs/synthetic.md.

accuracy    pixel statistics, and how accurate small networks get
acceptance  sweeps of learning rates on both, with one sampling of batches
rates       how rates rank on both, on all tasks that the baselines have with both
"""
