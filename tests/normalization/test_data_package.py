"""Baselines that ship: merging, checking, describing, importing; every kind of fault has to be seen."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import taskset
from taskset import catalogue, changes
from taskset.cli import main
from taskset.datasets.base import SPLITS
from taskset.errors import StoreError, UnknownName
from taskset.execution.costs import measured_milliseconds
from taskset.normalization import store
from taskset.normalization.release import card_coverage, published, ship
from taskset.normalization.release.check import check
from taskset.normalization.store import columns, layout, packing, sums
from taskset.normalization.sweep import baseline
from taskset.normalization.sweep.runner import SweepOptions
from tests.normalization import made_up_sweeps as made

HERE = Path(__file__).resolve().parents[2]
LIST = ("nadamw_grid_seed251", "nadamw_grid_seed611")
KEY = ["task", "source", "horizon", "optimizer", "seed", "step"]
ORIGIN = {"name": "mnist", "version": "3.0.1", "checksum": "0f"}


@pytest.fixture(scope="module")
def few_tasks():
    """The registry's list cut to a few tasks: reading the config of all 13,000 takes ten seconds."""
    listed = [*catalogue.fixed_tasks(), *(f"{f}_seed{s}" for f in catalogue.families() for s in range(60))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "list_tasks", lambda pattern=None: listed)
        yield listed


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory):
    """Four sweeps: Adam, Adam at a longer horizon for two of the tasks, the learned list, and one on real data."""
    root = tmp_path_factory.mktemp("sweeps")
    return [
        made.write(root / "adam"),
        made.write(root / "long", made.TASKS[:2], steps=40, batches=3),
        made.write(root / "list", made.TASKS[1:], optimizers=list(LIST)),
        made.write(root / "real", ["mlp_family_seed5"], source="tfds", origin=ORIGIN, seeds=[0]),
    ]


@pytest.fixture(scope="module")
def shipped(few_tasks, sweeps, tmp_path_factory):
    root = tmp_path_factory.mktemp("shipped")
    lines = []
    counted = ship.ship(sweeps, root, {"mlp_family_seed7": 12.5}, {"mnist": "scanned twice"}, lines.append)
    assert counted == (4, 3 * 6 + 2 * 6 + 2 * 4 + 3) and any("quadratic_family" in line for line in lines)
    return root


@pytest.fixture
def copy(shipped, tmp_path):
    return Path(shutil.copytree(shipped, tmp_path / "copy"))


def sort(frame):
    frame = frame.astype({"task": str, "optimizer": str, "source": str, "family": str})
    return frame.sort_values(KEY).reset_index(drop=True)


def curve_file(root, family="quadratic_family", group="adam_lr3_steps20_seeds2_batches2", source="none"):
    return Path(root, "curves", f"source={source}", f"family={family}", f"{group}.parquet")


def test_no_number_changes_on_the_way(sweeps, shipped):
    before = sort(pd.concat([taskset.load_curves(root=root) for root in sweeps]))
    pd.testing.assert_frame_equal(sort(taskset.load_curves(root=shipped)), before, check_exact=True)


def test_a_file_a_group_and_a_row_group_a_task_in_the_order_of_seeds(shipped):
    groups = {path.relative_to(shipped / "curves").as_posix() for path in store.curve_files(shipped)}
    assert "source=none/family=quadratic_family/adam_lr3_steps20_seeds2_batches2.parquet" in groups
    assert "source=none/family=quadratic_family/nadamw_grid2_steps20_seeds2_batches2.parquet" in groups
    assert "source=tfds/family=mlp_family/adam_lr3_steps20_seeds1_batches2.parquet" in groups and len(groups) == 6
    file = pq.ParquetFile(curve_file(shipped))
    assert [file.read_row_group(g)["task"].unique().to_pylist() for g in range(2)] == [
        ["quadratic_family_seed2"],
        ["quadratic_family_seed11"],
    ]
    assert file.metadata.row_group(0).column(5).compression == "ZSTD"
    metadata = store.read_metadata(curve_file(shipped))
    assert (
        metadata["batches_per_evaluation"] == "2"
        and metadata["git_commit"] == "abc"
        and metadata["tensorflow_version"] == "2.21.0"
    )
    assert json.loads(metadata["options"])["optimizers"] == list(made.RATES) and metadata["core_seconds"] == "72.0"
    assert json.loads(
        store.read_metadata(curve_file(shipped, "mlp_family", "adam_lr3_steps20_seeds1_batches2", "tfds"))["data_origin"]
    ) == [ORIGIN]


