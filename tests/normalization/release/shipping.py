"""What the tests of this folder share: names of what is shipped, and ways to change its curves."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from taskset.normalization import store
from taskset.normalization.store import columns, packing, sha256_sums

LIST = ("nadamw_grid_seed251", "nadamw_grid_seed611")
KEY = ["task", "source", "horizon", "optimizer", "seed", "step"]
ORIGIN = {"name": "mnist", "version": "3.0.1", "checksum": "0f"}


def sort(frame):
    frame = frame.astype({"task": str, "optimizer": str, "source": str, "family": str})
    return frame.sort_values(KEY).reset_index(drop=True)


def curve_file(root, family="quadratic_family", group="adam_lr3_steps20_seeds2_batches2", source="none"):
    return Path(root, "curves", f"source={source}", f"family={family}", f"{group}.parquet")


def resum(root):
    sha256_sums.write(root)


def change_curves(root, change):
    """Rewrite the curves of one file through `change(DataFrame)`, with sums that fit."""
    path = curve_file(root)
    metadata = {k: v for k, v in store.read_metadata(path).items() if k != "rows"}
    tables = []
    for _, group in packing.parts(path):
        frame = packing.read_part(path, group).to_pandas().astype({"task": str, "optimizer": str})
        if frame["task"].iloc[0] == "quadratic_family_seed2":
            frame = change(frame)
        tables.append(pa.Table.from_pandas(frame, columns.STORED, preserve_index=False))
    packing.write_packed(path, tables, metadata)
    resum(root)


def put(column, value, **where):
    def change(frame):
        rows = np.logical_and.reduce([frame[name] == wanted for name, wanted in where.items()])
        assert rows.any()
        frame.loc[rows, column] = value
        return frame

    return change


def drop(**where):
    return lambda frame: frame[~np.logical_and.reduce([frame[name] == wanted for name, wanted in where.items()])]
