"""What describes the files: the card and croissant.json."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import taskset
from taskset.normalization import store
from taskset.normalization.release import card, card_coverage
from taskset.normalization.store import columns


def test_the_card_has_what_is_in_the_files(shipped):
    text = (shipped / "README.md").read_text()
    header, body = text.split("---\n", 2)[1:]
    curves = taskset.load_curves(root=shipped)
    size = sum(path.stat().st_size for path in store.curve_files(shipped))
    assert (
        f"4 tasks of 3 families; 41 runs, {len(curves)} evaluations in {size / 1e6:.1f} MB ({size / 41:,.0f} bytes a run)" in body
    )
    assert "config_name: curves\n  data_files: curves/*/*/*.parquet" in header and "n<1K" in header
    for name in [
        *columns.STORED.names,
        *(c for table in columns.TABLES for c in columns.TABLES[table]),
        *taskset.load_optimizers(shipped),
    ]:
        assert f"| `{name}` |" in body
    assert "| none | `nadamw_grid2_steps20_seeds2_batches2` | the learned list, first 2 | 20 | 2 | 2 | 5 | 2 | 8 | 0.0% |" in body
    assert "| tfds | mnist | 3.0.1 | 1 | scanned twice |" in body
    settings = "--source tfds --steps 20 --seeds 1 --batches 2 --evaluations 4 --optimizer adam_lr_-3.00"
    assert f"python -m taskset baseline TASKS {settings}" in body
    assert "$" not in body and "nan" not in re.findall(r"\w+", body)


def test_the_example_of_the_card_reads_the_directory_that_it_describes(shipped, monkeypatch):
    monkeypatch.chdir(shipped)
    (example,) = re.findall(r"```python\n(.*?)```", Path("README.md").read_text(), re.DOTALL)
    found = {}
    exec(compile(example, "README.md", "exec"), found)
    everything = taskset.load_curves(root=shipped)
    assert 0 < len(found["curves"]) < len(everything) and set(found["curves"]["task"]) <= set(everything["task"])
    assert found["n"].best < found["n"].initial


def test_the_card_counts_the_runs_of_tasks_that_changed_since(shipped):
    sweeps = taskset.load_sweeps(shipped).head(2).assign(runs=[30, 12])
    sweeps["task"], sweeps["source"], sweeps["taskset_version"] = "losg_tasks_family_seed63", "none", ["0.1.0", "9.0.0"]
    normalizers = taskset.load_normalizers(shipped)
    assert "42 runs (30 of them of tasks that have changed since, see below), " in card._summary(shipped, sweeps, normalizers)


def test_the_card_has_what_is_left_of_the_first_tasks(monkeypatch):
    monkeypatch.setattr(card_coverage, "FIRST", 4)
    tasks = pd.DataFrame({"seed": [*range(6), np.nan], "ms_per_step": [1, 1, 60, 9, np.nan, 9, 9]})
    tasks = tasks.assign(family="f", feasible=tasks["seed"] != 1, task=[*(f"f_seed{i}" for i in range(6)), "fixed"])
    sweeps = pd.DataFrame({"task": ["f_seed0", "f_seed3"], "source": ["synthetic", "tfds"]})
    header, _, row = card_coverage.breadth(tasks, sweeps).split("\n")
    assert header == "| family | swept | above 50 ms a step | left, seeds |" and row == "| f | 1 | 1 | 3, 4 |"


def test_the_card_names_tasks_without_a_normalizer():
    tasks = pd.DataFrame({"task": ["a", "b"], "family": "f", "seed": np.nan, "feasible": True, "runs": 2, "ms_per_step": 1.0})
    sweeps = pd.DataFrame({"family": ["f"]})
    normalizers = pd.DataFrame({"task": [*"abb"], "split": ["train", "test", "train"], "normalizable": [True, False, False]})
    normalizers["source"] = "none"
    assert "all diverged: b (none)." in card_coverage.missing(tasks, sweeps, normalizers)
    assert "without a normalizer" not in card_coverage.missing(tasks, sweeps, normalizers[:2])


def test_the_card_has_gaps_and_fixed_tasks_left():
    tasks = pd.DataFrame({"seed": [*range(20), np.nan, np.nan], "runs": 1, "ms_per_step": 2.0, "feasible": True, "family": "f"})
    tasks = tasks.assign(task=[*(f"f_seed{i}" for i in range(20)), "fixed", "dear"])
    tasks.loc[[4, 18, 19, 21], "runs"], tasks.loc[[4, 21], "ms_per_step"] = 0, [7.5, 30.0]
    tasks.loc[9, ["runs", "feasible"]] = 0, False
    sweeps, no_normalizers = pd.DataFrame({"family": ["f"]}), pd.DataFrame(columns=["task", "source", "split", "normalizable"])
    no_normalizers["normalizable"] = no_normalizers["normalizable"].astype(bool)
    found = card_coverage.missing(tasks, sweeps, no_normalizers)
    assert "\n- 1 of the 2 fixed tasks were not swept, 30.00 to 30.00 ms a step.\n" in found
    assert found.endswith("- f: of the seeds 0 .. 17 that can run, not swept: 4, 7.50 to 7.50 ms a step.")
    tasks.loc[5, "runs"] = 0  # more than a tenth: sampled here and there, so there are no gaps to tell
    assert "that can run, not swept" not in card_coverage.missing(tasks, sweeps, no_normalizers)


def test_croissant_has_the_columns_and_sums(shipped):
    croissant = json.loads((shipped / "croissant.json").read_text())
    for file in croissant["distribution"][:-1]:
        assert hashlib.sha256((shipped / file["contentUrl"]).read_bytes()).hexdigest() == file["sha256"]
    fields = {record["@id"]: [field["name"] for field in record["field"]] for record in croissant["recordSet"]}
    assert fields.pop("evaluations") == [*columns.STORED.names, "source", "family"]
    assert fields == {name: list(pq.read_schema(shipped / f"{name}.parquet").names) for name in (*columns.TABLES, "optimizers")}


def test_croissant_is_read_by_its_own_library(shipped):
    mlcroissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
    dataset = mlcroissant.Dataset(str(shipped / "croissant.json"))
    assert not dataset.metadata.issues.errors
    assert sum(1 for _ in dataset.records("evaluations")) == len(taskset.load_curves(root=shipped))