def test_the_tables_beside_the_curves(shipped, few_tasks):
    tasks = taskset.load_tasks(shipped).set_index("task")
    assert list(tasks.index) == few_tasks
    assert tasks.loc["quadratic_family_seed2", "runs"] == 6 + 6 + 4 and tasks.loc["quadratic_family_seed3", "runs"] == 0
    assert tasks.loc["quadratic_family_seed2", "ms_per_step"] == pytest.approx(1.0)  # that of its sweep
    costs, measured = tasks["ms_per_step"].drop([*made.TASKS, "mlp_family_seed5", "mlp_family_seed7"]), measured_milliseconds()
    assert {n: c for n, c in costs.items() if not np.isnan(c)} == {n: c for n, c in measured.items() if n in costs.index}
    assert tasks.loc["mlp_family_seed7", "ms_per_step"] == 12.5
    assert [json.loads(tasks.loc["mlp_family_seed7", "config"]), "mlp_family"] == taskset.get_config("mlp_family_seed7")
    infeasible = tasks[~tasks["feasible"]]
    assert len(infeasible) and infeasible["reason"].notna().all() and tasks.loc[tasks["feasible"], "reason"].isna().all()
    table = taskset.load_sweeps(shipped)
    assert len(table) == 3 + 2 + 2 + 1 and table["rows"].sum() == len(taskset.load_curves(root=shipped))
    real = table[table["source"] == "tfds"].iloc[0]
    assert real["data_note"] == "scanned twice" and json.loads(real["data_origin"]) == ORIGIN and real["diverged_runs"] == 1
    assert list(real["optimizers"]) == list(made.RATES) and real["core_seconds"] == 36.0
    optimizers = taskset.load_optimizers(shipped).set_index("optimizer")
    assert list(optimizers.index) == [*made.RATES, *LIST] and optimizers.loc["adam_lr_-1.00", "learning_rate"] == pytest.approx(
        0.1
    )
    for name in columns.TABLES:
        assert pq.read_schema(shipped / f"{name}.parquet").remove_metadata().equals(columns.schema(name))


def test_filters_and_normalizers_where_a_task_has_two_horizons(shipped):
    both = taskset.load_curves(task="quadratic_family_seed2", optimizer="adam_lr_-1.00", root=shipped)
    assert sorted(both["horizon"].unique()) == [20, 40] and len(both) == 20
    one = taskset.load_curves(task="quadratic_family_seed2", optimizer="adam_lr_-1.00", horizon=40, root=shipped)
    assert len(one) == 10 and (one["horizon"] == 40).all()
    assert set(taskset.load_curves(source=["tfds"], columns=["task"], root=shipped)["task"]) == {"mlp_family_seed5"}
    with pytest.raises(StoreError, match="several .*20.*40"):
        taskset.normalizer("quadratic_family_seed2", root=shipped)
    # the learned list reaches lower losses (made.curve); a normalizer is of Adam's fixed learning rates alone
    n = taskset.normalizer("quadratic_family_seed2", horizon=20, root=shipped)
    curves = taskset.load_curves(task="quadratic_family_seed2", horizon=20, root=shipped)
    means = curves.groupby([curves["optimizer"].astype(str), "step"])["train"].mean()
    assert n.best == pytest.approx(means.loc[list(made.RATES[:2])].min()) and n.best_optimizer in made.RATES
    assert means.loc[list(LIST)].min() != pytest.approx(n.best)


def test_the_same_input_gives_the_same_bytes(few_tasks, sweeps, shipped, tmp_path):
    ship.ship(sweeps[::-1], tmp_path / "again", {"mlp_family_seed7": 12.5}, {"mnist": "scanned twice"})
    assert (tmp_path / "again" / sums.NAME).read_text() == (shipped / sums.NAME).read_text()


def contents(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(Path(root).rglob("*")) if path.is_file()}


