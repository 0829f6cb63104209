"""A `Row` as JSON values, and back."""

from __future__ import annotations

from typing import Any

from taskset.scoring.rows import Row


def written(row: Row, tuned: Row | None) -> dict[str, Any]:
    """{"title", "key", "trials", "own", "diverged", "runs", "milliseconds", "relative_cost", "speed_up", "train", "test"}.

    tuned: the row that `won` compares with, None where there is none.
    """
    one: dict[str, Any] = {
        "title": row.title,
        "key": row.key,
        "trials": row.trials,
        "own": row.own,
        "diverged": row.diverged,
        "runs": row.runs,
        "milliseconds": row.milliseconds,
        "relative_cost": row.relative,
        "speed_up": {"median": row.speed_up(), "tasks": dict(row.speeds)} if row.speeds else None,
    }
    for split, values in row.values.items():
        comparable = tuned is not None and set(values) <= set(tuned.values[split])
        won = row.won(split, tuned) if tuned is not None and comparable else None
        one[split] = {**row.summary(split), "won": won, "tasks": values}
    return one


def read(values: Any) -> Row:
    """The `Row` of what `written` returns. Raises: ValueError, KeyError, TypeError, AttributeError for anything else."""
    losses = {split: _numbers(values[split]["tasks"]) for split in ("train", "test") if split in values}
    speed_up = values.get("speed_up")
    return Row(
        title=str(values["title"]),
        trials=int(values["trials"]),
        values=losses,
        diverged=int(values["diverged"]),
        runs=int(values["runs"]),
        milliseconds=_optional(values.get("milliseconds")),
        own=values["own"] is True,
        speeds=_numbers(speed_up["tasks"]) if speed_up else None,
        relative=_optional(values.get("relative_cost")),
        key=str(values.get("key", "")),  # of before 0.2.2: without
    )


def _numbers(values: Any) -> dict[str, float]:
    return {str(task): float(value) for task, value in values.items()}


def _optional(value: Any) -> float | None:
    return None if value is None else float(value)
