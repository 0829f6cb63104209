"""The table of rivals that comes with the package: what other optimizers reach on `rivals:1` (docs/rivals.md). No TensorFlow.

tools/baselines/rivals.py makes the file: {"suite": "rivals:1", "horizon": 2000, "view": "end", "rows": [..]}, rows as in
scores.json.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources

from taskset.scoring import row_json
from taskset.scoring.rows import Row
from taskset.scoring.suites import tiers
from taskset.scoring.suites.suite import Suite

SUITE, FILE = "rivals:1", "rivals_1_scores.json"


def rows(suite: Suite, tasks: Sequence[str], view: str) -> list[Row]:
    """The shipped rows for a score on all tasks of `suite`, which must be the table's own; none for other suites and views.

    A suite of somebody else's may have the same name: tasks and scales are compared.
    """
    place = resources.files("taskset.scoring.suites.tiers").joinpath(FILE)
    if suite.label != SUITE or len(tasks) < len(suite.tasks) or not place.is_file():
        return []
    if {entry.task: entry.scales for entry in suite.tasks} != {entry.task: entry.scales for entry in tiers.load(SUITE).tasks}:
        return []
    found = json.loads(place.read_text(encoding="utf-8"))
    if found["view"] != view or found["horizon"] != suite.horizon:
        return []
    return [row_json.read(row) for row in found["rows"]]
