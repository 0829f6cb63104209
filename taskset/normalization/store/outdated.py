"""What is said of curves and normalizers that are out of date, as their tasks changed since they were computed."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from taskset import changes
from taskset.errors import OutdatedBaselines


def tasks_and_versions(left_out: Iterable[tuple[str, str]]) -> str:
    """(task, version) pairs in a few words."""
    tasks = sorted({task for task, _ in left_out})
    shown = tasks[0] if len(tasks) == 1 else f"{len(tasks)} tasks"
    return f"{shown} ({', '.join(sorted({version for _, version in left_out}))})"


def by_version(left_out: Iterable[tuple[str, str]]) -> str:
    """The arguments that give what was left out."""
    return " or ".join(f'version="{asked}"' for asked in sorted({changes.asked_by(version) for _, version in left_out}))


def outdated_line(what: str, task: str, version: str) -> str:
    """The error line for a task that only an older version computed something of."""
    reasons, asked = ", ".join(change.key for change in changes.of_task(task)), changes.asked_by(version)
    return (
        f"the {what} of task {task!r} are {changes.made_before(task, None, version)} ({reasons}): "
        f'pass version="{asked}" to have them as they are, or recompute them with `python -m taskset baseline {task}`'
    )


def warn_left_out(what: str, left_out: set[tuple[str, str]], stacklevel: int) -> None:
    """Warn, with one line, that {(task, version)} were left out. stacklevel: as of `warnings.warn`; 2 is whoever calls this."""
    warnings.warn(
        f"{what} of {tasks_and_versions(left_out)} left out: the tasks changed since; {by_version(left_out)} gives them",
        OutdatedBaselines,
        stacklevel=stacklevel,
    )