def test_sweeps_are_added_to_what_was_merged_before(few_tasks, sweeps, shipped, tmp_path):
    notes = {"mnist": "scanned twice"}
    ship.ship([sweeps[0], sweeps[3]], tmp_path / "first", {"mlp_family_seed7": 12.5}, notes)
    ship.ship([sweeps[2], tmp_path / "first", sweeps[1]], tmp_path / "all")
    assert contents(tmp_path / "all") == contents(shipped)  # also the cost and the note that were given the first time
    ship.ship([shipped, sweeps[1]], tmp_path / "twice")  # the same runs in two places count once
    assert contents(tmp_path / "twice") == contents(shipped)
    with pytest.raises(StoreError, match="a directory of its own"):
        ship.ship([tmp_path / "first", sweeps[1]], tmp_path / "first")
    rows = pq.read_table(tmp_path / "first" / "sweeps.parquet")
    lost = rows.set_column(rows.schema.get_field_index("group"), "group", [["lost"] * len(rows)]).cast(rows.schema)
    faults = {"has 8 parts, the curves 4": pa.concat_tables([rows, lost]), "no column 'machine'": rows.drop_columns("machine")}
    for text, table in faults.items():
        pq.write_table(table, tmp_path / "first" / "sweeps.parquet")
        with pytest.raises(StoreError, match=text):
            ship.ship([tmp_path / "first"], tmp_path / "out")
    pq.write_table(rows.slice(1), tmp_path / "first" / "sweeps.parquet")
    with pytest.raises(StoreError, match="has curves of .* that .*sweeps.parquet lacks"):
        ship.ship([tmp_path / "first"], tmp_path / "out")


def test_merging_again_leaves_nothing_of_the_old(few_tasks, sweeps, copy):
    ship.ship(sweeps[:1], copy)
    assert len(store.curve_files(copy)) == 2 and check(copy) == []


def test_sums_are_those_of_the_files(shipped):
    lines = (shipped / sums.NAME).read_text().splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    there = {p.relative_to(shipped).as_posix() for p in shipped.rglob("*") if p.is_file()} - {sums.NAME}
    assert set(listed) == there
    assert all(hashlib.sha256((shipped / name).read_bytes()).hexdigest() == digest for name, digest in listed.items())


def test_groups_of_one_name_are_distinguished(few_tasks, tmp_path):
    roots = [made.write(tmp_path / o, ["TwoD_Bowl10"], optimizers=[o]) for o in ("adam_lr_-3.00", "adam_lr_-2.00")]
    ship.ship(roots, tmp_path / "out")
    names = [path.stem for path in store.curve_files(tmp_path / "out")]
    assert len(names) == 2 and all(re.fullmatch(r"adam_lr1_steps20_seeds2_batches2_[0-9a-f]{8}", name) for name in names)
    assert check(tmp_path / "out") == []


def test_what_cannot_be_merged_is_reported(sweeps, shipped, tmp_path):
    adam = sweeps[0]
    other = made.write(tmp_path / "other", batches=3)
    cases = [
        (lambda: ship.ship([adam, other], tmp_path / "out"), "is in .*: pass one of them"),
        (lambda: ship.ship([tmp_path / "nowhere"], tmp_path / "out"), "no directory"),
        (lambda: ship.ship([adam], adam), "a directory of its own"),
    ]
    (tmp_path / "mine" / "curves").mkdir(parents=True)
    cases.append((lambda: ship.ship([adam], tmp_path / "mine"), "nothing merged before"))
    untold = shutil.copytree(adam, tmp_path / "untold")
    path = store.curve_path(untold, "none", "losg_tasks_family", "TwoD_Bowl10")
    store.write_table(store.read_table(path).replace_schema_metadata({"task": "TwoD_Bowl10"}), path)
    cases.append((lambda: ship.ship([untold], tmp_path / "out"), "doesn't say its family"))
    torn = shutil.copytree(adam, tmp_path / "torn")
    path = store.curve_path(torn, "none", "losg_tasks_family", "TwoD_Bowl10")
    path.write_bytes(path.read_bytes()[:-50])
    cases.append((lambda: ship.ship([torn], tmp_path / "out"), "no complete Parquet file"))
    for use, text in cases:
        with pytest.raises(StoreError, match=text):
            use()
    assert not (tmp_path / "out").exists()


