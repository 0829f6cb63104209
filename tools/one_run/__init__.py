"""How optimizers for one run do: `python -m tools.one_run`, and the other scripts of docs/one_run.md and its history.

task_choice                    the provisional suite, a few tasks of a suite, their order
contenders                     weights and rules that are run
side_by_side                   their runs, in as few compiled programs as there are rules
run_curves                     the curves of runs and of the baselines, and their scores
run_table, pictures            the table, the pictures
stage0, relative_rates         hand-designed rules and schedules
yardstick, real_and_synthetic  on real images
muon_blocks, late_parameters   what one property of a rule does
cross_fitted                   what tuning gains by being judged on its own runs
"""

from tools import report

STEPS = 2000
HORIZONS = (200, STEPS)
DOCUMENT, HISTORY = report.DOCS / "one_run.md", report.DOCS / "one_run_history.md"


def document_of(section):
    """The document that has a section; docs/one_run.md where none has."""
    mark = f"<!-- {section} -->"
    return next((path for path in (DOCUMENT, HISTORY) if mark in path.read_text(encoding="utf-8")), DOCUMENT)
