"""What an evaluation was asked for: requested.json beside its curves, so that what has not been finished of it can be named.

    {"requests": [{"suite": "1h:1", "split": "test", "tasks": ["mlp_family_seed3", ..]}, ..]}

A directory may be asked for more, one request after the other. suite and split: null for tasks that were named one by one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from taskset.files import read_json, readable, write_text
from taskset.normalization import store
from taskset.normalization.sweep.resume import settling
from taskset.scoring.suites.suite import Suite

FILE = "requested.json"


def record(root: str | Path, given: Suite | Sequence[str], split: str, tasks: Sequence[str]) -> None:
    """Write down that `tasks` were asked for: those of a split of a suite, or names; beside what was asked for before.

    Where there are no curves yet, the directory isn't claimed (`store.check_options`), and nothing of before counts.
    """
    suite, of = (given.label, split) if isinstance(given, Suite) else (None, None)
    request = {"suite": suite, "split": of, "tasks": list(tasks)}
    with settling(root):
        before = _requests(root) if _finished(root) else []
        if request not in before:
            write_text(json.dumps({"requests": [*before, request]}, indent=1) + "\n", Path(root) / FILE)


def unfinished(root: str | Path) -> list[str]:
    """The tasks that were asked for and have no curves, sorted; none where nothing was written down. Raises `StoreError`."""
    return sorted({task for request in _requests(root) for task in request["tasks"]} - _finished(root))


def _finished(root: str | Path) -> set[str]:
    return {path.stem for path in store.finished_files(root)}


def _requests(root: str | Path) -> list[dict[str, Any]]:
    path = Path(root) / FILE
    if not path.exists():  # of before 0.2.2
        return []
    with readable(path, "delete it, and evaluate once more"):
        found = read_json(path)["requests"]
        if not isinstance(found, list) or not all(isinstance(task, str) for each in found for task in _listed(each["tasks"])):
            raise ValueError("requests are no list, or a task no text")
    return found


def _listed(tasks: Any) -> list[Any]:
    if not isinstance(tasks, list):
        raise ValueError("tasks are no list")
    return tasks
