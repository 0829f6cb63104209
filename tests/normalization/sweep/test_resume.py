"""Directories of results that are used again: what counts as finished, what is deleted, who does what."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import taskset
from examples import own_family  # noqa: F401
from taskset import catalogue, registry
from taskset.catalogue import get_task
from taskset.datasets.base import SPLITS
from taskset.datasets.in_memory import InMemoryData
from taskset.errors import ConfigError, StoreError
from taskset.jobs import claims, engines, pool
from taskset.normalization import store
from taskset.normalization.sweep import baseline, planning, provenance, resume, runner
from taskset.normalization.sweep.curves import earlier, metadata_of
from taskset.normalization.sweep.options import SweepOptions
from taskset.normalization.sweep.runner import sweep_to_file

NAME, OTHER = "own_regression_seed1", "own_regression_seed2"
OPTIONS = SweepOptions(("adam_lr_-3.00",), "synthetic", 4, (0,), 1, 2)


@pytest.fixture(scope="module")
def curves(tmp_path_factory):
    root = tmp_path_factory.mktemp("curves")
    return Path(sweep_to_file(NAME, OPTIONS, root)).read_bytes()


@pytest.fixture
def root(tmp_path, curves):
    """A directory with one finished task."""
    path = store.curve_path(tmp_path, "none", "own_regression", NAME)
    path.parent.mkdir(parents=True)
    path.write_bytes(curves)
    (tmp_path / "sweep.json").write_text(json.dumps(OPTIONS.as_json()))
    return tmp_path


def test_what_is_finished_counts(root):
    todo = baseline.plan([NAME, OTHER], OPTIONS, root)
    assert todo.finished == [NAME] and todo.waiting == [OTHER]


def test_curves_of_another_task_are_not_taken_for_a_tasks_own(root):
    path = store.curve_path(root, "none", "own_regression", NAME)
    path.rename(path.with_name(f"{OTHER}.parquet"))
    with pytest.raises(StoreError, match=f"{OTHER}.parquet has curves of task '{NAME}'.* delete it"):
        baseline.plan([OTHER], OPTIONS, root)


def test_curves_of_a_config_that_has_changed_are_not_kept(root, monkeypatch):
    monkeypatch.setattr(
        catalogue, "resolve", lambda name, resolve=catalogue.resolve: (resolve(name)[0], changed(resolve(name)[1]))
    )
    with pytest.raises(StoreError, match="another config of own_regression_seed1 than it has now: delete it"):
        baseline.plan([NAME], OPTIONS, root)


def changed(config):
    return {**config, next(iter(config)): -1}


def values(path):
    return store.read_table(path).to_pandas().drop(columns="seconds_per_step")


def test_more_seeds_and_optimizers_are_added_to_what_is_there(root):
    more = dataclasses.replace(OPTIONS, optimizers=("adam_lr_-2.00", *OPTIONS.optimizers), seeds=(0, 1))
    path = store.curve_path(root, "none", "own_regression", NAME)
    old = store.read_table(path).to_pandas()
    todo = baseline.plan([NAME], more, root)
    assert todo.waiting == [NAME] and not todo.finished
    sweep_to_file(NAME, more, root)
    assert baseline.plan([NAME], more, root).finished == [NAME]
    found = store.read_table(path).to_pandas()
    kept = found[(found["optimizer"] == OPTIONS.optimizers[0]) & (found["seed"] == 0)]
    assert kept["seconds_per_step"].tolist() == old["seconds_per_step"].tolist()  # not run again
    whole = values(sweep_to_file(NAME, more, root / "whole"))
    pd.testing.assert_frame_equal(values(path), whole, check_categorical=False, rtol=1e-5)
    with pytest.raises(StoreError, match="other options"):
        baseline.plan([NAME], OPTIONS, root)
    with pytest.raises(StoreError, match="steps is 4 there, 8 here"):
        baseline.plan([NAME], dataclasses.replace(more, steps=8), root)


def test_curves_on_other_data_are_not_extended(root):
    before = earlier(NAME, OPTIONS, root)
    more = dataclasses.replace(OPTIONS, seeds=(0, 1))
    other = dataclasses.replace(before, metadata={**before.metadata, "data_origin": '{"name": "an older version"}'})
    with pytest.raises(StoreError, match="curves on the data .*an older version.*, and the task now reads .*: delete it"):
        runner.completed(NAME, more, other)
    unknown = dataclasses.replace(before, metadata={k: v for k, v in before.metadata.items() if k != "data_origin"})
    assert len(runner.completed(NAME, more, unknown).table) == 2 * len(before.table)  # older files don't say


def test_no_two_processes_settle_a_directory_at_once(root, monkeypatch):
    """What one has said of it can't be replaced before its curves are there, which say so themselves."""
    monkeypatch.setattr(store, "write_curves", lambda *given: held.append(can_settle(root)))
    held = []
    sweep_to_file(NAME, dataclasses.replace(OPTIONS, seeds=(0, 1)), root)
    assert held == [False] and can_settle(root)


