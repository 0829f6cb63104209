"""Scripts that write files of the package or of docs/: `python -m tools.FOLDER.NAME`; nothing is changed without --publish.

report                    how a script prints its section, and writes it with --publish
costs, conformance,       files of the packages (costs.json, starts.json, suites), and two pages
    write_suites
report_libraries          the libraries of the report's page
family_list, quirks       what each family is; which tasks a quirk touches: docs/families.md, docs/quirks.md
import_plan, typed_share  the order of imports; how many public functions have types
estimator_variance        the variance of outer gradients against the length of the unroll: docs/learned.md

baselines/                what the baselines say: docs/baselines.md, horizons.md, search.md, rivals.md, benchmarks.md
synthetic/                how near the stand-ins come to the real data: docs/synthetic.md
one_run/                  how optimizers for one run do: docs/one_run.md, docs/one_run_history.md
weights/                  where weights that ship come from: docs/one_run.md, docs/one_run_history.md
experiments/              what learned optimizers do: docs/experiments.md

A section of docs/ stands between `<!-- NAME -->` and `<!-- /NAME -->`. NAME is the script's, stands in it, or was given to its
--publish.
"""
