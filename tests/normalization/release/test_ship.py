"""Merging: no number changes on the way, tables and checksums beside the curves, what is refused."""

import dataclasses
import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import taskset
from taskset import catalogue, registry
from taskset.errors import StoreError
from taskset.execution.costs import measured_milliseconds
from taskset.normalization import store
from taskset.normalization.release import ship
from taskset.normalization.release.add import add
from taskset.normalization.release.check import check
from taskset.normalization.store import columns, sha256_sums
from taskset.normalization.sweep import baseline
from taskset.normalization.sweep.options import SweepOptions
from tests.normalization import made_up_sweeps as made
from tests.normalization.release.shipping import LIST, ORIGIN, curve_file, sort


def test_no_number_changes_on_the_way(sweeps, shipped):
    before = sort(pd.concat([taskset.load_curves(root=root) for root in sweeps]))
    pd.testing.assert_frame_equal(sort(taskset.load_curves(root=shipped)), before, check_exact=True)


def test_one_file_per_group_and_one_row_group_per_task_in_the_order_of_seeds(shipped):
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
    assert (tmp_path / "again" / sha256_sums.NAME).read_text() == (shipped / sha256_sums.NAME).read_text()


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


def test_merging_again_leaves_nothing_of_the_old(few_tasks, sweeps, shipped, copy):
    before, file = contents(copy), store.curve_files(copy)[0]
    shutil.copy(file, file.with_name("old.parquet"))
    ship.ship(sweeps, copy, {"mlp_family_seed7": 12.5}, {"mnist": "scanned twice"})
    assert contents(copy) == before == contents(shipped)


def test_a_merge_that_would_lose_curves_is_refused(few_tasks, sweeps, copy):
    before = contents(copy)
    with pytest.raises(StoreError, match="would lose them: add to it with `python -m taskset data add`"):
        ship.ship(sweeps[:1], copy)
    assert contents(copy) == before


@pytest.mark.parametrize("lost", [{"optimizers": list(LIST)}, {"seeds": [2]}, {"version": "0.2.0"}])
def test_runs_of_the_same_horizon_are_not_lost_either(few_tasks, sweeps, tmp_path, lost):
    """Other optimizers, seeds or versions than those that are merged in their place."""
    more = made.write(tmp_path / "more", made.TASKS[:2] if "version" in lost else made.TASKS, **lost)
    there = [more] if "version" in lost else [sweeps[0], more]
    ship.ship(there, tmp_path / "out")
    before = contents(tmp_path / "out")
    with pytest.raises(StoreError, match=r"has \d+ runs that none .* such as .*, seed \d of .*would lose them"):
        ship.ship(sweeps[:1], tmp_path / "out")
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize("evaluated", [{"evaluations": 2}, {"batches": 3}])
def test_seeds_that_were_evaluated_in_several_ways_are_not_merged(few_tasks, sweeps, tmp_path, evaluated):
    more = made.write(tmp_path / "more", made.TASKS[:1], seeds=[2, 3], **evaluated)
    with pytest.raises(StoreError, match="adam_lr_-3.00: its seeds were swept with 4 evaluations of 2 batches in .* and"):
        ship.ship([sweeps[0], more], tmp_path / "out")
    other = made.write(tmp_path / "other", made.TASKS[:1], optimizers=["adam_lr_-2.00"], **evaluated)
    ship.ship([sweeps[0], other], tmp_path / "out")  # of another optimizer: no mean is over both
    assert check(tmp_path / "out") == []


def test_sums_are_those_of_the_files(shipped):
    lines = (shipped / sha256_sums.NAME).read_text().splitlines()
    listed = {name: digest for digest, name in (line.split("  ") for line in lines)}
    there = {p.relative_to(shipped).as_posix() for p in shipped.rglob("*") if p.is_file()} - {sha256_sums.NAME}
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