def can_settle(root):
    """Whether another one can say what a directory holds now: it waits for its turn."""
    entered = []

    def settle():
        with resume.settling(root):
            entered.append(True)

    thread = threading.Thread(target=settle, daemon=True)
    thread.start()
    thread.join(2)
    return bool(entered)


def stored_metadata(path):
    return {k: v for k, v in store.read_metadata(path).items() if k != "rows"}


def test_what_is_added_by_a_newer_version_leaves_the_older_ones_name(root):
    path = store.curve_path(root, "none", "own_regression", NAME)
    old = {"taskset_version": "0.1.0", "git_commit": "abc", "machine": "an older one, Linux", "created": "2026-01-01"}
    store.write_table(store.read_table(path).replace_schema_metadata({**stored_metadata(path), **old}), path)
    plain = metadata_of(get_task(NAME), OPTIONS, "xla_loop", {})
    for seeds in ((0, 1), (0, 1, 2)):
        sweep_to_file(NAME, dataclasses.replace(OPTIONS, seeds=seeds), root)
        found = stored_metadata(path)
        assert found["taskset_version"] == "0.1.0" and set(store.read_table(path)["version"].to_pylist()) == {"0.1.0"}
        assert found["git_commit"] == ", ".join(filter(None, ["abc", plain["git_commit"]]))
        assert found["machine"] == f"an older one, Linux, {plain['machine']}"
        assert found["tensorflow_version"] == plain["tensorflow_version"] and found["created"] >= plain["created"]


def test_only_the_tasks_own_file_is_read_to_extend_it(root):
    before = earlier(NAME, OPTIONS, root)
    path = store.curve_path(root, "none", "own_regression", NAME)
    path.with_name(f"{OTHER}.parquet").write_bytes(b"")
    again = earlier(NAME, OPTIONS, root)
    assert again.table.equals(before.table) and again.table.schema.equals(store.SCHEMA)
    pd.testing.assert_frame_equal(
        again.table.to_pandas(),
        store.load_curves(task=NAME, columns=store.SCHEMA.names, root=moved(path)),
        check_categorical=False,
    )


def moved(path):
    """A directory of results with this curve file alone."""
    root = path.parents[3] / "alone"
    target = store.curve_path(root, "none", "own_regression", NAME)
    target.parent.mkdir(parents=True)
    target.write_bytes(path.read_bytes())
    return root


def test_a_directory_is_extended_beside_a_sweep_that_is_still_running(root, curves):
    more = dataclasses.replace(OPTIONS, seeds=(0, 1))
    first, second = (baseline.SweepWork(options, str(root)) for options in (OPTIONS, more))
    assert baseline.plan([NAME, OTHER], more, root).waiting == [NAME, OTHER]
    result = runner.completed(OTHER, OPTIONS)
    first.keep(OTHER, result)  # computed by the older command: kept, and extended like the others
    assert store.read_options(root) == more.as_json()
    assert baseline.plan([OTHER], more, root).waiting == [OTHER]
    second.keep(OTHER, runner.completed(OTHER, more, earlier(OTHER, more, root)))
    with first.begin(OTHER) as given:
        assert given == engines.FINISHED  # with more than the older command asks for
    assert baseline.plan([OTHER], more, root).finished == [OTHER]
    with pytest.raises(StoreError, match="steps is 4 there, 8 here"):
        baseline.SweepWork(dataclasses.replace(OPTIONS, steps=8), str(root)).keep(OTHER, result)


def test_a_directory_is_extended_before_the_older_sweep_has_curves(tmp_path):
    more = dataclasses.replace(OPTIONS, seeds=(0, 1))
    for options in (OPTIONS, more):
        baseline.plan([OTHER], options, tmp_path)
    result = runner.completed(OTHER, OPTIONS)
    baseline.SweepWork(OPTIONS, str(tmp_path)).keep(OTHER, result)
    baseline.SweepWork(more, str(tmp_path)).keep(OTHER, runner.completed(OTHER, more, result))
    assert store.read_options(tmp_path) == more.as_json()


