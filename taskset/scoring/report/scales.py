"""Which normalizer a setting has: that of a sweep among the directories, else that of the shipped baselines, else its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from taskset.datasets.base import SPLITS
from taskset.normalization import store
from taskset.normalization.store.outdated import tasks_and_versions

if TYPE_CHECKING:
    import pandas as pd

SETTING = ["task", "source", "horizon"]


def has_normalizers(root: str | Path | None) -> bool:
    """Whether a directory is that of a sweep with normalizers of its own; those of scores and evaluations have none."""
    return root is None or (Path(root) / "normalizers.parquet").exists()


def known_normalizers(roots: Sequence[str | Path | None]) -> pd.DataFrame:
    """The normalizers of sweeps, as `load_normalizers` gives them; of several for one setting, the first root's."""
    import pandas as pd

    frames = [store.normalizers_of(root)[0] for root in roots if has_normalizers(root)]
    return pd.concat(frames, ignore_index=True).drop_duplicates([*SETTING, "split"], ignore_index=True)


def left_out(roots: Sequence[str | Path | None]) -> str | None:
    """A line that says which tasks' results are left out, as the tasks changed since; None where none is."""
    old = set().union(*(store.normalizers_of(root)[1] for root in roots if has_normalizers(root)), set())
    return f"Left out: {tasks_and_versions(old)}, which changed since their runs were computed" if old else None


def of_longer_runs(normalizers: pd.DataFrame, settings: Iterable[tuple[str, str, int]]) -> pd.DataFrame:
    """Normalizers for settings without one of their own: those of the shortest longer runs of the same task and source.

    They have the settings' horizon, and a column `from_horizon`: the one that they were made for. Settings without any have none.
    """
    import pandas as pd

    wanted = pd.DataFrame(list(settings), columns=SETTING)
    longer = normalizers.rename(columns={"horizon": "from_horizon"}).merge(wanted, on=["task", "source"])
    longer = longer[longer["from_horizon"] > longer["horizon"]].sort_values("from_horizon")
    return longer.drop_duplicates([*SETTING, "split"])


def by_setting(normalizers: pd.DataFrame) -> pd.DataFrame:
    """One row per setting with columns "initial SPLIT" and "best SPLIT": NaN where a split can't be normalized."""
    rows = normalizers[normalizers["normalizable"]].astype({"task": str})
    wide = rows.pivot(index=SETTING, columns="split", values=["initial", "best"])
    wide = wide.reindex(columns=[(kind, split) for kind in ("initial", "best") for split in SPLITS])
    wide.columns = [f"{kind} {split}" for kind, split in wide.columns]
    return wide
