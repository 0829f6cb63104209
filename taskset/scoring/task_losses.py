"""The tasks on which a candidate gains most on tuned Adam, and those on which it loses most, by normalized train loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from taskset.errors import cut
from taskset.files.markdown import table
from taskset.scoring.standing import Standing

MOST = 3  # tasks of each kind
TITLES = "gained most", "lost most"
BESIDE = "tuned Adam"
WIDTHS = 47, 16, 12  # letters of the columns on the terminal


@dataclass(frozen=True)
class TaskLoss:
    """The losses of the candidate, with all its trials, and of tuned Adam on a task: means over seeds."""

    task: str
    mine: float
    adam: float


def extremes(standing: Standing) -> tuple[list[TaskLoss], list[TaskLoss]]:
    """(those gained most, those lost most), the largest difference first, at most MOST of each.

    Both are empty where the candidate or tuned Adam has no row, or no train losses: of baselines alone there is no candidate.
    """
    mine, adam = (row.values.get("train", {}) if row else {} for row in (_own(standing), standing.tuned))
    found = [TaskLoss(task, loss, adam[task]) for task, loss in mine.items() if task in adam]
    found.sort(key=lambda one: one.mine - one.adam)
    gained = [one for one in found if one.mine < one.adam]
    lost = [one for one in reversed(found) if one.mine > one.adam]
    return gained[:MOST], lost[:MOST]


def terminal(standing: Standing) -> list[str]:
    """Lines of at most 80 characters: a block for the tasks gained, one for those lost; none where there are none."""
    return [line for header, rows in _blocks(standing) for line in ("", *(_line(*row) for row in [header, *rows]))]


def markdown(standing: Standing) -> list[str]:
    """The same as Markdown tables."""
    return [table(header, rows, right=[1, 2]) for header, rows in _blocks(standing)]


def _blocks(standing: Standing) -> Iterator[tuple[list[str], list[list[str]]]]:
    """(header, rows) of the tasks gained and of those lost, where there are any."""
    for title, tasks in zip(TITLES, extremes(standing)):
        if tasks:
            header = [f"train loss, {title}", _own(standing).title, BESIDE]
            yield header, [[one.task, _number(one.mine), _number(one.adam)] for one in tasks]


def _own(standing):
    """The candidate's row with all its trials; None where there is none."""
    return next((row for row in reversed(standing.rows) if row.own), None)


def _line(task: str, mine: str, adam: str) -> str:
    first, second, third = WIDTHS
    return f"{cut(task, first):<{first}} {cut(mine, second):>{second}} {adam:>{third}}"


def _number(loss: float) -> str:
    return f"{loss:.3f}" if abs(loss) >= 0.0005 or loss == 0 else f"{loss:.0e}"
