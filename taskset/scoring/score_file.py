"""scores.json: a `Standing` that another lab can read and compare.

{"format": "taskset scores", "format_version": 1, "taskset_version": "0.2.0", "suite": "1h:1", "horizon": 2000, "view": "end",
 "seeds": 2, "batches": 5, "optimizer": {"name": .., "hyperparameters": [..], "code": ..}, "machine": ..,
 "rows": [{"title": .., "trials": 1, "own": true, "diverged": 0, "runs": 20, "milliseconds": .2,
           "relative_cost": 1.1, "speed_up": {"median": [value, low, high], "tasks": {"mlp_family_seed1": 1.4, ..}},
           "train": {"mean": [value, low, high], .., "won": .5, "tasks": {"mlp_family_seed1": .31, ..}}, "test": {..}}, ..],
 "scales": {"mlp_family_seed1": "9f86d081884c", ..}}

batches: of each split in an evaluation; files of before taskset 0.2.2 lack them, as they do the scales.
scales: digests of those that a task's losses are normalized by: a suite that is a rule has others when its baselines grow.
relative_cost: of a step, Adam's being 1; speed_up: against tuned Adam (`taskset.scoring.speedup.relative_speed`).
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from taskset.errors import ConfigError, StoreError, counted
from taskset.execution import machine
from taskset.files import read_json, readable, write_text
from taskset.scoring import alike, row_json, statistics
from taskset.scoring.candidates import Candidate
from taskset.scoring.standing import Standing
from taskset.version import __version__

FORMAT = "taskset scores"
SAME = ("suite", "horizon", "view")


def as_json(standing: Standing, candidate: Candidate, seeds: int, batches: int) -> dict[str, Any]:
    """A standing as JSON values."""
    rows = [row_json.written(row, standing.tuned) for row in standing.rows]
    values: dict[str, Any] = {"format": FORMAT, "format_version": 1, "taskset_version": __version__, "suite": standing.suite}
    values |= {"horizon": standing.horizon, "view": standing.view, "seeds": seeds, "batches": batches}
    values |= {"machine": machine.kind(), "optimizer": {"name": candidate.name, **candidate.as_json()}}
    values |= {"rows": rows, "notes": standing.notes}
    values["scales"] = {task: _digest(standing, task) for task in standing.tasks}
    return json.loads(json.dumps(values))


def _digest(standing: Standing, task: str) -> str:
    """Of the scales of a task's losses, on all splits."""
    found = sorted((split, float(initial), float(best)) for (of, split), (initial, best) in standing.scales.items() if of == task)
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()[:12]


def write(standing: Standing, candidate: Candidate, seeds: int, batches: int, path: str | Path) -> None:
    """Write scores.json."""
    write_text(json.dumps(as_json(standing, candidate, seeds, batches), indent=1) + "\n", path)


def read(path: str | Path) -> dict[str, Any]:
    """The values in a scores.json, or that of a directory, with "rows" as `Row`s. Raises `StoreError`."""
    path = Path(path)
    if path.is_dir():
        path = path / "scores.json"
        if not path.exists():
            raise StoreError(f"{path.parent} has no scores.json: give what `python -m taskset score` wrote")
    with readable(path, "make a scores.json with `python -m taskset score`"):
        found = read_json(path)
        if found["format"] != FORMAT or found["format_version"] != 1:
            raise ValueError("another format")
        rows = [row_json.read(row) for row in found["rows"]]
        if not all(isinstance(found[key], kind) for key, kind in zip(SAME, (str, int, str))) or not any(row.own for row in rows):
            raise ValueError("no rows of an optimizer of its own")
        if not isinstance(found.get("scales", {}), dict):
            raise ValueError("scales are no object")
        return {**found, "rows": rows}


def differences(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """Lines that compare two files (`read`): each pair of their optimizers' rows with the same number of trials.

    The difference is that of the normalized losses of the same tasks, the second's minus the first's: negative where the second
    is better. Raises: ConfigError where suites, horizons, views or numbers of seeds differ, or a common task's scales do.
    """
    for key in (*SAME, "seeds"):
        if first.get(key) != second.get(key):
            raise ConfigError(
                f"{key} is {first.get(key)!r} in one file and {second.get(key)!r} in the other: compare scores of one {key}"
            )
    _check_scales(first, second)
    lines, counts = [], []
    for a in (row for row in first["rows"] if row.own):
        for b in (row for row in second["rows"] if row.own and row.trials == a.trials):
            for split in a.values:
                tasks = [task for task in a.values[split] if task in b.values.get(split, {})]
                if not tasks:
                    continue
                counts.append(len(tasks))
                one, other = (np.array([row.values[split][task] for task in tasks]) for row in (a, b))
                apart = other - one
                lines.append(
                    f"{b.title} - {a.title}, {counted(a.trials, 'trial')}, {split} loss, {counted(len(tasks), 'task')}: "
                    f"mean {statistics.estimate(apart).text('+.3f')}, median {np.median(apart):+.3f}; "
                    f"{b.title} is below on {statistics.won(other, one):.0%}"
                )
    if not lines:
        raise ConfigError("the files have no trials or tasks in common: score both with the same --trials and --split")
    each = [{task for row in file["rows"] if row.own for task in row.values.get("train", {})} for file in (first, second)]
    if alone := len(each[0] ^ each[1]):
        lines.append(f"left out: {counted(alone, 'task')} that one of the files alone has")
    if not ("scales" in first and "scales" in second):
        lines.append("whether losses are normalized by the same scales isn't known: a file of before taskset 0.2.2 doesn't say")
    return [*lines, *_batches(first, second), *statistics.narrow(counts)]


def _batches(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """A note where the two have unequal numbers of batches in an evaluation, or where one doesn't say how many."""
    counts = [file["batches"] for file in (first, second) if "batches" in file]
    if len(counts) < 2:
        return ["whether evaluations have as many batches isn't known: a file of before taskset 0.2.2 doesn't say"]
    return alike.batches_notes(dict(zip(("the first file", "the second"), counts)), [])


def _check_scales(first: dict[str, Any], second: dict[str, Any]) -> None:
    """Raise `ConfigError` where losses of a task are normalized by different scales."""
    mine, theirs = first.get("scales", {}), second.get("scales", {})
    different = [task for task in mine if task in theirs and mine[task] != theirs[task]]
    if different:
        raise ConfigError(
            f"the scales of {different[0]!r} are not the same in both files ({counted(len(different), 'such task')}): "
            "allowed are those of the same baselines; score one of them once more, with the taskset of the other"
        )