# Checking ------------------------------------------------------------------------------------------------------------------


@pytest.mark.smoke
def test_nothing_is_wrong_with_what_was_made(shipped, sweeps):
    assert check(shipped) == []
    assert check(sweeps[0]) == []


def resum(root):
    sums.write(root)


def change_curves(root, change):
    """Rewrite the curves of one file through `change(DataFrame)`, with sums that fit."""
    path = curve_file(root)
    metadata = {k: v for k, v in store.read_metadata(path).items() if k != "rows"}
    tables = []
    for _, group in packing.parts(path):
        frame = packing.read_part(path, group).to_pandas().astype({"task": str, "optimizer": str})
        if frame["task"].iloc[0] == "quadratic_family_seed2":
            frame = change(frame)
        tables.append(pa.Table.from_pandas(frame, layout.STORED, preserve_index=False))
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


RUN = {"optimizer": "adam_lr_-1.00", "seed": 1}
FAULTS_OF_CURVES = {
    "not finite, and not diverged": put("test", np.nan, **RUN, step=10),
    "1 rows with a loss that is not finite": put("train", np.inf, **RUN, step=20),
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
    "SHA256SUMS: missing": lambda root: (root / sums.NAME).unlink(),
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
    "sweeps.parquet: .*: 7 rows; the curves have 30": edit_table(
        "sweeps", put("rows", 7, task="quadratic_family_seed2", horizon=40)
    ),
}


@pytest.mark.parametrize("text", FAULTS_OF_DIRECTORIES)
def test_faults_of_directories_are_seen(few_tasks, copy, text):
    FAULTS_OF_DIRECTORIES[text](copy)
    found = check(copy)
    assert any(re.search(text, line) for line in found), found


def test_another_schema_is_seen(few_tasks, copy):
    frame = taskset.load_sweeps(copy)
    store.write_table(pa.Table.from_pandas(frame.drop(columns="machine"), preserve_index=False), copy / "sweeps.parquet")
    resum(copy)
    assert [line.split(":")[0] for line in check(copy)] == ["sweeps.parquet"]


