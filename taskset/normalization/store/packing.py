"""Curve files made small, one row group per task; and reading any curve file task by task, in little memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from taskset.errors import StoreError
from taskset.files import whole_file
from taskset.normalization.store import checked_parquet, layout
from taskset.normalization.store.columns import SCHEMA, STORED
from taskset.samplers.optimizers import all_optimizers

if TYPE_CHECKING:
    import pandas as pd

_KEYS = ["task", "optimizer", "seed", "horizon", "version"]
_FLOATS = ["train", "valid_inner", "valid_outer", "test", "seconds_per_step"]
# Sign and exponent hardly change along a curve, so splitting floats into streams of bytes is most of what a writer's defaults
# leave. Statistics are for skipping row groups; those of losses would only be weight.
_FORMAT = {
    "compression": "zstd",
    "compression_level": 19,
    "use_dictionary": _KEYS,
    "column_encoding": {**{name: "BYTE_STREAM_SPLIT" for name in _FLOATS}, "step": "DELTA_BINARY_PACKED"},
    "write_statistics": ["task", "optimizer", "horizon", "version"],
}


def write_packed(path: str | Path, tables: Iterable[pa.Table], metadata: dict[str, str]) -> None:
    """Write curves of several tasks into one file: a row group each, in the order given; values are kept to the last bit.

    tables: iterable of Arrow tables (`STORED`); metadata: {name: text}. Raises `StoreError` as `whole_file`.
    """
    schema = STORED.with_metadata(metadata)
    with whole_file(path) as temporary:
        checked_parquet.write((_fresh(table).cast(schema) for table in tables), schema, temporary, **_FORMAT)


def _fresh(table: pa.Table) -> pa.Table:
    """The table with dictionaries of its own names only: those of a larger table would be written along."""
    columns = {
        name: table[name].cast(pa.string()) if pa.types.is_dictionary(table[name].type) else table[name] for name in STORED.names
    }
    return pa.table(columns).cast(STORED).combine_chunks()


def parts(path: str | Path, metadata: pq.FileMetaData | None = None) -> list[tuple[str, int]]:
    """Which tasks a curve file has, and where: a list of (task, row group). `StoreError` for a file of another kind.

    metadata: the file's `footer`, if it was read already.
    """
    file, found = metadata or footer(path), []
    column = file.schema.to_arrow_schema().names.index("task")
    for group in range(file.num_row_groups):
        statistics = file.row_group(group).column(column).statistics
        if statistics is not None and statistics.has_min_max:
            tasks = sorted({statistics.min, statistics.max})
        else:
            tasks = checked_parquet.read(path, [group], ["task"], file)["task"].unique().to_pylist()
        if len(tasks) != 1:
            raise StoreError(f"{path}: row group {group} has several tasks ({', '.join(map(str, tasks))}); there has to be one")
        found.append((tasks[0], group))
    return found


def places(path: str | Path) -> list[tuple[str | Path, int]]:
    """The (path, row group) of all tasks in a curve file."""
    return [(path, group) for _, group in parts(path)]


def read_part(path: str | Path, group: int, metadata: pq.FileMetaData | None = None) -> pa.Table:
    """One row group of a curve file as an Arrow table (`STORED`, whatever the file's own layout).

    metadata: the file's `footer`, if it was read already: to read it takes longer than to read a row group.
    """
    file = metadata or footer(path)
    schema, table = file.schema.to_arrow_schema(), checked_parquet.read(path, [group], metadata=file)
    if layout.is_old(schema):
        table = layout.stored(table, layout.version_of(schema.metadata))
    return table.replace_schema_metadata(None)


def read_task(places: Iterable[tuple[str | Path, int]]) -> pd.DataFrame:
    """The curves of one task as a DataFrame of stored columns, from its places: (path, row group) pairs."""
    return pa.concat_tables([read_part(*place) for place in places], promote_options="none").to_pandas()


def footer(path: str | Path) -> pq.FileMetaData:
    """The metadata of a curve file, its sum verified. `StoreError` for a file of another kind."""
    file = checked_parquet.verify(path, groups=())
    names = file.schema.to_arrow_schema().remove_metadata()
    if not names.equals(STORED) and not names.equals(SCHEMA):
        raise StoreError(f"{path} is no curve file: its columns are {', '.join(names.names)}")
    return file


def optimizer_key() -> Callable[[str], tuple[int, str]]:
    """A sorting key of names of optimizers: in the order in which they are listed by now, then those that are not, by name."""
    order = {name: place for place, name in enumerate(all_optimizers())}
    return lambda name: (order.get(name, len(order)), name)


def in_order(table: pa.Table) -> pa.Table:
    """The rows of one task sorted by (optimizer as listed, seed, step)."""
    names, key = table["optimizer"].cast(pa.string()).to_pylist(), optimizer_key()
    places = {name: key(name)[0] for name in set(names)}  # many rows have few names
    place = pa.array([places[name] for name in names], pa.int32())
    keys = [("place", "ascending"), ("name", "ascending"), ("seed", "ascending"), ("step", "ascending")]
    sorting = pa.table({"place": place, "name": names, "seed": table["seed"], "step": table["step"]})
    return table.take(pc.sort_indices(sorting, sort_keys=keys))
