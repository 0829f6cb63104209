"""The sweep: curves, divergence, Parquet, normalizers; interruption and resumption with real worker processes."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import taskset
from examples import own_family
from taskset import catalogue
from taskset.catalogue import get_task
from taskset.datasets.base import SPLITS
from taskset.errors import ConfigError, InfeasibleTask, StoreError, UnknownName
from taskset.execution import machine
from taskset.execution.loop import train
from taskset.normalization import store
from taskset.normalization.normalizer import Normalizer, fit
from taskset.normalization.sweep import baseline
from taskset.normalization.sweep.options import SweepOptions
from taskset.normalization.sweep.runner import run_all, sweep_to_file
from taskset.normalization.tables import write_tables
from taskset.optimizers import get_optimizer
from taskset.tasks.base import Model, Task

RATES = ("adam_lr_-3.00", "adam_lr_-1.00", "adam_lr_1.00")
OWN = Path(own_family.__file__)


def options(**changes):
    return SweepOptions(
        **{"optimizers": RATES, "source": "synthetic", "steps": 20, "seeds": (0, 1), "batches": 2, "evaluations": 4, **changes}
    )


@pytest.fixture(scope="module")
def table():
    return run_all(get_task("own_regression_seed1"), [get_optimizer(o) for o in RATES], options())


@pytest.mark.smoke
def test_curves_have_the_schema_and_one_row_an_evaluation(table):
    assert table.schema.equals(store.SCHEMA)
    frame = table.to_pandas()
    assert len(frame) == 3 * 2 * 5
    assert sorted(frame["step"].unique()) == [0, 5, 10, 15, 20]
    assert (frame["horizon"] == 20).all() and not frame["diverged"].any()
    first = frame[frame["step"] == 0].groupby("seed")[list(SPLITS)].nunique()
    assert (first == 1).all().all()  # the same start and batches under every optimizer
    assert (frame["seconds"].diff().loc[frame["step"] > 0] > 0).all()


def test_a_curve_is_that_of_a_single_training(table):
    task, optimizer = get_task("own_regression_seed1"), get_optimizer("adam_lr_-1.00")
    from taskset.execution.loop import Loop

    params, _ = train(task, optimizer, 20, seed=1)
    expected = Loop(task, optimizer, 5).evaluation(1, 2)(params)
    frame = table.to_pandas()
    last = frame[(frame["optimizer"] == "adam_lr_-1.00") & (frame["seed"] == 1) & (frame["step"] == 20)].iloc[0]
    for split in SPLITS:
        assert last[split] == pytest.approx(expected[split], rel=1e-5)


def test_a_diverged_run_is_nan_to_its_end_and_the_others_go_on():
    def loss(batch, key):
        x = tf.Variable(tf.ones([]), name="x")
        return tf.exp(x * x)  # Adam with rate 10 jumps to exp(81), beyond float32 in two steps

    frame = run_all(
        Task("steep", "steep", {}, Model(loss), "tfds"), [get_optimizer(o) for o in RATES], options(seeds=(0,))
    ).to_pandas()
    bad = frame[frame["optimizer"] == "adam_lr_1.00"]
    assert bad["diverged"].tolist() == [False] + [True] * 4
    assert bad.loc[bad["diverged"], list(SPLITS)].isna().all().all()
    assert bad["train"].iloc[0] == pytest.approx(np.e)
    assert not frame.loc[frame["optimizer"] != "adam_lr_1.00", "diverged"].any()


def test_a_task_that_starts_at_a_non_finite_loss_has_no_normalizer():
    def loss(batch, key):
        return tf.math.log(-tf.exp(tf.Variable(tf.ones([]), name="x")))

    table = run_all(Task("broken", "broken", {}, Model(loss), "tfds"), [get_optimizer(RATES[0])], options(optimizers=RATES[:1]))
    frame = table.to_pandas().assign(source="none", family="broken")
    assert frame["diverged"].all()
    fitted = fit(frame)
    assert not fitted["normalizable"].any() and (fitted["diverged_share"] == 1).all()


def curves(values, seeds=(0,), **columns):
    """A made-up curve frame: {(optimizer, seed): losses}."""
    rows = []
    for (optimizer, seed), losses in values.items():
        for step, loss in enumerate(losses):
            rows.append(
                {"task": "t", "source": "none", "family": "f", "horizon": 2, "optimizer": optimizer, "seed": seed, "step": step}
            )
            rows[-1].update({split: loss for split in SPLITS}, diverged=not np.isfinite(loss))
    return pd.DataFrame(rows)


@pytest.mark.smoke
def test_normalizer_by_hand():
    frame = curves(
        {("a", 0): [4.0, 2.0, 3.0], ("a", 1): [6.0, 1.0, 2.0], ("b", 0): [4.0, -1.0, np.nan], ("b", 1): [6.0, 3.5, 0.0]}
    )
    row = fit(frame).query("split == 'test'").iloc[0]
    assert row["initial"] == 5.0  # the mean over seeds at step 0
    assert row["best"] == 1.25 and row["best_optimizer"] == "b"  # (-1 + 3.5) / 2; b's last point has diverged and can't count
    assert row["runs"] == 4 and row["diverged_share"] == 0.25
    n = Normalizer("t", "none", 2, "test", 5.0, 1.25, "b")
    assert n(5.0) == 1.0 and n(1.25) == 0.0
    assert n(1e9) == 2.0 and n(-1e9) == -2.0 and n(np.nan) == 2.0 and n(-np.inf) == 2.0
    np.testing.assert_allclose(n(np.array([5.0, np.inf, 3.125])), [1.0, 2.0, 0.5])
    assert n(n.inverse(0.3)) == pytest.approx(0.3)


def test_each_seed_counts_once_in_the_initial_loss():
    """Also where optimizers have unequal numbers of them; and one start that is not finite leaves no normalizer."""
    runs = {("a", 0): [10.0, 2.0, 3.0], ("a", 1): [2.0, 1.0, 2.0], ("b", 0): [10.0, 9.0, 8.0]}
    assert (fit(curves(runs))["initial"] == 6.0).all()
    assert not fit(curves({**runs, ("c", 2): [np.nan, np.nan, np.nan]}))["normalizable"].any()


def test_normalizer_of_negative_losses_and_of_none_below_the_start():
    row = fit(curves({("a", 0): [-10.0, -3000.0, -2000.0]})).iloc[0]
    assert row["normalizable"] and row["best"] == -3000.0
    assert not fit(curves({("a", 0): [1.0, 2.0, 3.0]}))["normalizable"].any()


def test_a_mean_that_is_rounded_to_above_equal_starts_normalizes_nothing():
    rng, rounded = np.random.default_rng(0), 0
    for _ in range(20):
        starts = rng.uniform(0.5, 1, 3)
        runs = {(name, seed): [starts[seed], 2.0, 3.0] for name in "abcdefg" for seed in range(3)}
        row = fit(curves(runs, seeds=range(3))).iloc[0]
        rounded += bool(row["best"] < row["initial"])
        assert not row["normalizable"]
    assert rounded > 0  # or this shows nothing


@pytest.mark.parametrize("wrong", [None, "4", [1.0, "x"], 1j, [[1.0], [1.0, 2.0]]])
def test_losses_that_are_no_numbers_are_not_normalized(wrong):
    n = Normalizer("t", "none", 2, "test", 5.0, 1.25, "b")
    with pytest.raises(ConfigError, match="loss .*: allowed are"):
        n(wrong)
    with pytest.raises(ConfigError, match="loss .*: allowed are known numbers, outside of tf.function"):
        tf.function(n, autograph=False)(tf.constant(1.0))


def test_the_best_optimizer_does_not_depend_on_the_order_of_rows_and_categories():
    """Runs that all diverge after step 0, or all reach a loss of exactly 0, are equals."""
    for losses, best in (
        ({"a": [1.0, np.nan, np.nan], "b": [1.0, np.nan, np.nan]}, "a"),
        ({"a": [1.0, 2.0, 0.0], "b": [1.0, 0.0, 0.0], "c": [1.0, 0.0, 0.0]}, "b"),
    ):
        frame = curves({(name, 0): values for name, values in losses.items()})
        for names in itertools.permutations(losses):
            shuffled = pd.concat([frame[frame["optimizer"] == name] for name in names])
            shuffled["optimizer"] = pd.Categorical(shuffled["optimizer"], categories=names)
            assert set(fit(shuffled)["best_optimizer"]) == {best}


@pytest.fixture(scope="module")
def swept(tmp_path_factory, table):
    root = tmp_path_factory.mktemp("swept")
    metadata = {
        "task": "own_regression_seed1",
        "family": "own_regression",
        "source": "none",
        "num_params": "21",
        "config": json.dumps(own_family.sample(1)),
    }
    store.check_options(root, options().as_json())
    store.write_table(
        table.replace_schema_metadata(metadata), store.curve_path(root, "none", "own_regression", "own_regression_seed1")
    )
    write_tables(root)
    return root


@pytest.mark.smoke
def test_loading(swept):
    frame = taskset.load_curves(root=swept)
    assert len(frame) == 30 and set(frame["source"]) == {"none"} and set(frame["family"]) == {"own_regression"}
    part = taskset.load_curves(task="own_regression_seed1", optimizer=RATES[:2], columns=["step", "train"], root=swept)
    assert list(part) == ["step", "train"] and len(part) == 20
    assert len(pd.read_parquet(swept / "curves")) == 30  # opens as it is
    tasks = taskset.load_tasks(root=swept)
    assert tasks["num_params"].item() == 21 and tasks["ms_per_step"].item() > 0
    assert taskset.load_optimizers(root=swept).set_index("optimizer").loc["adam_lr_-1.00", "learning_rate"] == 0.1
    normalizer = taskset.normalizer("own_regression_seed1", root=swept)
    first = frame[(frame["step"] == 0) & (frame["optimizer"] == RATES[0])]["train"].mean()
    assert normalizer(first) == pytest.approx(1.0, abs=1e-6)
    assert normalizer.best < normalizer.initial


def test_what_is_not_there_is_reported(swept, tmp_path):
    with pytest.raises(StoreError, match="no curves of task 'zzz'"):
        taskset.load_curves(task="zzz", root=swept)
    with pytest.raises(StoreError, match="no directory"):
        taskset.load_curves(root=tmp_path / "nowhere")
    with pytest.raises(StoreError, match="baseline"):
        taskset.load_curves(root=tmp_path)
    with pytest.raises(StoreError, match="no normalizer for task 'zzz'"):
        taskset.normalizer("zzz", root=swept)
    with pytest.raises(StoreError, match="horizon=99.*20"):
        taskset.normalizer("own_regression_seed1", horizon=99, root=swept)


def test_other_options_are_never_mixed(swept):
    with pytest.raises(StoreError, match="steps is 20 there, 40 here"):
        store.check_options(swept, options(steps=40).as_json())


def test_options_without_curves_keep_nobody_out(tmp_path):
    early, late = options(steps=40), options()
    for chosen in (early, late):  # the second is the first corrected, or a sweep that runs beside it
        baseline.plan(["own_regression_seed1"], chosen, tmp_path)
    sweep_to_file("own_regression_seed1", late, tmp_path)
    with pytest.raises(StoreError, match="steps is 20 there, 40 here"):
        sweep_to_file("own_regression_seed2", early, tmp_path)
    assert [path.stem for path in store.curve_files(tmp_path)] == ["own_regression_seed1"]


def test_a_file_cut_short_is_named(swept, tmp_path):
    import shutil

    root = tmp_path / "copy"
    shutil.copytree(swept, root)
    path = store.curve_path(root, "none", "own_regression", "own_regression_seed1")
    path.write_bytes(path.read_bytes()[:-200])
    for use in (
        lambda: taskset.load_curves(root=root),
        lambda: baseline.plan(["own_regression_seed1"], options(), root),
        lambda: write_tables(root),
    ):
        with pytest.raises(StoreError, match="own_regression_seed1.parquet is no complete Parquet file"):
            use()


def test_options_are_checked():
    with pytest.raises(ConfigError, match="multiple of 50"):
        options(steps=120, evaluations=50)
    with pytest.raises(ConfigError, match="batches 0: allowed"):
        options(batches=0)
    with pytest.raises(ConfigError, match="twice"):
        options(optimizers=("adam_lr_0.00", "adam_lr_0.00"))


def test_planning(tmp_path):
    infeasible = next(n for n in catalogue.list_tasks("conv_fc_family_seed*") if not catalogue.feasible(n))
    with pytest.raises(InfeasibleTask, match=infeasible):
        baseline.plan([infeasible], options(), tmp_path / "a")
    todo = baseline.plan([infeasible, "own_regression_seed1"], options(), tmp_path / "b")
    assert todo.waiting == ["own_regression_seed1"] and list(todo.infeasible) == [infeasible]
    with pytest.raises(UnknownName):
        baseline.plan(["own_regresion_seed1"], options(), tmp_path / "c")
    assert not (tmp_path / "c").exists()


TASKS = 4
SETTINGS = "--source synthetic --optimizer adam_lr_-[123].00 --steps 3000 --evaluations 30 --seeds 1 --batches 2 --workers 2"
COMMAND = [sys.executable, "-m", "taskset", "baseline", f"own_regression_seed[0-{TASKS - 1}]", "--import", str(OWN)]
COMMAND += SETTINGS.split()


def values(root):
    frame = taskset.load_curves(root=root).drop(columns="seconds")
    return frame.sort_values(["task", "optimizer", "seed", "step"]).reset_index(drop=True)


@pytest.mark.long
@pytest.mark.smoke
def test_interrupted_and_resumed_is_uninterrupted(tmp_path):
    """Killed in the middle (SIGINT), a half-written file left behind: the same command keeps what is finished, does the rest."""
    root = tmp_path / "resumed"
    # A suite in the background of a shell ignores SIGINT, and what it starts would, too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [*COMMAND, "--out", root], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    signal.signal(signal.SIGINT, before)
    deadline = time.monotonic() + 300
    curves = root / "curves"  # not of all of `root`, where claims come and go while it is walked through
    while not list(curves.rglob("own*.parquet")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    finished = {path: path.stat().st_mtime_ns for path in curves.rglob("own*.parquet")}
    assert process.returncode == 130 and "same command" in err and 1 <= len(finished) < TASKS
    torn = next(iter(finished)).parent / f".own_regression_seed{TASKS - 1}.parquet.{process.pid}.tmp"
    torn.write_bytes(b"half")

    again = subprocess.run([*COMMAND, "--out", root], capture_output=True, text=True, timeout=300, check=False)
    assert again.returncode == 0, again.stderr
    assert f"{len(finished)} finished before" in again.stdout
    assert all(path.stat().st_mtime_ns == modified for path, modified in finished.items()) and not torn.exists()

    whole = tmp_path / "whole"
    subprocess.run([*COMMAND[:-1], "1", "--out", whole], check=True, capture_output=True, timeout=300)
    pd.testing.assert_frame_equal(values(root), values(whole))
    assert (root / "sweep.json").read_text() == (whole / "sweep.json").read_text()
    assert len(values(root)) == TASKS * 3 * 31


def test_cores_are_known_where_the_system_has_no_affinity(monkeypatch):
    assert machine.cores() == len(os.sched_getaffinity(0))
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert machine.cores() == 6
