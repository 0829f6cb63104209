"""Curves on disk: what may be asked for, layouts old and new, optimizers that aren't the package's, writing whole files."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import taskset
from taskset import catalogue
from taskset.datasets.base import SPLITS
from taskset.errors import NoCurves, StoreError, UnknownName
from taskset.files import remove_temporaries, temporary_owner, whole_file, write_text, writing
from taskset.normalization import store, tables
from taskset.normalization.release import ship
from taskset.normalization.release.check import check
from taskset.normalization.store import columns, layout, packing, present, row_groups
from taskset.normalization.tables import write_tables
from tests.normalization import made_up_sweeps as made


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    return made.write(tmp_path_factory.mktemp("sweep"))


@pytest.mark.parametrize(
    "asked, message",
    [
        ({"task": []}, r"task=\[\]: allowed are names, one or several"),
        ({"task": 3}, "task=3: allowed are names"),
        ({"horizon": 10000.0}, "horizon=10000.0: allowed are integers"),
        ({"horizon": True}, "horizon=True: allowed are integers"),
        ({"horizon": ["20"]}, "allowed are integers"),
        ({"seed": "0"}, "seed='0': allowed are integers"),
        ({"optimizer": "lion*"}, "no curves of optimizer 'lion\\*'; taskset.load_optimizers"),
        ({"task": ["TwoD_Bowl10", "mlp_*"]}, "no curves of task 'mlp_\\*'; taskset.load_tasks"),
        ({"source": "real"}, "source='real': allowed are none, synthetic, tfds, published"),
        ({"columns": ()}, "at least one"),
        ({"columns": 5}, "columns=5: allowed are names of columns"),
        ({"columns": "loss"}, "no column 'loss'"),
        ({"task": ["TwoD_Bowl10", "TwoD_Bowl11"]}, "no curves of task 'TwoD_Bowl11'; did you mean 'TwoD_Bowl10'"),
        ({"optimizer": ["adam_lr_-3.00", "adam_lr_-3"]}, "no curves of optimizer 'adam_lr_-3'; did you mean 'adam_lr_-3.00'"),
        ({"family": ["quadratic_family", "quadratic"]}, "no curves of family 'quadratic'; did you mean 'quadratic_family'"),
        ({"version": "old"}, "version 'old'"),
    ],
)
def test_what_cannot_be_asked_for(sweep, asked, message):
    with pytest.raises(taskset.TasksetError, match=message) as error:
        taskset.load_curves(root=sweep, **asked)
    assert "\n" not in str(error.value)


def test_a_file_under_the_name_of_another_task_is_not_read_twice(sweep, tmp_path):
    root = shutil.copytree(sweep, tmp_path / "copy")
    (path,) = root.rglob("TwoD_Bowl10.parquet")
    shutil.copy(path, path.with_name("TwoD_Bowl99.parquet"))
    for asked in ({"task": "TwoD_Bowl10"}, {"task": "TwoD_Bowl99"}, {}):
        with pytest.raises(
            StoreError, match="TwoD_Bowl99.parquet has the curves of 'TwoD_Bowl10': give the file its task's name"
        ):
            taskset.load_curves(root=root, **asked)


def test_directories_above_the_results_may_be_called_as_those_of_results_are(tmp_path):
    root = made.write(tmp_path / "source=tfds" / "family=none" / "run", made.TASKS[1:2])
    frame = store.load_curves(family="quadratic_family", source="none", root=root)
    assert set(frame["source"].astype(str)) == {"none"} and set(frame["family"].astype(str)) == {"quadratic_family"}


def test_a_curve_file_that_lies_elsewhere_is_named(tmp_path):
    root = made.write(tmp_path, made.TASKS[1:2])
    file = next(root.rglob("curves/*/*/*.parquet"))
    for place in (root / "curves", root / "curves" / "source=none"):
        shutil.copy(file, place / "copied.parquet")
        with pytest.raises(StoreError, match="copied.parquet is no curve file: they lie in .*source=SOURCE/family=FAMILY"):
            store.load_curves(root=root)
        (place / "copied.parquet").unlink()


def test_results_of_scores_have_no_tables(tmp_path):
    root = made.write(tmp_path, made.TASKS[1:2])
    (root / "tasks.parquet").unlink()
    with pytest.raises(StoreError, match="no tasks.parquet: make it with `python -m taskset normalize DIR`"):
        store.load_tasks(root)
    store.write_options(root, {**made.options(), "code": "of mine", "hyperparameters": [{}]})
    with pytest.raises(StoreError, match="no tasks.parquet: it has results of `score` or `evaluate`.* report DIR"):
        store.load_tasks(root)
    with pytest.raises(StoreError, match="normalized by baselines: give a sweep's --out"):
        tables.write_tables(root)


def test_what_can_be_asked_for(sweep):
    frame = taskset.load_curves(task=("TwoD_Bowl10",), columns=("seconds", "task"), horizon=np.int64(20), root=sweep)
    assert list(frame) == ["seconds", "task"] and len(frame) == 30
    assert list(taskset.load_curves(columns="train", root=sweep)) == ["train"]
    assert set(taskset.load_curves(columns=["train"], task="TwoD_Bowl10", root=sweep)) == {"train"}


def test_globs_and_seeds(sweep):
    every = taskset.load_curves(root=sweep)
    few = taskset.load_curves(optimizer=["adam_lr_-[12].*", "adam_lr_-3.00"], task="TwoD_*", seed=1, root=sweep)
    names = {name for name in every["optimizer"].unique() if name.startswith(("adam_lr_-1", "adam_lr_-2", "adam_lr_-3.00"))}
    assert names and set(few["optimizer"]) == names and set(few["seed"]) == {1}
    assert set(few["task"]) == {name for name in every["task"].unique() if name.startswith("TwoD_")}
    both = taskset.load_curves(seed=[0, 1], family="quad*", root=sweep)
    assert set(both["family"]) == {"quadratic_family"} and set(both["seed"]) == {0, 1}
    assert len(taskset.load_curves(optimizer="*", root=sweep)) == len(every)


def test_globs_look_into_the_files_that_can_have_what_is_wanted(sweep, monkeypatch):
    every = taskset.load_curves(root=sweep)
    task = next(name for name in every["task"] if name.startswith("quadratic_family_seed"))
    looked_into = {"optimizer": set(), "task": set()}
    for column, names in {**present.NAMES_IN}.items():
        if column != "family":

            def names_in(fragments, column=column, names=names):
                fragments = list(fragments)
                looked_into[column] |= {row_groups.partition(fragment.path, "family") for fragment in fragments}
                return names(fragments)

            monkeypatch.setitem(present.NAMES_IN, column, names_in)
    of_family = every[every["family"] == "quadratic_family"]
    for asked in (
        {"family": "quadratic_family", "optimizer": "adam_lr_*"},
        {"family": "quad*", "optimizer": "*", "task": "*"},
        {"task": "quadratic_family_*"},
        {"task": "quadratic_family_seed*", "optimizer": "*"},
        {"task": [*of_family["task"].unique()], "optimizer": "*"},
    ):
        found = taskset.load_curves(root=sweep, **asked)
        assert set(found["task"]) == set(of_family["task"]), asked
        assert len(found) == len(of_family) or asked["optimizer"] == "adam_lr_*"
    assert looked_into == {"optimizer": {"quadratic_family"}, "task": {"quadratic_family"}}
    assert len(taskset.load_curves(root=sweep, task=task, optimizer="*")) == (every["task"] == task).sum()
    with pytest.raises(NoCurves, match="no curves for task='TwoD_\\*', family='quadratic_family'"):
        taskset.load_curves(root=sweep, task="TwoD_*", family="quadratic_family")


def test_what_was_asked_for_is_said_on_one_line(sweep):
    """A generator was shown as an object, and an array on as many lines as it has values."""
    names = [str(name) for name in taskset.load_curves(root=sweep)["task"].unique()]
    for asked, said in ((iter(names[:1]), f"task={names[0]!r}"), (pd.Series(names * 99), f"task=[{names[0]!r}, ")):
        with pytest.raises(NoCurves, match=f"^no curves for {re.escape(said)}[^\n]{{,100}}, horizon=77; [^\n]*$"):
            taskset.load_curves(task=asked, horizon=77, root=sweep)


def test_globs_find_tasks_in_the_files_of_other_families(sweep, tmp_path):
    root = tmp_path / "sweep"
    shutil.copytree(sweep, root)
    path = next(root.rglob("quadratic_family_seed*.parquet"))
    elsewhere = path.parents[1] / "family=mine" / path.name
    elsewhere.parent.mkdir()
    path.rename(elsewhere)
    task = path.name.split(".")[0]
    for asked in ("quadratic_family_*", f"{task[:-1]}[{task[-1]}]", task):
        assert task in set(taskset.load_curves(root=root, task=asked, optimizer="adam_*")["task"]), asked


def test_any_between():
    values = [2, 5, 9]
    for lowest in range(11):
        for highest in range(lowest, 11):
            expected = any(lowest <= value <= highest for value in values)
            assert row_groups.any_between(values, lowest, highest) == expected
    assert not row_groups.any_between([], 1, 2)


def test_where_to_look_fits_the_directory(sweep, tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "list_tasks", lambda pattern=None: list(made.TASKS))
    ship.ship([sweep], tmp_path / "merged")
    for root, column in ((sweep, False), (tmp_path / "merged", True)):
        with pytest.raises(StoreError, match="no curves of task 'zzz'") as error:
            taskset.load_curves(task="zzz", root=root)
        assert ("the column runs of taskset.load_tasks" in str(error.value)) == column == ("runs" in taskset.load_tasks(root))


def test_seeds_of_tasks_are_integers(sweep):
    tasks = taskset.load_tasks(sweep).set_index("task")
    assert f"quadratic_family_seed{tasks.loc['quadratic_family_seed2', 'seed']}" == "quadratic_family_seed2"
    assert tasks["seed"].dtype == "Int32" and pd.isna(tasks.loc["TwoD_Bowl10", "seed"])


def test_seconds_are_kept_once_a_run(sweep):
    path = store.curve_path(sweep, "none", "losg_tasks_family", "TwoD_Bowl10")
    assert pq.read_schema(path).remove_metadata().equals(columns.STORED)
    frame = taskset.load_curves(task="TwoD_Bowl10", root=sweep).sort_values(["optimizer", "seed", "step"])
    before = made.rows("TwoD_Bowl10", made.options()).to_pandas().sort_values(["optimizer", "seed", "step"])
    alive = ~before["optimizer"].eq("adam_lr_1.00").to_numpy()
    np.testing.assert_allclose(frame["seconds"][alive], before["seconds"][alive], rtol=1e-6)  # made at a constant rate
    diverging = frame[(frame["optimizer"] == "adam_lr_1.00") & (frame["seed"] == 0)]
    assert diverging["diverged"].tolist() == [False, False, True, True, True]
    # 5 ms by the first evaluation and no more are in the made-up curves: a rate of .5 ms, until the run reports that it diverged
    assert diverging["seconds"].tolist() == pytest.approx([0, 0.0025, 0.005, 0.005, 0.005])


def test_steps_taken():
    steps, diverged = np.array([0, 5, 10, 0, 5, 10, 0, 5]), np.array([0, 1, 1, 1, 1, 1, 0, 0], bool)
    assert layout.taken_steps(steps, diverged).tolist() == [0, 5, 5, 0, 0, 0, 0, 5]


def test_the_layout_of_before_is_read(sweep, tmp_path):
    """A directory that version 0.1 made: no version, seconds of each evaluation, no sums."""
    path = store.curve_path(tmp_path, "none", "losg_tasks_family", "TwoD_Bowl10")
    metadata = store.read_metadata(store.curve_path(sweep, "none", "losg_tasks_family", "TwoD_Bowl10"))
    metadata = {**{k: v for k, v in metadata.items() if k != "rows"}, "taskset_version": "0.1.0"}
    table = made.rows("TwoD_Bowl10", made.options())
    path.parent.mkdir(parents=True)
    pq.write_table(table.replace_schema_metadata(metadata), path, compression="zstd")
    frame = taskset.load_curves(root=tmp_path)
    assert set(frame["version"]) == {"0.1.0"} and list(frame) == list(taskset.load_curves(root=sweep))
    expected = table.to_pandas()
    for column in (*columns.SCHEMA.names[2:], "seconds"):
        np.testing.assert_array_equal(frame[column], expected[column])
    part = packing.read_part(path, 0)
    assert part.schema.equals(columns.STORED) and part["version"].unique().to_pylist() == ["0.1.0"]
    write_tables(tmp_path)
    assert check(tmp_path) == []


def test_optimizers_that_are_not_the_packages(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "list_tasks", lambda pattern=None: ["TwoD_Bowl10"])
    root = made.write(tmp_path / "own", ["TwoD_Bowl10"], optimizers=["my optimizer/2", "adam_lr_-3.00"])
    table = taskset.load_optimizers(root).set_index("optimizer")
    assert table.loc["my optimizer/2"].isna().all() and table.loc["adam_lr_-3.00", "learning_rate"] == pytest.approx(1e-3)
    ship.ship([root], tmp_path / "out")
    assert check(tmp_path / "out") == []
    assert set(taskset.load_curves(root=tmp_path / "out")["optimizer"]) == {"my optimizer/2", "adam_lr_-3.00"}
    alone = made.write(tmp_path / "alone", ["TwoD_Bowl10"], optimizers=["mine/x"])
    ship.ship([alone], tmp_path / "alone-out")
    assert [path.stem for path in store.curve_files(tmp_path / "alone-out")] == ["mine-x1_steps20_seeds2_batches2"]
    assert check(tmp_path / "alone-out") == []


def test_a_planted_link_is_not_followed(tmp_path, monkeypatch):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    monkeypatch.setattr(writing.secrets, "token_hex", lambda count: "0" * 2 * count)
    os.symlink(victim, tmp_path / f".a.txt.{os.getpid()}.{'0' * 16}.tmp")
    with pytest.raises(StoreError, match="can't write"):
        write_text("theirs", tmp_path / "a.txt")
    assert victim.read_text() == "mine" and len(list(tmp_path.iterdir())) == 2  # nor is it taken away


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(writing.os, "fsync", lambda number: order.append("sync"))
    replace = os.replace
    monkeypatch.setattr(writing.os, "replace", lambda *names: (order.append("rename"), replace(*names)))
    store.write_table(pa.table({"x": [1]}), tmp_path / "a.parquet")
    assert order == ["sync", "rename"] and [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


def test_temporary_names_tell_their_process(tmp_path):
    with whole_file(tmp_path / "a.b.parquet") as temporary:
        assert temporary_owner(temporary.name) == os.getpid()
        temporary.write_bytes(b"")
    assert temporary_owner(".notes.tmp") is None and temporary_owner(".a.1.tmp") is None


def test_a_task_is_read_from_the_files_of_its_family_alone(tmp_path):
    root = made.write(tmp_path)
    for path in store.curve_files(root):
        if "family=quadratic_family" not in path.parts:
            path.write_bytes(b"")
    assert set(taskset.load_curves(task="quadratic_family_seed2", root=root)["task"]) == {"quadratic_family_seed2"}


def test_a_task_is_found_in_another_family_than_its_name_says(tmp_path):
    root, wanted = made.write(tmp_path), ["odd_family_seed1", "quadratic_family_seed2"]
    path = store.curve_path(root, "none", "quadratic_family", "odd_family_seed1")
    store.write_curves(made.rows("odd_family_seed1", made.options()), path, {"taskset_version": taskset.__version__})
    assert set(taskset.load_curves(task=wanted, root=root)["task"]) == set(wanted)


# Values that this package never writes, in files whose sums are right (tests/test_hostile_files.py tries many)


@pytest.mark.parametrize(
    "name, value, says",
    [
        ("options", "3", "allowed is an object with optimizers"),
        ("options", "{", "no valid JSON"),
        ("options", json.dumps(made.options(seeds=[0, 0])), "allowed is an object with optimizers"),
        ("options", json.dumps(made.options(evaluations=10**9)), "say 1000000000 evaluations, it has 30 rows"),
        ("config", '"x"', "allowed is an object or a list"),
        ("core_seconds", "[1]", "its core_seconds is '\\[1\\]'"),
        ("num_params", "1.5", "allowed is an integer"),
        ("data_origin", "7", "its data_origin is '7'"),
        ("num_params", "x" * 10**5, "no valid JSON"),
    ],
)
def test_metadata_that_is_none_is_one_line(tmp_path, name, value, says):
    path = store.curve_path(made.write(tmp_path, tasks=made.TASKS[1:2]), "none", "quadratic_family", made.TASKS[1])
    table = store.read_table(path)
    metadata = {k.decode(): v.decode() for k, v in table.schema.metadata.items()}
    assert store.read_metadata(path)["rows"] == 30
    store.write_table(table.replace_schema_metadata({**metadata, name: value}), path)
    for read in (lambda: store.read_metadata(path), lambda: store.load_curves(optimizer="none", root=tmp_path)):
        with pytest.raises(StoreError, match=says) as caught:
            read()
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "table, column, values",
    [
        ("tasks", "seed", ["a"]),
        ("tasks", "task", [None]),
        ("normalizers", "initial", ["a"] * 4),
        ("normalizers", "runs", [0.5] * 4),
        ("normalizers", "split", [3] * 4),
        ("optimizers", "optimizer", [1.5] * 3),
        ("optimizers", "learning_rate", ["a"] * 3),
    ],
)
def test_tables_with_columns_of_other_kinds_are_one_line(tmp_path, table, column, values):
    path = made.write(tmp_path, tasks=made.TASKS[1:2]) / f"{table}.parquet"
    there = store.read_table(path)
    store.write_table(there.set_column(there.column_names.index(column), column, pa.array(values)), path)
    with pytest.raises(StoreError, match=f"column '{column}': it is another table"):
        getattr(store, f"load_{table}")(tmp_path)


def test_tables_of_merged_baselines_are_made_by_merging(sweep, tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "list_tasks", lambda pattern=None: list(made.TASKS))
    root = tmp_path / "merged"
    ship.ship([sweep], root)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    with pytest.raises(StoreError, match=f"{root} holds merged baselines, whose tables `data ship` and `data add` make"):
        write_tables(root)
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    single = made.write(tmp_path / "single")
    for where, way in ((root, "taskset data ship SWEEP.. --out DIR"), (single, "taskset normalize DIR")):
        for name in ("normalizers", "tasks"):
            store.write_table(pa.table({"x": [1]}), where / f"{name}.parquet")
            with pytest.raises(StoreError, match=f"it is another table; make it with `python -m {way}`"):
                getattr(store, f"load_{name}")(where)
            (where / f"{name}.parquet").unlink()
            with pytest.raises(StoreError, match=f"has no {name}.parquet: make it with `python -m {way}`"):
                getattr(store, f"load_{name}")(where)


def test_tables_of_a_directory_are_made_by_one_process_after_the_other(tmp_path, monkeypatch):
    """A second process ends its tasks, and makes the tables, after the first has read the curves and before it has written."""
    root, other, fit = made.write(tmp_path / "a", made.TASKS[:1]), made.write(tmp_path / "b", made.TASKS[1:2]), tables.fit
    second = threading.Thread(target=write_tables, args=(root,))

    def slow(curves):
        monkeypatch.setattr(tables, "fit", fit)
        shutil.copytree(other / "curves", root / "curves", dirs_exist_ok=True)
        second.start()
        second.join(1.0)
        return fit(curves)

    monkeypatch.setattr(tables, "fit", slow)
    write_tables(root)
    second.join()
    assert set(taskset.load_normalizers(root)["task"]) == set(made.TASKS[:2]) and check(root) == []
    assert not (root / ".claims").exists()


def test_curves_with_columns_of_other_kinds_are_one_line(tmp_path):
    path = store.curve_path(made.write(tmp_path, tasks=made.TASKS[1:2]), "none", "quadratic_family", made.TASKS[1])
    there = store.read_table(path)
    for column, values in (("task", [1] * 30), ("train", [0] * 30), ("seed", ["a"] * 30)):
        store.write_table(there.set_column(there.column_names.index(column), column, pa.array(values)), path)
        with pytest.raises(StoreError, match=f"is no curve file: {column} is (int64|string), not "):
            store.load_curves(root=tmp_path)
    nobody = pa.array([None] * 30, pa.string()).dictionary_encode().cast(there.schema.field("optimizer").type)
    store.write_table(there.set_column(there.column_names.index("optimizer"), "optimizer", nobody), path)
    with pytest.raises(StoreError, match="has curves without optimizer"):
        store.load_curves(root=tmp_path)


def test_what_dead_processes_left_in_a_directory_is_removed(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    ours = tmp_path / f".checkpoint.npz.{dead.pid}.{'0a' * 8}.tmp"
    theirs = [tmp_path / name for name in (f".a.npz.{os.getpid()}.{'0a' * 8}.tmp", ".notes.tmp", f".a.npz.{dead.pid}.tmp")]
    for path in (ours, *theirs):
        path.write_text("half")
    link = tmp_path / f".b.npz.{dead.pid}.{'0a' * 8}.tmp"
    link.symlink_to(theirs[1])
    remove_temporaries(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([*theirs, link])


@pytest.mark.parametrize("name", ["load_curves", "load_normalizers", "load_tasks", "load_optimizers", "load_sweeps"])
def test_a_root_is_a_path(name):
    with pytest.raises(StoreError, match="root 5: allowed are the path of a directory and None"):
        getattr(taskset, name)(root=5)


def test_a_directory_that_cannot_be_listed_is_not_taken_for_an_empty_one(sweep, tmp_path, monkeypatch):
    shutil.copytree(sweep, tmp_path / "sweep")
    before = (tmp_path / "sweep" / "sweep.json").read_text()

    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refused)
        with pytest.raises(StoreError, match="can't list .*curves: permission denied"):
            store.check_options(tmp_path / "sweep", made.options(steps=40))
    assert (tmp_path / "sweep" / "sweep.json").read_text() == before
    assert store.has_curves(tmp_path / "sweep") and not store.has_curves(tmp_path)


def test_what_the_system_refuses_is_not_called_damage(tmp_path):
    """Healthy files may be unreadable for other reasons, and must not be deleted then."""
    for name, read in (("a.parquet", store.read_table), ("sweep.json", lambda path: store.read_options(path.parent))):
        (tmp_path / name).mkdir()
        with pytest.raises(StoreError, match=f"can't read .*{name}: is a directory"):
            read(tmp_path / name)
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    with pytest.raises(StoreError, match="no complete Parquet file"):
        store.read_table(tmp_path / "b.parquet")


@pytest.mark.parametrize(
    "given, says",
    [
        ({"task": [made.TASKS[0]]}, "task .*: a normalizer is of one task"),
        ({"task": made.TASKS[0], "horizon": [20]}, r"horizon \[20\]: a normalizer is of one"),
        ({"task": made.TASKS[0], "root": 5}, "root 5: allowed are the path of a directory"),
    ],
)
def test_a_normalizer_is_of_one_task(sweep, given, says):
    with pytest.raises(UnknownName, match="split .*Allowed are train"):
        taskset.normalizer(made.TASKS[0], split=["train"], root=sweep)
    with pytest.raises(StoreError, match=says):
        taskset.normalizer(**{"root": sweep, **given})
    assert taskset.normalizer(made.TASKS[0], horizon=np.int64(20), root=sweep).horizon == 20


def test_whole_frames_are_normalized_as_single_losses_are(sweep):
    curves = taskset.load_curves(root=sweep)
    found = taskset.normalize_curves(curves, sweep)
    assert (found.index == curves.index).all()
    for task in made.TASKS:
        rows = curves["task"] == task
        for split in SPLITS:
            expected = taskset.normalizer(task, split=split, root=sweep)(curves.loc[rows, split])
            np.testing.assert_array_equal(found.loc[rows, split], expected)
    assert (found.loc[found["diverged"], "train"] == 2).all()
    pd.testing.assert_frame_equal(found.drop(columns=list(SPLITS)), curves.drop(columns=list(SPLITS)))


def test_what_has_no_normalizer_is_nan_when_a_frame_is_normalized(sweep):
    curves = taskset.load_curves(root=sweep, columns=["task", "source", "horizon", "train"])
    other = curves.assign(horizon=np.where(curves["task"] == made.TASKS[0], 21, curves["horizon"]))
    found = taskset.normalize_curves(other, sweep)
    assert found.loc[curves["task"] == made.TASKS[0], "train"].isna().all()
    assert found.loc[curves["task"] != made.TASKS[0], "train"].notna().all()
    with pytest.raises(StoreError, match=r"none of these curves has a normalizer: there are those of .*20\)\]; give their root="):
        taskset.normalize_curves(curves.assign(horizon=21), sweep)
    with pytest.raises(StoreError, match="curves have no column source or horizon: load them"):
        taskset.normalize_curves(curves[["task", "train"]], sweep)
    with pytest.raises(StoreError, match="curves have no column train or valid_inner or valid_outer or test"):
        taskset.normalize_curves(curves[["task", "source", "horizon"]], sweep)
    assert taskset.normalize_curves(curves[:0], sweep).empty


def test_a_path_that_is_no_utf8_is_not_called_damage(sweep, tmp_path):
    root = shutil.copytree(sweep, tmp_path / os.fsdecode(b"d\xfc"))
    for read in (taskset.load_curves, taskset.load_normalizers, check):
        with pytest.raises(StoreError, match="its path is no text in UTF-8"):
            read(root=root)
