"""The tables beside the curves: tasks, optimizers and normalizers, made from the curve files alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from taskset import catalogue, registry
from taskset.errors import StoreError, UnknownName
from taskset.files import make_directory
from taskset.jobs import claims
from taskset.normalization import store
from taskset.normalization.normalizer import fit
from taskset.normalization.store import file_metadata, layout, packing
from taskset.normalization.store.columns import OPTIMIZER
from taskset.samplers.optimizers import get_optimizer_config

if TYPE_CHECKING:
    import pandas as pd


def task_row(name: str, family: str, config: dict[str, Any], facts: registry.Facts) -> dict[str, Any]:
    """What tasks.parquet has of one task, without its cost."""
    parsed = registry.parse(name)
    return {
        "task": name,
        "family": family,
        "seed": parsed[1] if parsed and parsed[0] == family else None,
        "config": json.dumps(config),
        "dataset": getattr(facts.data, "name", None),
        "feasible": facts.infeasible is None,
        "reason": facts.infeasible,
        "num_params": facts.num_params,
    }


def tasks_frame(root: str | Path) -> pd.DataFrame:
    """One row per task under `root`, with the cost measured by its sweep."""
    import pandas as pd

    rows = []
    for path in store.finished_files(root):
        metadata = store.read_metadata(path)
        config = file_metadata.config(path, metadata)
        family, name, source = (file_metadata.text(path, metadata, key) for key in ("family", "task", "source"))
        try:
            catalogue.check_config(family, config)
            facts = catalogue.facts(family, config)
        except UnknownName:  # a family registered elsewhere: what the sweep stored is enough
            facts = registry.Facts()
        row = task_row(name, family, config, facts)
        row["num_params"] = num_params_of(path, metadata, row["num_params"])
        row["source"] = source
        row["ms_per_step"] = milliseconds(packing.read_task(packing.places(path)))
        rows.append(row)
    frame = pd.DataFrame(rows).drop_duplicates(["task", "source"])  # published curves have a file for each optimizer family
    return frame.astype({"seed": "Int32", "num_params": "Int64"})


def num_params_of(path: Path, metadata: Mapping[str, str], from_facts: int | None) -> int | None:
    """The number of a task's parameters: what the metadata of its curves says, else that `from_facts`."""
    stored = file_metadata.whole_number(path, metadata, "num_params")
    return from_facts if stored is None else stored


def milliseconds(curves: pd.DataFrame) -> float:
    """The median over a task's runs of milliseconds per step, of those that took any; NaN where none did.

    curves: a DataFrame of stored columns (`columns.STORED`).
    """
    moved = curves[~curves["diverged"] & (curves["step"] > 0)]
    return float((1000 * moved.groupby(["optimizer", "seed"], observed=True)["seconds_per_step"].first()).median())


def optimizers_frame(names: Iterable[str]) -> pd.DataFrame:
    """One row per optimizer: name, family, and a column for each hyperparameter (empty where it has none of that name).

    Only the name is known of an optimizer that isn't the package's (a learned one, one of the user's own).
    """
    import pandas as pd

    rows = []
    for name in names:
        try:
            config, family = get_optimizer_config(name)
        except UnknownName:
            config, family = {}, None
        rows.append({"optimizer": name, "family": family, **{k: float(v) for k, v in config.items()}})
    return pd.DataFrame(rows, columns=None if rows else ["optimizer", "family"])


def optimizer_table(names: Sequence[str]) -> pa.Table:
    """`optimizers_frame` as an Arrow table."""
    frame = optimizers_frame(names)
    kinds = [(name, pa.string() if name in OPTIMIZER else pa.float64()) for name in frame]
    return pa.Table.from_pandas(frame, pa.schema(kinds), preserve_index=False)


def write_tables(root: str | Path) -> pd.DataFrame:
    """Make tasks.parquet, optimizers.parquet and normalizers.parquet from the curves under `root`; returns the normalizers.

    Normalizers are those of today's tasks: curves from before a task changed have none. Processes that share a directory make its
    tables one after the other: one that read the curves earlier would else write over the tables of one that saw more of them.
    Raises StoreError: no curves, a damaged file, or merged baselines, whose tables also say how each sweep was made.
    """
    if store.is_merged(root):
        raise StoreError(
            f"{root} holds merged baselines, whose tables `data ship` and `data add` make: give the --out of `baseline`"
        )
    if store.is_judged(root):
        raise StoreError(f"{root} has results of `score` or `evaluate`, which are normalized by baselines: give a sweep's --out")
    store.curve_files(root)  # raises where there is nothing: the turn makes directories
    make_directory(root)
    try:
        with claims.turn(root, "tables"):
            return _write_tables(root)
    finally:
        claims.tidy(root)


def _write_tables(root: str | Path) -> pd.DataFrame:
    curves = store.load_curves(root=root)
    normalizers = fit(curves)
    tables = {
        "tasks": pa.Table.from_pandas(tasks_frame(root), preserve_index=False),
        "optimizers": with_earlier_rows(optimizer_table(sorted(curves["optimizer"].astype(str).unique())), [root]),
        "normalizers": pa.Table.from_pandas(normalizers, preserve_index=False),
    }
    for name, table in tables.items():
        store.write_table(table, Path(root) / f"{name}.parquet")
    return normalizers


def with_earlier_rows(table: pa.Table, roots: Iterable[str | Path]) -> pa.Table:
    """An optimizers table in which users' own optimizers that aren't registered now keep their rows in the roots' tables.

    Raises StoreError where two of these say different hyperparameters of one name.
    """
    import pandas as pd

    frame = table.to_pandas().set_index("optimizer")
    unknown = [name for name, row in frame.iterrows() if row.isna().all() and registry.own_optimizer(str(name)) is None]
    kept: dict[str, tuple[dict[str, Any], Path]] = {}  # {name: (what is known of it, the root)}
    for root in map(Path, roots if unknown else ()):
        if (root / layout.OPTIMIZERS).exists():
            earlier = store.read_table(root / layout.OPTIMIZERS).to_pandas().set_index("optimizer")
            for name, row in earlier.loc[earlier.index.intersection(unknown)].iterrows():
                known = row.dropna().to_dict()
                there, where = kept.setdefault(str(name), (known, root)) if known else ({}, root)
                if known != there:
                    raise StoreError(f"{name} has different hyperparameters in {where} and {root}: pass one of them")
    whole = pd.DataFrame.from_dict({name: known for name, (known, _) in kept.items()}, orient="index")
    if whole.empty:
        return table
    frame = frame.reindex(columns=frame.columns.union(whole.columns, sort=False))
    frame.loc[whole.index, whole.columns] = whole
    kinds = [(name, pa.string() if name in OPTIMIZER else pa.float64()) for name in ("optimizer", *frame)]
    return pa.Table.from_pandas(frame.reset_index(), pa.schema(kinds), preserve_index=False)
