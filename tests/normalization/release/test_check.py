"""Checking: every kind of fault has to be seen."""

import re
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import taskset
from taskset.datasets.base import SPLITS
from taskset.normalization import store
from taskset.normalization.release.check import check
from taskset.normalization.store import sha256_sums
from tests.normalization import made_up_sweeps as made
from tests.normalization.release.shipping import change_curves, curve_file, drop, put, resum


@pytest.mark.smoke
def test_nothing_is_wrong_with_what_was_made(shipped, sweeps):
    assert check(shipped) == []
    assert check(sweeps[0]) == []


RUN = {"optimizer": "adam_lr_-1.00", "seed": 1}
FAULTS_OF_CURVES = {
    "not finite, and not diverged": put("test", np.nan, **RUN, step=10),
    "1 row with a loss that is not finite": put("train", np.inf, **RUN, step=20),
    "a loss that is not NaN": put("valid_outer", 1.0, optimizer="adam_lr_1.00", seed=0, step=20),
    "has diverged and then has not": lambda f: put("diverged", True, **RUN, step=10)(
        put(list(SPLITS), np.nan, **RUN, step=10)(f)
    ),
    "step 0 of seed 1 .* differs between optimizers": put("valid_inner", 2.5, **RUN, step=0),
    "seconds_per_step of run .* is not one number": put("seconds_per_step", 0.5, **RUN, step=5),
    "seconds_per_step that are negative or not finite": put("seconds_per_step", np.nan, **RUN, step=5),
    r"run \(horizon 20, adam_lr_-1.00, seed 1\) is missing": drop(**RUN),
    "rows; 6 runs of 5 evaluations have 30": drop(**RUN, step=15),
    "isn't evaluated at steps 0, 5 .. 20": put("step", 16, **RUN, step=15),
    "is not of the sweep's options": put("seed", 7, **RUN),
    "quadratic_family_seed2, none, 20, train: best is .*; the curves say -18": put("train", -39.0, **RUN, step=20),
}


@pytest.mark.parametrize("text", FAULTS_OF_CURVES)
def test_faults_of_curves_are_seen(few_tasks, copy, text):
    change_curves(copy, FAULTS_OF_CURVES[text])
    found = check(copy)
    assert any(re.search(text, line) for line in found), found
    assert all("\n" not in line for line in found) and all("seed11" not in line for line in found)


def edit_table(name, change):
    def edit(root):
        path = root / f"{name}.parquet"
        table = pq.read_table(path)
        frame = change(table.to_pandas())
        store.write_table(
            pa.Table.from_pandas(frame, table.schema, preserve_index=False).replace_schema_metadata(table.schema.metadata), path
        )
        resum(root)

    return edit


def flip_a_byte(root):
    path = root / "tasks.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_short(root):
    path = curve_file(root)
    path.write_bytes(path.read_bytes()[:-100])


def other_kind(root):
    store.write_table(pa.table({"x": [1]}).replace_schema_metadata(pq.read_schema(curve_file(root)).metadata), curve_file(root))


def moved(root):
    path = curve_file(root)
    to = curve_file(root, "mlp_family")
    to.parent.mkdir(parents=True)
    path.rename(to)
    resum(root)


FAULTS_OF_DIRECTORIES = {
    "tasks.parquet: its SHA-256 is not the one": flip_a_byte,
    "no complete Parquet file": cut_short,
    "is no curve file: its columns are x": other_kind,
    "its metadata says family 'quadratic_family', its path another": moved,
    "README.md: missing, and listed": lambda root: (root / "README.md").unlink(),
    "SHA256SUMS: missing": lambda root: (root / sha256_sums.NAME).unlink(),
    "mine.parquet: not listed": lambda root: shutil.copy(curve_file(root), curve_file(root).with_name("mine.parquet")),
    "is in .*: pass one of them": lambda root: shutil.copy(curve_file(root), curve_file(root).with_name("mine.parquet")),
    "normalizers.parquet: missing": lambda root: (root / "normalizers.parquet").unlink(),
    "quadratic_family_seed11, none, 20, test: initial is": edit_table(
        "normalizers", put("initial", 1.0, task="quadratic_family_seed11", split="test")
    ),
    "best_optimizer is not what": edit_table(
        "normalizers", put("best_optimizer", "adam_lr_1.00", task="TwoD_Bowl10", split="test")
    ),
    "no row for mlp_family_seed5, tfds, 20, train": edit_table("normalizers", drop(task="mlp_family_seed5", split="train")),
    "adam_lr_-1.00: learning_rate is not that": edit_table("optimizers", put("learning_rate", 0.2, optimizer="adam_lr_-1.00")),
    "nadamw_grid_seed251 is missing": edit_table("optimizers", drop(optimizer="nadamw_grid_seed251")),
    "tasks.parquet: mlp_family_seed3 is missing": edit_table("tasks", drop(task="mlp_family_seed3")),
    "quadratic_family_seed2: runs is 3; the curves have 16": edit_table("tasks", put("runs", 3, task="quadratic_family_seed2")),
    "its config is not that": edit_table("tasks", put("config", "{}", task="quadratic_family_seed2")),
    "a task stands there twice": edit_table("tasks", lambda f: pd.concat([f, f.tail(1)])),
    "sweeps.parquet: .*: rows is 7; the curves have 30": edit_table(
        "sweeps", put("rows", 7, task="quadratic_family_seed2", horizon=40)
    ),
    "sweeps.parquet: .*: no rows; the curves have some": edit_table("sweeps", drop(task="quadratic_family_seed2", horizon=40)),
}


