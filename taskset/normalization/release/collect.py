"""What `data ship` merges: the curves of each task under given directories."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from taskset import changes
from taskset.errors import StoreError
from taskset.normalization import store
from taskset.normalization.release import merged
from taskset.normalization.release.conflicts import check_runs
from taskset.normalization.release.groups import group_key, order
from taskset.normalization.release.stored_curves import StoredCurves, same
from taskset.normalization.store import packing

_ONCE = ("task", "family", "source", "config", "options")  # what no curve file can be without


def find(roots: Iterable[str | Path]) -> list[StoredCurves]:
    """All `StoredCurves` under directories made by `baseline`, `data import-npz` or `data ship`, by task and group.

    Curves that are in two places, equal in every value, are taken once. Curves of a task that changed since they were
    computed are left out where there are some of today's task. Raises StoreError: a directory without curves, a file that is
    broken or doesn't say how it was made, a merge that was interrupted; `check_runs`.
    """
    found: list[StoredCurves] = []
    for root in map(Path, roots):
        found += of_merged(root) if store.is_merged(root) else _of_sweep(root)
    found = without_outdated(_without_copies(found))
    check_runs(found)
    return sorted(found, key=order)


def _without_copies(found: list[StoredCurves]) -> list[StoredCurves]:
    kept: dict[tuple[Any, ...], list[StoredCurves]] = {}
    for curves in found:
        alike = kept.setdefault((curves.task, curves.source, group_key(curves.options)), [])
        if not any(same(curves, other) for other in alike):
            alike.append(curves)
    return [curves for alike in kept.values() for curves in alike]


def without_outdated(found: list[StoredCurves]) -> list[StoredCurves]:
    """`found` without those of before a task changed, where there are later ones of the same task and source."""
    old = [changes.outdated(c.task, c.source, c.version) for c in found]
    renewed = {(c.task, c.source) for c, is_old in zip(found, old) if not is_old}
    return [c for c, is_old in zip(found, old) if not is_old or (c.task, c.source) not in renewed]


def _of_sweep(root: Path) -> list[StoredCurves]:
    found = []
    for path in store.curve_files(root):
        metadata = store.read_metadata(path)
        lacking = [name for name in _ONCE if name not in metadata]
        if lacking:
            raise StoreError(
                f"{path} doesn't say its {lacking[0]}: pass the --out of `baseline`, `data import-npz` or `data ship`"
            )
        footer = packing.footer(path)
        found += [StoredCurves(path, group, task, metadata, footer) for task, group in packing.parts(path, footer)]
    return found


def of_merged(root: Path) -> list[StoredCurves]:
    """All `StoredCurves` under a directory that `data ship` or `data add` made, outdated ones included."""
    store.require_whole(root)
    stored, found = merged.stored(root), []
    for path in store.curve_files(root):
        source = path.parent.parent.name.removeprefix("source=")
        footer = packing.footer(path)
        own = _own_code_of(footer)
        for task, group in packing.parts(path, footer):
            if (metadata := stored.get((task, source, path.stem))) is None:
                raise StoreError(f"{path} has curves of {task} that {root / 'sweeps.parquet'} lacks: merge the sweeps again")
            found.append(StoredCurves(path, group, task, {**metadata, **own}, footer))
    if len(found) < len(stored):  # curves that were lost must not go unnoticed
        raise StoreError(f"{root / 'sweeps.parquet'} has {len(stored)} parts, the curves {len(found)}: merge the sweeps again")
    return found


def _own_code_of(footer: pq.FileMetaData) -> dict[str, str]:
    """{"own_code": text} of a merged file that says it; {} of others."""
    text = (footer.metadata or {}).get(b"own_code")
    return {} if text is None else {"own_code": text.decode()}