def test_runs_that_are_missing():
    told = {"options": json.dumps(SweepOptions(("a", "b"), "none", 4, (0, 1), 1, 2).as_json())}
    parts = resume.missing("p", told, SweepOptions(("a", "b", "c"), "none", 4, (0, 1, 2), 1, 2))
    assert [(part.optimizers, part.seeds) for part in parts] == [(("c",), (0, 1)), (("a", "b", "c"), (2,))]
    assert resume.missing("p", told, SweepOptions(("b", "a"), "none", 4, (1, 0), 1, 2)) == []
    for wrong in ({}, {"options": "[]"}, {"options": json.dumps({**json.loads(told["options"]), "seeds": 3})}):
        with pytest.raises(StoreError, match="^p.* its options"):
            resume.missing("p", wrong, SweepOptions(("a", "b"), "none", 4, (0, 1), 1, 2))


GIVEN = SweepOptions(("a",), "none", 6, (0,), 1, 3).as_json()
TOLD = {"task": "t", "family": "f", "source": "none", "config": "[1, [2]]", "options": json.dumps(GIVEN)}


@pytest.mark.parametrize("key, value, says", [
    ("task", "u", "task 'u', not 't'"), ("family", "g", "family 'g', not 'f'"), ("source", "tfds", "source 'tfds', not 'none'"),
    ("config", "[1, [3]]", "another config"), ("options", json.dumps({**GIVEN, "steps": 9}), "steps 9, not 6"),
    ("config", "[1", "no valid JSON"), ("options", '{"steps": 6}', "allowed is an object with optimizers"),
])  # fmt: skip
def test_all_that_is_told_is_compared(key, value, says):
    file = resume.TaskFile("t", "f", (1, (2,)), taskset.Facts(), "none", "p")
    resume.check_finished(file, TOLD, GIVEN)
    resume.check_finished(file, {}, GIVEN)  # an older file
    with pytest.raises(StoreError, match=says):
        resume.check_finished(file, {**TOLD, key: value}, GIVEN)


def descent(learning_rate):
    def update(grads, state, params, step, hparams):
        return {path: w - learning_rate * grads[path] for path, w in params.items()}, state

    return taskset.optimizers.from_functions("mine", lambda params: {}, update)


def test_runs_of_an_own_optimizer_that_changed_are_not_taken_for_its_own(tmp_path, registered_here):
    taskset.register_optimizer("mine", learning_rate=0.001)(descent)
    options = SweepOptions(("mine",), "synthetic", 4, (0,), 1, 2)
    sweep_to_file("quadratic_family_seed3", options, tmp_path)
    assert baseline.plan(["quadratic_family_seed3"], options, tmp_path).finished
    registry.forget("mine")
    taskset.register_optimizer("mine", learning_rate=0.5)(descent)
    more_seeds = dataclasses.replace(options, seeds=(0, 1))
    for asked in (options, more_seeds):
        with pytest.raises(StoreError, match="other code or hyperparameters of optimizer mine than it has now: delete it"):
            baseline.plan(["quadratic_family_seed4", "quadratic_family_seed3"], asked, tmp_path)


def with_cache(learning_rate):
    MADE[learning_rate] = True
    return descent(learning_rate)


MADE: dict[float, bool] = {}


def test_what_an_optimizer_keeps_while_it_runs_is_no_change_of_it(tmp_path, registered_here):
    taskset.register_optimizer("mine", learning_rate=0.001)(with_cache)
    options = SweepOptions(("mine",), "synthetic", 4, (0,), 1, 2)
    sweep_to_file("quadratic_family_seed3", options, tmp_path)
    MADE.clear()  # as in a new process
    assert baseline.plan(["quadratic_family_seed3"], options, tmp_path).finished


def test_curves_of_an_own_model_that_changed_are_not_kept(root, monkeypatch):
    family = registry._families["own_regression"]
    monkeypatch.setitem(registry._families, "own_regression", dataclasses.replace(family, build=lambda config, data: None))
    with pytest.raises(StoreError, match="other code or hyperparameters of family own_regression than it has now"):
        baseline.plan([NAME], OPTIONS, root)


def test_curves_on_data_of_ones_own_that_changed_are_not_kept(root, monkeypatch):
    family = registry._families["own_regression"]

    def other(config):
        return family.facts(config)

    monkeypatch.setitem(registry._families, "own_regression", dataclasses.replace(family, facts=other))
    with pytest.raises(StoreError, match="other code or hyperparameters of data of family own_regression than"):
        baseline.plan([NAME], OPTIONS, root)


def test_the_packages_own_have_no_digests():
    assert provenance.own_code("quadratic_family", ["adam_lr_-3.00", "not_there"]) == {}
    assert [*provenance.own_code("own_regression", [])] == ["family own_regression", "data of family own_regression"]