@pytest.mark.parametrize("text", FAULTS_OF_DIRECTORIES)
def test_faults_of_directories_are_seen(few_tasks, copy, text):
    FAULTS_OF_DIRECTORIES[text](copy)
    found = check(copy)
    assert any(re.search(text, line) for line in found), found


WRONG = {
    "sweeps": {
        "taskset_version": "0.1.0",
        "diverged_runs": 0,
        "horizon": 99,
        "seeds": [7, 8],
        "optimizers": ["x"],
        "evaluations": 77,
        "batches": 9,
        "family": "z",
        "core_seconds": -1.0,
        "ms_per_step": -1.0,
    },
    "tasks": {"family": "z", "num_params": 5, "feasible": False, "reason": "so", "ms_per_step": 7.0, "seed": 3, "dataset": "q"},
}


@pytest.mark.parametrize("table, column", [(table, column) for table in WRONG for column in WRONG[table]])
def test_columns_of_merged_tables_that_are_wrong_are_seen(few_tasks, copy, table, column):
    def change(frame):
        wrong = frame["task"] == "quadratic_family_seed2"
        return frame.assign(**{column: [WRONG[table][column] if at else old for at, old in zip(wrong, frame[column])]})

    edit_table(table, change)(copy)
    place = f"{table}.parquet: .*quadratic_family" if column == "core_seconds" else f"{table}.parquet: quadratic_family_seed2"
    found = check(copy)
    assert found and any(re.match(f"{place}.*{column} ", line) for line in found), found
    assert all(re.match("(sweeps|tasks).parquet: (none, )?quadratic_family", line) and "\n" not in line for line in found)


def test_a_sweep_is_checked_against_its_options(few_tasks, tmp_path):
    root = made.write(tmp_path)
    assert check(root) == []
    store.write_options(root, made.options(steps=999, seeds=[0, 1, 2, 3]))  # it may be about to be extended by a seed
    assert any(re.search("made with steps 20, sweep.json has 999", line) for line in check(root))
    assert not any("made with seeds" in line for line in check(root))
    (root / "sweep.json").write_text('{"a": 1}')
    assert any("sweep.json" in line for line in check(root))


def test_a_core_second_too_many_is_seen(few_tasks, copy):
    edit_table("sweeps", put("core_seconds", 37.0, task="quadratic_family_seed2", horizon=20))(copy)
    assert "core_seconds are 73.0; the metadata says 72.0" in check(copy)[0]


def test_another_schema_is_seen(few_tasks, copy):
    frame = taskset.load_sweeps(copy)
    store.write_table(pa.Table.from_pandas(frame.drop(columns="machine"), preserve_index=False), copy / "sweeps.parquet")
    resum(copy)
    assert [line.split(":")[0] for line in check(copy)] == ["sweeps.parquet"]


@pytest.mark.smoke
def test_statuses_of_check(few_tasks, run, shipped, copy, tmp_path):
    status, out, _ = run("check", shipped)
    assert status == 0 and out == f"nothing is wrong: 6 curve files, {len(taskset.load_curves(root=shipped)):,} rows\n"
    change_curves(copy, FAULTS_OF_CURVES["not finite, and not diverged"])
    status, out, _ = run("check", copy)
    assert status == 1 and out.count("\n") == 1 and "quadratic_family_seed2" in out
    for nothing in (tmp_path / "nowhere", tmp_path):
        status, out, err = run("check", nothing)
        assert status == 2 and out == "" and err.startswith("error: ") and err.count("\n") == 1
