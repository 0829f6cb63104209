"""The parts of `python -m tools.one_run`, which other scripts of docs/one_run.md use too.

task_choice.py  the provisional suite, a few tasks of a suite, their order
contenders.py   weights and rules that are run
run_curves.py   the curves of runs and of the baselines, and their scores
run_table.py    the table
"""

from tools import report

STEPS = 2000
HORIZONS = (200, STEPS)
DOCUMENT, HISTORY = report.DOCS / "one_run.md", report.DOCS / "one_run_history.md"


def document_of(section):
    """The document that has a section; docs/one_run.md where none has."""
    mark = f"<!-- {section} -->"
    return next((path for path in (DOCUMENT, HISTORY) if mark in path.read_text(encoding="utf-8")), DOCUMENT)