def test_a_finished_file_of_other_data_is_not_taken():
    def facts(first):
        rows = {split: range(2) for split in SPLITS}
        return taskset.Facts(data=InMemoryData({"x": np.array([first, 1.0])}, rows, batch_size=2))

    def file(facts):
        return resume.TaskFile("t", "f", (1, (2,)), facts, "none", "p")

    told = {**TOLD, "data_origin": json.dumps(facts(0).origin)}
    assert resume.check_finished(file(facts(0)), told, GIVEN)
    with pytest.raises(StoreError, match="^p has curves on the data .* and the task now reads"):
        resume.check_finished(file(facts(2)), told, GIVEN)


def test_only_what_dead_processes_left_half_written_is_deleted(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    place = store.curve_path(tmp_path, "none", "f", "t").parent
    place.mkdir(parents=True)
    names = [f".t.parquet.{dead.pid}.tmp", f".t.parquet.{dead.pid}.{'0a' * 8}.tmp"]
    kept = [f".t.parquet.{os.getpid()}.tmp", f".claimed.parquet.{dead.pid}.tmp", ".notes.tmp", f".t.txt.{dead.pid}.tmp"]
    for path in (ours := [place / name for name in names]) + (theirs := [place / name for name in kept]):
        path.write_text("half")
    theirs.append(tmp_path / names[0])  # not below curves/
    theirs[-1].write_text("a note")
    link = place / f".u.parquet.{dead.pid}.tmp"
    link.symlink_to(theirs[-1])
    with claims.claim(tmp_path, "claimed"):
        resume.remove_leftovers(tmp_path)
    assert not any(path.exists() for path in ours) and all(path.exists() for path in theirs) and link.is_symlink()


def test_what_dead_processes_left_at_the_root_is_deleted_when_it_is_old(tmp_path):
    """The process may be one of another machine, that writes at this moment."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    old, new = (tmp_path / f".{name}.{dead.pid}.{'0a' * 8}.tmp" for name in ("sweep.json", "tasks.parquet"))
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (0, 0))
    resume.remove_leftovers(tmp_path)
    assert not old.exists() and new.exists()


@pytest.mark.parametrize("task", ["options", "tables", "+options"])
def test_a_task_may_have_the_name_of_work(tmp_path, task):
    with claims.claim(tmp_path, task) as mine:
        assert mine and can_settle(tmp_path)


def test_a_turn_is_waited_for(tmp_path):
    order = []

    def second():
        with claims.turn(tmp_path, "t"):
            order.append("second")

    with claims.turn(tmp_path, "t"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    claims.tidy(tmp_path)
    assert not list(tmp_path.iterdir())


CLAIM = """
import sys, time
from taskset.jobs.claims import claim
with claim(sys.argv[1], "t") as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


def test_a_claim_ends_with_its_process(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", CLAIM, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "True\n"
    with claims.claim(tmp_path, "t") as mine, claims.claim(tmp_path, "u") as other:
        assert (mine, other) == (False, True)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with claims.claim(tmp_path, "t") as mine:
        assert mine
    claims.tidy(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_task_that_another_process_has_is_done_later(root, monkeypatch):
    work, swept = baseline.SweepWork(OPTIONS, str(root)), []
    monkeypatch.setattr(baseline, "completed", lambda name, *_: swept.append(name))
    monkeypatch.setattr(baseline.SweepWork, "keep", lambda *_: None)
    with claims.claim(root, OTHER):
        assert engines.do(OTHER, work, (), report=None) == pool.LATER
    assert engines.do(OTHER, work, (), report=None) is None and swept == [OTHER]
    assert engines.do(NAME, work, (), report=None) is None and swept == [OTHER]  # it is there: not swept again


def test_shards_are_parts_of_the_whole():
    names = [f"mlp_family_seed{seed}" for seed in range(200)]
    parts = [planning.in_shard(names, (i, 4)) for i in range(1, 5)]
    assert sorted(name for part in parts for name in part) == sorted(names) and all(30 < len(part) < 70 for part in parts)
    assert planning.in_shard(names[:3], (3, 4)) == [
        name for name in names[:3] if name in parts[2]
    ]  # whatever else is in the list
    assert planning.parse_shard("3/16") == (3, 16)
    for wrong in ("0/4", "5/4", "3", "a/b", "1/0", "1/" + "9" * 5000):
        with pytest.raises(ConfigError, match="1 <= i <= n"):
            planning.parse_shard(wrong)


def test_cost_by_hand_and_order(monkeypatch):
    monkeypatch.setattr(planning.measured, "milliseconds", {"a": (3.0, "measured"), "b": (1.0, "estimated")}.get)
    options = SweepOptions(("x", "y"), "synthetic", 900, (0, 1, 2), 5, 30)
    assert planning.core_seconds("a", options) == pytest.approx(6 + 0.003 * 6 * (900 + 31 * 5 * 4 / 3))
    assert list(planning.cheapest_first(["c", "a", "b"], options)) == ["b", "a", "c"]
    assert planning.announcement({"a": 3600.0, "b": 7200.0, "c": None}, 2) == (
        "estimated: 3 core-hours, 1.5 h with 2 workers; and 1 task of unknown cost"
    )
    assert planning.announcement({"a": 90.0}, 1) == "estimated: 1.5 core-minutes, 1.5 min with 1 worker"
    assert planning.announcement({"a": 0.5}, 2) == "estimated: 0.5 core-seconds, 0.25 s with 2 workers"


def test_the_cost_of_an_extension_is_that_of_the_runs_that_are_missing(root, monkeypatch):
    monkeypatch.setattr(planning.measured, "milliseconds", lambda name: (3e5, "measured"))
    more = dataclasses.replace(OPTIONS, optimizers=("adam_lr_-2.00", *OPTIONS.optimizers), seeds=(0, 1))
    todo = baseline.plan([OTHER, NAME], more, root)
    steps = 4 + 3 * 4 / 3
    assert todo.costs == {NAME: pytest.approx(6 + 300 * 3 * steps), OTHER: pytest.approx(6 + 300 * 4 * steps)}
    assert todo.waiting == [NAME, OTHER]

    class Asking(engines.Local):
        def run(self, jobs, work, count=None, report=None, may_begin=None, modules=(), files=(), default=1):
            return [may_begin(job) for job in jobs]

    assert baseline.run(todo, more, root, max_hours=8000 / 3600, engine=Asking()) == [True, False]


@pytest.mark.parametrize("workers, hours, at_once", [(None, None, None), (None, 1.0, 7), (3, 1.0, 3), (3, None, 3)])
def test_an_engine_has_no_more_jobs_at_hand_than_cores_where_time_is_limited(tmp_path, workers, hours, at_once):
    """Jobs that wait for a core would have been asked too early whether they end in time."""

    class Cluster(engines.Local):
        def workers(self, asked, default):
            return asked or 7

        def run(self, jobs, work, count=None, *rest, **more):
            return count

    todo = baseline.Plan([NAME], [], {})
    assert baseline.run(todo, OPTIONS, tmp_path, workers=workers, max_hours=hours, engine=Cluster()) == at_once


def test_nothing_to_do_is_no_failure(tmp_path, run_here):
    assert baseline.plan([], OPTIONS, tmp_path / "none") == baseline.Plan([], [], {})
    infeasible = next(n for n in catalogue.list_tasks("conv_fc_family_seed*") if not catalogue.feasible(n))
    for shard, expected, text in (([], 2, "none of these tasks can run"), (["--shard", "1/1"], 0, "falls to shard 1/1")):
        status, out, err = run_here("taskset", "baseline", infeasible, "--out", tmp_path / "out", "--steps", 50, *shard)
        assert status == expected and text in out + err
    assert not (tmp_path / "out").exists()


def test_settings_that_change_numbers_are_stored(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    told = metadata_of(get_task(NAME), OPTIONS, "xla_loop", {})
    assert json.loads(told["settings"])["XLA_FLAGS"] == "--xla_cpu_enable_fast_math=true"


def test_two_that_extend_a_directory_at_once_do_not_write_over_each_other(root, monkeypatch):
    first, second = (dataclasses.replace(OPTIONS, optimizers=("adam_lr_-3.00", name)) for name in ("lion", "prodigy"))
    extended = resume.extended

    def beaten(*given):
        """The other one is faster between the question and the answer."""
        monkeypatch.setattr(resume, "extended", extended)
        found = extended(*given)
        baseline.plan([NAME], second, root)
        return found

    monkeypatch.setattr(resume, "extended", beaten)
    with pytest.raises(StoreError, match="holds results made with other options"):
        baseline.plan([NAME], first, root)
    assert store.read_options(root) == second.as_json()


def test_a_claim_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / ".claims").write_text("")
    with pytest.raises(StoreError, match=r"can't write to .*\.claims: "), claims.claim(tmp_path, "a"):
        pass


def test_who_may_write_results_may_claim_them(tmp_path):
    tmp_path.chmod(0o2775)
    with claims.claim(tmp_path, "a"):
        assert (tmp_path / ".claims").stat().st_mode & 0o7777 == 0o2775
        assert (tmp_path / ".claims" / "a").stat().st_mode & 0o777 == 0o664
