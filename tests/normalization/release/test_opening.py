"""Shipped curves in pandas, polars and DuckDB, and without TensorFlow."""

import subprocess
import sys

import pandas as pd
import pyarrow.parquet as pq
import pytest

import taskset
from taskset.normalization.store import columns


def expected_mean(root):
    frame = taskset.load_curves(root=root)
    return (
        frame.loc[(frame["source"] == "none") & (frame["family"] == "quadratic_family") & ~frame["diverged"], "test"]
        .astype(float)
        .mean()
    )


@pytest.mark.smoke
def test_opens_in_pandas(shipped):
    frame = pd.read_parquet(shipped / "curves")
    part = frame[(frame["source"] == "none") & (frame["family"] == "quadratic_family") & ~frame["diverged"]]
    assert part["test"].astype(float).mean() == pytest.approx(expected_mean(shipped)) and len(frame) == len(
        taskset.load_curves(root=shipped)
    )


def test_opens_in_polars(shipped):
    polars = pytest.importorskip("polars", reason="polars is not installed")
    frame = polars.scan_parquet(f"{shipped}/curves/**/*.parquet", hive_partitioning=True)
    part = frame.filter((polars.col("source") == "none") & (polars.col("family") == "quadratic_family") & ~polars.col("diverged"))
    assert part.select(polars.col("test").cast(polars.Float64).mean()).collect().item() == pytest.approx(expected_mean(shipped))
    for name in (*columns.TABLES, "optimizers"):
        assert polars.read_parquet(shipped / f"{name}.parquet").height == pq.read_metadata(shipped / f"{name}.parquet").num_rows


def test_opens_in_duckdb(shipped):
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    files = f"read_parquet('{shipped}/curves/**/*.parquet', hive_partitioning=true)"
    where = "source = 'none' and family = 'quadratic_family' and not diverged"
    mean = duckdb.sql(f"select avg(test::double) from {files} where {where}").fetchall()[0][0]
    assert mean == pytest.approx(expected_mean(shipped))
    for name in (*columns.TABLES, "optimizers"):
        count = duckdb.sql(f"select count(*) from '{shipped}/{name}.parquet'").fetchall()[0][0]
        assert count == pq.read_metadata(shipped / f"{name}.parquet").num_rows


def test_loading_needs_no_tensorflow(shipped):
    code = (
        "import sys, taskset; taskset.load_curves(task='TwoD_Bowl10', root=sys.argv[1]); taskset.load_tasks(sys.argv[1]);"
        "taskset.normalizer('TwoD_Bowl10', horizon=20, root=sys.argv[1]); print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, shipped], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
