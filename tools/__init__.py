"""Scripts that write files of the package or of docs/: `python -m tools.NAME`; nothing is changed without --publish.

costs, conformance                             taskset/execution/costs.json and starts.json, with their pages
pictures, demo_picture, search, quirks         pages and pictures made from the baselines and the configs
estimator_variance                             the variance of outer gradients against the length of the unroll
synthetic_accuracy, synthetic_acceptance       how near the stand-ins come to the real data
import_plan, typed_share                       the order of imports; how many public functions have types
experiments/                                   what learned optimizers do: docs/experiments.md
"""
