"""One self-contained HTML page of results, for a browser: `python -m taskset report`.

    results.py    directories -> the runs of every setting: scores, mean curves, normalizers
    common.py     the evaluations and seeds that all directories have of a setting
    scales.py     which normalizer a setting has
    packing.py    numbers -> text of a page
    contents.py   results -> the values that the page reads
    page.py       values, styles and scripts -> one HTML file that loads nothing from anywhere
    assets/       the page's own HTML, CSS and JavaScript
    vendor/       its libraries, as their authors publish them: Apache ECharts (charts) and Tabulator (tables)

A setting is a task with a source and a horizon. No TensorFlow.
"""

from taskset.scoring.report.page import write

__all__ = ["write"]