@pytest.mark.smoke
def test_ship_by_command(few_tasks, run, sweeps, shipped, tmp_path):
    costs = tmp_path / "costs.csv"
    costs.write_text("task,ms_per_step\nmlp_family_seed7,12.5\n")
    arguments = ("ship", *sweeps, "--out", tmp_path / "out", "--costs", costs)
    status, out, _ = run(*arguments, "--data-note", "mnist=scanned twice")
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    assert status == 0 and "4 tasks, 41 runs" in out
    assert (tmp_path / "out" / sha256_sums.NAME).read_text() == (shipped / sha256_sums.NAME).read_text()
    costs.write_text("task,ms_per_step\nmlp_family_seed7,-1\n")
    for bad, text in (
        (arguments, "positive number"),
        ((*arguments[:-1], tmp_path / "none.csv"), "can't read"),
        ((*arguments[:-1], empty), "its columns are []"),
        ((*arguments[:-2], "--data-note", "x"), "NAME=TEXT"),
    ):
        status, _, err = run(*bad)
        assert status == 2 and text in err and err.count("\n") == 1


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


@pytest.mark.slow
def test_every_task_stands_in_the_table(sweeps, tmp_path):
    for arguments in (("ship", sweeps[0], "--out", tmp_path / "out"), ("check", tmp_path / "out")):
        subprocess.run([sys.executable, "-m", "taskset", "data", *arguments], check=True, capture_output=True)
    listed = subprocess.run([sys.executable, "-m", "taskset", "list", "--all"], check=True, capture_output=True, text=True)
    names = listed.stdout.split()
    tasks = taskset.load_tasks(tmp_path / "out")["task"].tolist()
    assert tasks == names and len(tasks) == 110 + 1000 * len(catalogue.families())


def test_runs_on_different_data_do_not_go_together(few_tasks, tmp_path):
    def write(name, checksum, **changes):
        origin = {"name": "mnist", "checksum": checksum}
        return made.write(tmp_path / name, ["mlp_family_seed5"], origin=origin, **changes)

    one, other = (write(f"real{i}", f"{i}", source="tfds", seeds=[i]) for i in range(2))
    with pytest.raises(StoreError, match="mlp_family_seed5 on different data"):
        ship.ship([one, other], tmp_path / "out")
    made_up = [write(f"synthetic{i}", f"{i}", source="synthetic", seeds=[i]) for i in range(2)]  # pixels differ by rounding
    assert ship.ship(made_up, tmp_path / "out")[0] == 1
    assert check(tmp_path / "out") == []


def test_runs_of_different_code_under_one_name_do_not_go_together_nor_after_a_merge(few_tasks, tmp_path):
    names = ["adam_lr_-3.00", "mine"]
    one, same, other = (
        made.write(tmp_path / f"{i}", made.TASKS[1:2], seeds=[i], optimizers=names, own={"optimizer mine": f"3.11 {code}"})
        for i, code in enumerate(("a", "a", "b"))
    )
    with pytest.raises(StoreError, match="different code or hyperparameters of optimizer mine"):
        ship.ship([one, other], tmp_path / "out")
    ship.ship([one, same], tmp_path / "out")
    with pytest.raises(StoreError, match="different code or hyperparameters of optimizer mine"):
        ship.ship([tmp_path / "out", other], tmp_path / "more")
    with pytest.raises(StoreError, match="different code or hyperparameters of optimizer mine"):
        add([other], tmp_path / "out")


def test_two_checkpoints_of_one_name_are_not_one_optimizer(few_tasks, tmp_path):
    one, same, other = (
        made.write(tmp_path / f"{i}", made.TASKS[i : i + 1], optimizers=["mlp_pes_100"], own={"checkpoint mlp_pes_100": weights})
        for i, weights in enumerate(("weights a", "weights a", "weights b"))
    )
    ship.ship([one, same], tmp_path / "out")
    for merge in (lambda: ship.ship([one, other], tmp_path / "more"), lambda: add([other], tmp_path / "out")):
        with pytest.raises(StoreError, match="different weights of checkpoint mlp_pes_100: .* evaluate one of the two again"):
            merge()