# On the command line -------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(monkeypatch, capsys):
    """run(*arguments) -> (status, stdout, stderr)."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["taskset", "data", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main.main()
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return call


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


@pytest.mark.smoke
def test_ship_by_command(few_tasks, run, sweeps, shipped, tmp_path):
    costs = tmp_path / "costs.csv"
    costs.write_text("task,ms_per_step\nmlp_family_seed7,12.5\n")
    arguments = ("ship", *sweeps, "--out", tmp_path / "out", "--costs", costs)
    status, out, _ = run(*arguments, "--data-note", "mnist=scanned twice")
    assert status == 0 and "4 tasks, 41 runs" in out
    assert (tmp_path / "out" / sums.NAME).read_text() == (shipped / sums.NAME).read_text()
    costs.write_text("task,ms_per_step\nmlp_family_seed7,-1\n")
    for bad, text in (
        (arguments, "positive number"),
        ((*arguments[:-1], tmp_path / "none.csv"), "can't read"),
        ((*arguments[:-2], "--data-note", "x"), "NAME=TEXT"),
    ):
        status, _, err = run(*bad)
        assert status == 2 and text in err and err.count("\n") == 1


# Descriptions --------------------------------------------------------------------------------------------------------------


def test_the_card_tells_what_is_in_the_files(shipped):
    card = (shipped / "README.md").read_text()
    header, body = card.split("---\n", 2)[1:]
    curves = taskset.load_curves(root=shipped)
    size = sum(path.stat().st_size for path in store.curve_files(shipped))
    assert (
        f"4 tasks of 3 families; 41 runs, {len(curves)} evaluations in {size / 1e6:.1f} MB ({size / 41:,.0f} bytes a run)" in body
    )
    assert "config_name: curves\n  data_files: curves/*/*/*.parquet" in header and "n<1K" in header
    for name in [
        *layout.STORED.names,
        *(c for table in columns.TABLES for c in columns.TABLES[table]),
        *taskset.load_optimizers(shipped),
    ]:
        assert f"| `{name}` |" in body
    assert "| none | `nadamw_grid2_steps20_seeds2_batches2` | the learned list, first 2 | 20 | 2 | 2 | 5 | 2 | 8 | 0.0% |" in body
    assert "| tfds | mnist | 3.0.1 | 1 | scanned twice |" in body
    settings = "--source tfds --steps 20 --seeds 1 --batches 2 --evaluations 4 --optimizer adam_lr_-3.00"
    assert f"python -m taskset baseline TASKS {settings}" in body
    assert "$" not in body and "nan" not in re.findall(r"\w+", body)


def test_the_card_tells_what_is_left_of_the_first_tasks(monkeypatch):
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


def test_the_card_tells_gaps_and_fixed_tasks_left():
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


def test_croissant_tells_the_columns_and_sums(shipped):
    croissant = json.loads((shipped / "croissant.json").read_text())
    for file in croissant["distribution"][:-1]:
        assert hashlib.sha256((shipped / file["contentUrl"]).read_bytes()).hexdigest() == file["sha256"]
    fields = {record["@id"]: [field["name"] for field in record["field"]] for record in croissant["recordSet"]}
    assert fields.pop("evaluations") == [*layout.STORED.names, "source", "family"]
    assert fields == {name: list(pq.read_schema(shipped / f"{name}.parquet").names) for name in (*columns.TABLES, "optimizers")}


def test_croissant_is_read_by_its_own_library(shipped):
    mlcroissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
    dataset = mlcroissant.Dataset(str(shipped / "croissant.json"))
    assert not dataset.metadata.issues.errors
    assert sum(1 for _ in dataset.records("evaluations")) == len(taskset.load_curves(root=shipped))


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


# Published curves ----------------------------------------------------------------------------------------------------------

XS = np.arange(51) * 200


def released(root, task="quadratic_family_seed12", family="adam8p_wide_grid", name=None, **changes):
    """A file as the release has them: three configurations, five replicas, 51 evaluations, four splits."""
    ys = np.random.default_rng(0).uniform(1, 2, (3, 5, 51, 4)).astype(np.float32)
    ys[1, 2, 7, 3] = np.inf
    ys[2, 4, 50] = np.nan
    arrays = {"optimizers": np.array([f"{family}_seed{i}" for i in (10, 2, 30)]), "xs": XS, "ys": ys, **changes}
    path = root / task / (name or f"{family}_1k_10000_replica5.npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


def test_published_curves_become_the_schema(run, tmp_path):
    files = [released(tmp_path), released(tmp_path, family="nadamw_grid"), released(tmp_path, task="TwoD_Bowl10")]
    status, out, _ = run("import-npz", *files, "--out", tmp_path / "out")
    assert status == 0 and "3 files" in out and "175 finite losses after divergence left out" in out
    frame = taskset.load_curves(task="quadratic_family_seed12", root=tmp_path / "out")
    assert set(frame["source"]) == {"published"} and set(frame["family"]) == {"quadratic_family"} and len(frame) == 2 * 3 * 5 * 51
    ys = np.load(files[0])["ys"]
    one = frame[(frame["optimizer"] == "adam8p_wide_grid_seed2") & (frame["seed"] == 2)].sort_values("step")
    assert one["step"].tolist() == XS.tolist() and (one["horizon"] == 10000).all() and one["seconds"].isna().all()
    for i, split in enumerate(SPLITS):  # the order of the last axis: train, valid_inner, valid_outer, test
        assert one[split].tolist()[:7] == ys[1, 2, :7, i].tolist() and one[split][7:].isna().all()
    assert one["diverged"].tolist() == [False] * 7 + [True] * 44
    last = frame[(frame["optimizer"] == "adam8p_wide_grid_seed30") & (frame["seed"] == 4) & (frame["step"] == 10000)]
    assert last["diverged"].all() and frame["diverged"].sum() == 2 * 45
    optimizers = taskset.load_optimizers(tmp_path / "out").set_index("optimizer")
    assert (
        optimizers.loc["adam8p_wide_grid_seed10", "learning_rate"]
        == taskset.get_optimizer_config("adam8p_wide_grid_seed10")[0]["learning_rate"]
    )
    assert taskset.load_tasks(tmp_path / "out")["task"].tolist() == ["TwoD_Bowl10", "quadratic_family_seed12"]
    n = taskset.normalizer("TwoD_Bowl10", root=tmp_path / "out", split="test")
    assert (n.source, n.horizon) == ("published", 10000)
    assert run("check", tmp_path / "out")[0] == 0


def test_published_files_that_are_not(run, tmp_path):
    ys = np.ones((3, 5, 51, 4), np.float32)
    objects = tmp_path / "TwoD_Bowl10" / "objects.npz"
    objects.parent.mkdir()
    np.savez(objects, optimizers=np.array([{}], object), xs=XS, ys=ys)
    text = tmp_path / "TwoD_Bowl10" / "text.npz"
    text.write_text("no archive")
    torn = released(tmp_path, name="torn.npz")
    torn.write_bytes(torn.read_bytes()[:-300])
    cases = {
        "no file": tmp_path / "none.npz",
        "no complete .npz file": objects,
        "no complete .npz file of plain": text,
        "torn.npz is no complete .npz": torn,
        "no array 'xs'": released(tmp_path, name="a.npz", xs=None),
        "shape [3, 5, 51, 3]": released(tmp_path, name="b.npz", ys=ys[..., :3]),
        "shape [2, 5, 51, 4]": released(tmp_path, name="c.npz", ys=ys[:2]),
        "equal distances from 0": released(tmp_path, name="d.npz", xs=XS + 200),
        "ys holds int64": released(tmp_path, name="e.npz", ys=ys.astype(int)),
        "named twice": released(tmp_path, name="f.npz", optimizers=np.array(["adam8p_wide_grid_seed1"] * 3)),
        "unknown optimizer 'adam9p_seed0'": released(tmp_path, name="g.npz", optimizers=np.array(["adam9p_seed0", "a", "b"])),
        "is of the family nadamw_grid": released(
            tmp_path, name="adam8p_wide_grid_1k.npz", optimizers=np.array([f"nadamw_grid_seed{i}" for i in range(3)])
        ),
        "unknown task 'no_such_task'": released(tmp_path, task="no_such_task"),
    }
    for message, path in cases.items():
        status, _, err = run("import-npz", path, "--out", tmp_path / "out")
        assert status == 2 and message in err and path.name in err and err.count("\n") == 1, err
    good = released(tmp_path)
    status, _, err = run("import-npz", good, good.parent / ".." / good.parent.name / good.name, "--out", tmp_path / "out")
    assert status == 2 and "same task" in err
    assert not (tmp_path / "out").exists()


def test_the_names_of_a_released_file_may_be_bytes(tmp_path):
    content = published.read(
        released(tmp_path, optimizers=np.array([b"adam8p_wide_grid_seed1", b"adam8p_wide_grid_seed2", b"adam8p_wide_grid_seed3"]))
    )
    assert content.optimizers[0] == "adam8p_wide_grid_seed1" and content.task == "quadratic_family_seed12"
    with pytest.raises(UnknownName, match="directory has to be the task's name"):
        published.read(released(tmp_path, task="somewhere"))


# What is trained -----------------------------------------------------------------------------------------------------------


def test_a_real_sweep_ships(few_tasks, tmp_path):
    options = SweepOptions(("adam_lr_-1.00", "adam_lr_1.00", *LIST[:1]), "synthetic", 20, (0, 1), 2, 4)
    todo = baseline.plan(["TwoD_Bowl10"], options, tmp_path / "run")
    from taskset.normalization.sweep.runner import sweep_to_file

    for name in todo.waiting:
        sweep_to_file(name, options, tmp_path / "run")
    ship.ship([tmp_path / "run"], tmp_path / "out")
    assert check(tmp_path / "out") == []
    made_by = taskset.load_sweeps(tmp_path / "out").iloc[0]
    assert made_by["taskset_version"] == taskset.__version__ and made_by["core_seconds"] > 0 and made_by["ms_per_step"] > 0


@pytest.fixture(scope="module")
def packaged():
    try:
        store.curve_files(None)
    except StoreError:
        pytest.skip("this checkout has no baselines in data/")
    return store.packaged_root()


@pytest.mark.smoke
def test_the_baselines_of_the_package_are_whole(packaged):
    """In a process of its own: the tasks that test modules register stand in no table."""
    done = subprocess.run([sys.executable, "-m", "taskset", "data", "check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("nothing is wrong")


@pytest.mark.parametrize("place", range(3))
def test_a_shipped_curve_is_computed_again(packaged, place):
    """The cheapest task of three families, one without data and two on synthetic images, from scratch.

    The start to 1e-5 relative; some 100 steps on to 1e-2: rounding, which differs between processors and between runs computed
    together and alone, grows on the way.
    """
    from taskset.catalogue import get_task
    from taskset.execution.loop import Loop
    from taskset.optimizers import get_optimizer

    table = taskset.load_sweeps().dropna(subset="ms_per_step").sort_values("ms_per_step")
    table = table[[not changes.outdated(*row) for row in zip(table["task"], table["source"], table["taskset_version"])]]
    table = table.drop_duplicates(["source", "family"])
    table = table[[("adam_lr_-3.00" in names) for names in table["optimizers"]]].set_index("source")
    row = table.loc[["none", "synthetic"]].reset_index().groupby("source").head(2).iloc[[0, 2, 3]].iloc[place]
    seed, interval = int(row["seeds"][0]), row["horizon"] // row["evaluations"]
    task, optimizer = get_task(row["task"], "synthetic"), get_optimizer("adam_lr_-3.00")
    loop = Loop(task, optimizer, interval)
    run, hparams = loop.start(seed), optimizer.hparams(int(row["horizon"]))
    evaluate = loop.evaluation(seed, int(row["batches"]))
    shipped = taskset.load_curves(row["task"], optimizer="adam_lr_-3.00", source=row["source"], horizon=int(row["horizon"]))
    shipped = shipped[shipped["seed"] == seed].set_index("step")
    goal = -(-100 // interval) * interval
    before = evaluate(run.params)
    while run.step < goal:
        loop.train(run, hparams, min(loop.chunk, goal - run.step))
    after = evaluate(run.params)
    for split in SPLITS:
        assert before[split] == pytest.approx(shipped.loc[0, split], rel=1e-5), row["task"]
        assert after[split] == pytest.approx(shipped.loc[goal, split], rel=1e-2), row["task"]


# Installed -----------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_baselines_reach_the_wheel_and_the_source_distribution(shipped, tmp_path):
    pytest.importorskip("setuptools", reason="setuptools is not installed")
    tree = tmp_path / "tree"
    for name in ("taskset", "learned", "data"):
        shutil.copytree(HERE / name, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "*.parquet"))
    for name in ("setup.cfg", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md"):
        shutil.copy(HERE / name, tree / name)
    shutil.copytree(shipped, tree / "data", dirs_exist_ok=True)
    for kind in ("wheel", "sdist"):
        code = f"from setuptools import build_meta; build_meta.build_{kind}({str(tmp_path)!r})"
        subprocess.run([sys.executable, "-c", code], cwd=tree, check=True, capture_output=True)
    files = {path.relative_to(shipped).as_posix() for path in shipped.rglob("*") if path.is_file()}
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        assert {f"taskset/data/{name}" for name in files} <= set(wheel.namelist())
        wheel.extractall(tmp_path / "installed")
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as sdist:
        inside = {name.split("/", 1)[1] for name in sdist.getnames() if "/" in name}
        assert {f"data/{name}" for name in files} <= inside
    code = "import taskset; print(taskset.__file__, len(taskset.load_curves()), taskset.load_sweeps()['rows'].sum())"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    ).stdout.split()
    assert printed[0].startswith(str(tmp_path / "installed")) and printed[1] == printed[2] == str(
        len(taskset.load_curves(root=shipped))
    )


@pytest.mark.slow
def test_every_task_stands_in_the_table(sweeps, tmp_path):
    for arguments in (("ship", sweeps[0], "--out", tmp_path / "out"), ("check", tmp_path / "out")):
        subprocess.run([sys.executable, "-m", "taskset", "data", *arguments], check=True, capture_output=True)
    names = subprocess.run([sys.executable, "-m", "taskset", "list"], check=True, capture_output=True, text=True).stdout.split()
    tasks = taskset.load_tasks(tmp_path / "out")["task"].tolist()
    assert tasks == names and len(tasks) == 109 + 1000 * len(catalogue.families())
