"""Curve files made small, one task a row group; and reading any curve file task by task, in little memory."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from taskset.errors import StoreError
from taskset.normalization import store
from taskset.samplers.optimizers import all_optimizers

_KEYS = ["task", "optimizer", "seed", "horizon", "diverged"]
_FLOATS = ["train", "valid_inner", "valid_outer", "test", "seconds"]
# Measured on curves of quadratic and losg tasks: 735 bytes a curve of 51 evaluations, against 1,280 with a writer's defaults.
# Sign and exponent hardly change along a curve, so splitting floats into streams of bytes is most of it. Statistics are for
# skipping row groups; those of losses would only be weight.
_FORMAT = {
    "compression": "zstd",
    "compression_level": 19,
    "use_dictionary": [k for k in _KEYS if k != "diverged"],
    "column_encoding": {**{name: "BYTE_STREAM_SPLIT" for name in _FLOATS}, "step": "DELTA_BINARY_PACKED"},
    "write_statistics": ["task", "optimizer", "horizon"],
}


def write_packed(path, tables, metadata):
    """Write curves of several tasks into one file: a row group each, in the order given; values are kept to the last bit.

    tables: iterable of Arrow tables (`store.SCHEMA`); metadata: {name: text}.
    """
    with store.whole_file(path) as temporary:
        with pq.ParquetWriter(temporary, store.SCHEMA.with_metadata(metadata), **_FORMAT) as writer:
            for table in tables:
                writer.write_table(_fresh(table), row_group_size=max(len(table), 1))


def _fresh(table):
    """The table with dictionaries of its own names only: those of a larger table would be written along."""
    columns = {
        name: table[name].cast(pa.string()) if pa.types.is_dictionary(table[name].type) else table[name]
        for name in store.SCHEMA.names
    }
    return pa.table(columns).cast(store.SCHEMA).combine_chunks()


def parts(path):
    """Which tasks a curve file has, and where: a list of (task, row group). `StoreError` for a file of another kind."""
    file = _open(path)
    found = []
    for group in range(file.num_row_groups):
        tasks = _read(path, lambda: file.read_row_group(group, columns=["task"]))["task"].unique().to_pylist()
        if len(tasks) != 1:
            raise StoreError(f"{path}: row group {group} has {len(tasks)} tasks; there has to be one")
        found.append((tasks[0], group))
    return found


def read_part(path, group):
    """One row group of a curve file as an Arrow table."""
    return _read(path, lambda: _open(path).read_row_group(group))


def read_task(places):
    """The curves of one task as a DataFrame, from its places: (path, row group) pairs."""
    return pa.concat_tables([read_part(*place) for place in places], promote_options="none").to_pandas()


def _read(path, read):
    try:
        return read()
    except (pa.ArrowInvalid, OSError) as error:
        raise store.broken(path) from error


def _open(path):
    file = _read(path, lambda: pq.ParquetFile(path))
    if not file.schema_arrow.remove_metadata().equals(store.SCHEMA):
        raise StoreError(f"{path} is no curve file: its columns are {', '.join(file.schema_arrow.names)}")
    return file


def optimizer_order():
    """{name: place} in the order in which optimizers are listed."""
    return {name: place for place, name in enumerate(all_optimizers())}


def in_order(table):
    """The rows of one task sorted by (optimizer as listed, seed, step)."""
    order = optimizer_order()
    names = table["optimizer"].cast(pa.string()).to_pylist()
    place = pa.array([order.get(name, len(order)) for name in names], pa.int32())
    keys = [("place", "ascending"), ("name", "ascending"), ("seed", "ascending"), ("step", "ascending")]
    sorting = pa.table({"place": place, "name": names, "seed": table["seed"], "step": table["step"]})
    return table.take(pc.sort_indices(sorting, sort_keys=keys))