@pytest.mark.parametrize("own", [{}, {"candidate adam_lr_-3.00": "candidate b"}])
def test_scores_are_not_taken_for_the_packages_optimizers(few_tasks, tmp_path, own):
    scored = {"candidate adam_lr_-3.00": "candidate a"}
    one, other = (
        made.write(tmp_path / f"{i}", made.TASKS[1:2], seeds=[i], optimizers=["adam_lr_-3.00"], own=code)
        for i, code in enumerate((scored, own))
    )
    with pytest.raises(StoreError, match="adam_lr_-3.00 with different|different code or hyperparameters of candidate"):
        ship.ship([one, other], tmp_path / "out")


def test_hyperparameters_of_own_optimizers_outlive_a_merge(few_tasks, tmp_path):
    roots = [made.write(tmp_path / f"{i}", made.TASKS[1:2], seeds=[i], optimizers=["adam_lr_-3.00", "mine"]) for i in range(3)]
    for root, rate in zip(roots, (0.25, 0.25, 0.5)):
        table = store.read_table(root / "optimizers.parquet").to_pandas().assign(rate=[None, rate])
        store.write_table(pa.Table.from_pandas(table, preserve_index=False), root / "optimizers.parquet")
    ship.ship(roots[:2], tmp_path / "out")
    assert taskset.load_optimizers(tmp_path / "out").set_index("optimizer").loc["mine", "rate"] == 0.25
    with pytest.raises(StoreError, match="mine has different hyperparameters"):
        ship.ship(roots, tmp_path / "more")


def test_a_family_that_was_changed_since_is_described_as_it_was_swept(few_tasks, tmp_path, monkeypatch):
    from examples import own_family  # noqa: F401 (registers a family)

    name = "own_regression_seed0"
    one = made.write(tmp_path / "one", [name])
    before = catalogue.resolve(name)[1]
    changed = dataclasses.replace(registry.known_families()["own_regression"], sample=lambda seed: {**before, "width": 50})
    monkeypatch.setitem(registry._families, "own_regression", changed)
    assert catalogue.resolve(name)[1] != before
    ship.ship([one], tmp_path / "out")
    row = taskset.load_tasks(tmp_path / "out").set_index("task").loc[name]
    assert json.loads(row["config"]) == before
    other = made.write(tmp_path / "other", [name], seeds=[7])
    with pytest.raises(StoreError, match="curves of two configs of own_regression_seed0"):
        add([other], tmp_path / "out")


def test_names_that_fit_nothing_are_refused(few_tasks, sweeps, tmp_path):
    with pytest.raises(StoreError, match="mlp_family_seed7x"):
        ship.ship(sweeps, tmp_path, {"mlp_family_seed7x": 1.0})
    with pytest.raises(StoreError, match="a note is given on 'mnits'.*mnist"):
        ship.ship(sweeps, tmp_path, None, {"mnits": "scanned twice"})
    assert not any(tmp_path.glob("*.parquet"))


def test_readers_refuse_a_merge_that_was_interrupted(few_tasks, sweeps, tmp_path, monkeypatch):
    ship.ship(sweeps[:1], tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(ship, "write_beside", lambda *_: pytest.fail("interrupted"))
        with pytest.raises(BaseException, match="interrupted"):
            ship.ship(sweeps, tmp_path)
    name = made.TASKS[1]
    for load in (taskset.load_curves, taskset.load_normalizers, lambda root: taskset.normalizer(name, horizon=20, root=root)):
        with pytest.raises(StoreError, match="was interrupted: repeat"):
            load(root=tmp_path)
    ship.ship(sweeps, tmp_path)
    assert len(taskset.load_curves(root=tmp_path)) and len(taskset.load_normalizers(root=tmp_path))
