"""Curves of what is judged on tasks, a candidate or a checkpoint: files carry its mark, and are never taken for another's."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from taskset.catalogue import get_task
from taskset.errors import StoreError
from taskset.normalization import store
from taskset.normalization.store import file_metadata
from taskset.normalization.sweep.curves import Curves, metadata_of
from taskset.normalization.sweep.options import SweepOptions
from taskset.normalization.sweep.provenance import changed_code
from taskset.normalization.sweep.resume import WAY_OUT, check_finished, settling, task_file
from taskset.normalization.sweep.runner import Account, run_all

if TYPE_CHECKING:
    from taskset.optimizers.base import Optimizer


@dataclass(frozen=True)
class Mark:
    """key, value: what a file's metadata say of whose curves it has; others: what curves with another value are called.

    code: {what: digest of its code} of what a user registered, beside that of `provenance.own_code`.
    """

    key: str
    value: str
    others: str
    code: dict[str, str] = field(default_factory=dict)


class Opens(Protocol):
    """What is judged as worker processes are given it: pickled, a module-level class with plain fields."""

    def opened(self) -> Judged:
        """It with its code, as that is now."""
        ...


class Judged(Protocol):
    """What is judged."""

    def mark(self) -> Mark:
        """What its curves are marked by."""
        ...

    def claim(self, root: str | Path, options: SweepOptions) -> None:
        """Record in `root` that it holds curves of this and of these options. Raises StoreError where it holds others."""
        ...

    def optimizers(self, options: SweepOptions) -> Sequence[Optimizer]:
        """The optimizers whose runs are its curves, by the names in `options`."""
        ...


def plan(judged: Judged, tasks: Iterable[str], options: SweepOptions, root: str | Path) -> list[str]:
    """The tasks that have no curves under `root` yet, which is claimed. Raises StoreError where it holds other results."""
    with settling(root):
        judged.claim(root, options)
    return _waiting(tasks, options, root, judged.mark())


def _waiting(tasks: Iterable[str], options: SweepOptions, root: str | Path, mark: Mark) -> list[str]:
    """The tasks without a file. Raises `StoreError` where a file has anything but what is asked for."""
    found = []
    for name in tasks:
        file = task_file(root, name, options)
        if not file.path.exists():
            found.append(name)
            continue
        there = store.read_metadata(file.path)
        check_finished(file, there, options.as_json())
        if there.get(mark.key) != mark.value:
            raise StoreError(f"{file.path} has curves of {mark.others}: {WAY_OUT}")
        if changed := changed_code(file_metadata.own_code(file.path, there), mark.code):
            raise StoreError(
                f"{file.path} was made with other code of {changed[0]}: delete it to compute it again, or use another --out"
            )
    return found


@dataclass(frozen=True)
class MarkedWork:
    """A `taskset.jobs.engines.Work`: the runs of what is judged on each task, into `root`."""

    judged: Opens
    options: SweepOptions
    root: str
    data_dir: str | Path | None = None

    @contextlib.contextmanager
    def begin(self, job: str) -> Iterator[None]:
        """A run needs nothing of what the directory has."""
        del job
        yield

    def compute(self, job: str, given: None, report: Callable[[float], object] = lambda share: None) -> Curves:
        """The marked curves of the task; the optimizers are made once it is built."""
        from taskset.execution.loop import execution_mode

        del given
        account, total, judged = Account(), Account(), self.judged.opened()
        mark = judged.mark()
        with total("total"):
            with account("build"):
                task = get_task(job, self.options.source, self.data_dir)
            table = run_all(task, judged.optimizers(self.options), self.options, report, account)
        stored = metadata_of(task, self.options, execution_mode(task), {**account.seconds, **total.seconds})
        code = {**file_metadata.own_code("", stored), **mark.code}
        return Curves(table, {**stored, mark.key: mark.value, **({"own_code": json.dumps(code)} if code else {})})

    def keep(self, job: str, result: Curves) -> None:
        """Write the task's file, whole or not at all."""
        del job
        with settling(self.root):
            # Once more: another process may have been first to have curves here.
            self.judged.opened().claim(self.root, self.options)
            result.write(self.root)
