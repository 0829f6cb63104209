"""Scripts that write files of the package or of docs/: `python -m tools.NAME`; nothing is changed without --publish.

report                                          how a script prints its section, and writes it with --publish
costs, conformance, write_suites                files of the packages (costs.json, starts.json, suites), and two pages
pictures, baselines_pictures,                   pages and pictures made from the baselines and the configs
    baselines_tables, demo_picture, horizons, quirks
search, search_methods                          docs/search.md
rivals, rivals_dots                             docs/rivals.md
cluster_reckoning                               what all tasks would cost on many machines
report_libraries                                the libraries of the report's page
synthetic_accuracy, synthetic_acceptance,       how near the stand-ins come to the real data
    real_and_synthetic_rates
estimator_variance                              the variance of outer gradients against the length of the unroll
family_list                                     what each family is: docs/families.md
import_plan, typed_share                        the order of imports; how many public functions have types
experiments/                                    what learned optimizers do: docs/experiments.md

docs/one_run.md and docs/one_run_history.md, optimizers for one run:

one_run/, one_run_pictures, side_by_side        curves of weights and of rules on a suite, their tables and pictures
stage0, relative_rates, short_runs              hand-designed rules; short outer trainings
anchored_controller, anchored_muon_start,       where weights that ship come from
    anchored_muon_drawn, valid_variant, shipped_checkpoint, gpu/
yardstick, real_and_synthetic                   on real images
muon_blocks, late_parameters                    what one property of a rule does
cross_fitted                                    what tuning gains by being judged on its own runs
"""
