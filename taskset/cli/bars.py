"""The progress bar of work that is divided into jobs, such as the tasks of a sweep."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from taskset.errors import cut

if TYPE_CHECKING:
    from taskset.jobs.pool import Progress as Done

EVERY = 30.0  # seconds between lines where there is no terminal, as long as a tenth of the time that has passed is less
INTERRUPTED = "interrupted; what is finished is kept: the same command resumes from there"


class _Lines:
    """Lines of progress for a log: one after EVERY seconds at most, and ever fewer as the work goes on."""

    def __init__(self) -> None:
        self.began = self.last = time.monotonic()

    def due(self, finished: int, whole: int | None, at_work: str) -> str | None:
        """The line, where it is time for one."""
        now = time.monotonic()
        if now - self.last < max(EVERY, 0.1 * (now - self.began)):
            return None
        self.last = now
        of = "" if whole is None else f" of {whole}"
        return cut(f"{finished}{of} finished after {timedelta(seconds=round(now - self.began))}; at work: {at_work or '-'}", 80)


@contextlib.contextmanager
def jobs(console: Console, err: Console, before: int = 0, total: int | None = None) -> Iterator[Callable[[Done], None]]:
    """A bar on `console`, moved by a function that is called with each `Done`; what fails is said on `err` when it does.

    before: jobs that were finished earlier, which count as well; total: how many there are without them, where that is known
    before the work begins. The bar is there from the first call on: what is not allowed has been said by then. Where `console` is
    no terminal, a line on `err` says now and then how far the work is. Where it is interrupted, a line says what the same command
    does.
    """
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=False),
        TextColumn("{task.description}"),
    )
    bar, said, lines = Progress(*columns, console=console, speed_estimate_period=600), set(), _Lines()
    with contextlib.ExitStack() as stack:

        def report(done: Done) -> None:
            if not bar.task_ids:
                stack.enter_context(bar)
                bar.add_task("", completed=before, total=None)
            for name in [name for name in done.failed if name not in said]:
                said.add(name)
                err.print(f"failed {name}: {done.failed[name]}", markup=False)
            count = before + len(done.finished) + sum(done.working.values())  # a failed one is not done
            known = total if done.total is None else done.total
            whole = None if known is None else before + known
            bar.update(bar.task_ids[0], completed=round(count, 3), total=whole, description=done.at_work())
            if not console.is_terminal and (line := lines.due(before + len(done.finished), whole, done.at_work())):
                err.print(line, markup=False)

        try:
            yield report
        except KeyboardInterrupt:
            stack.close()
            err.print(INTERRUPTED)
            raise
