"""Curves of what is judged on tasks, a candidate or a checkpoint: files carry its mark, and are never taken for another's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from taskset import catalogue
from taskset.errors import StoreError
from taskset.normalization import store
from taskset.normalization.sweep.resume import check_finished
from taskset.normalization.sweep.runner import Account, Curves, SweepOptions, metadata, sweep

if TYPE_CHECKING:
    from taskset.optimizers.base import Optimizer


@dataclass(frozen=True)
class Mark:
    """key, value: what a file's metadata say of whose curves it has; others: what curves with another value are called."""

    key: str
    value: str
    others: str


def waiting(tasks: Iterable[str], options: SweepOptions, root: str | Path, mark: Mark) -> list[str]:
    """The tasks without a file under `root`. Raises `StoreError` where a file has anything but what is asked for."""
    found = []
    for name in tasks:
        family, config = catalogue.resolve(name)
        facts = catalogue.facts(family, config)
        source = options.source_of(facts)
        path = store.curve_path(root, source, family, name)
        if not path.exists():
            found.append(name)
            continue
        there = store.read_metadata(path)
        check_finished(path, there, name, family, source, config, facts, options.as_json())
        if there.get(mark.key) != mark.value:
            raise StoreError(f"{path} has curves of {mark.others}: delete it to compute it again, or use another --out")
    return found


def curves(
    name: str,
    make: Callable[[], Sequence[Optimizer]],
    options: SweepOptions,
    mark: Mark,
    data_dir: str | Path | None = None,
    report: Callable[[float], object] = lambda share: None,
) -> Curves:
    """The marked `Curves` of one task, of the optimizers that `make` gives once the task is built."""
    from taskset.catalogue import get_task
    from taskset.execution.loop import execution_mode

    account, total = Account(), Account()
    with total("total"):
        with account("build"):
            task = get_task(name, options.source, data_dir)
        table = sweep(task, make(), options, report, account)
    stored = metadata(task, options, execution_mode(task), {**account.seconds, **total.seconds})
    return Curves(table, {**stored, mark.key: mark.value})
