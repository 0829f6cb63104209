"""Judging learned optimizers: statistics against plain twins, made-up curves whose table is known, runs from a checkpoint."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import learned
import taskset
from learned import optimizers
from learned.evaluation import runs
from learned.outer_training import checkpoint
from taskset import catalogue
from taskset.errors import ConfigError, StoreError, TasksetError, UnknownName
from taskset.normalization import store
from taskset.normalization.normalizer import normalize
from taskset.normalization.store import file_metadata
from taskset.normalization.sweep import marked
from taskset.normalization.sweep.options import SweepOptions
from taskset.samplers.optimizers import opt_list_names
from taskset.scoring import comparison, comparison_table, run_scores, speedup, statistics, suites
from taskset.scoring.rivals import rivals_of
from taskset.scoring.suites.suite import Entry, Suite
from tests.learned.evaluation.made_up_results import write_learned
from tests.normalization import made_up_sweeps as made_up

# Statistics.


@pytest.mark.parametrize("n", [1, 3, 4, 10, 13])
def test_statistics_against_their_definitions(n):
    x = np.random.default_rng(n).normal(size=n) ** 3
    assert statistics.interquartile_mean(x) == pytest.approx(stats.trim_mean(x, 0.25))
    assert statistics.mean(x) == pytest.approx(sum(x) / n)
    ordered = sorted(x)
    assert statistics.median(x) == pytest.approx((ordered[(n - 1) // 2] + ordered[n // 2]) / 2)
    low, high = statistics.interval(x, statistics.interquartile_mean, seed=5)
    drawn = [stats.trim_mean(x[rows], 0.25) for rows in statistics.resamples(n, 5)]
    assert (low, high) == (pytest.approx(np.percentile(drawn, 2.5)), pytest.approx(np.percentile(drawn, 97.5)))
    assert low <= statistics.interquartile_mean(x) <= high


@pytest.mark.parametrize("n,lowest,highest", [(30, 0.88, 0.985), (7, 0.82, 0.92), (2, 0.44, 0.6)])
def test_intervals_cover_the_mean_less_often_over_few_tasks(n, lowest, highest):
    """What they say, nominally 95%, holds for many tasks alone: for few there is a note."""
    rng, covered = np.random.default_rng(0), 0
    for trial in range(200):
        low, high = statistics.interval(rng.normal(size=n), statistics.mean, seed=trial)
        covered += low <= 0 <= high
    assert lowest <= covered / 200 <= highest
    assert bool(statistics.narrow([n])) == (n < 20) and all(f"over {n} tasks" in note for note in statistics.narrow([n]))


def twin_speed_up(curve, horizon, steps, adam):
    """The definition, step by step, for one run."""

    def smooth(values):
        out = []
        for t in range(len(values)):
            weights = np.array([0.95 ** (t - i) for i in range(t + 1)])
            out.append(float(np.sum(weights * values[: t + 1]) / weights.sum()))
        return [min(out[: t + 1]) for t in range(len(out))]

    best = [min(v for v in column if np.isfinite(v)) for column in zip(*adam)]
    reach, goal = smooth(best), smooth(curve)[-1]
    for i, value in enumerate(reach):
        if value <= goal:
            if i == 0:
                return steps[0] / horizon
            return (steps[i - 1] + (steps[i] - steps[i - 1]) * (reach[i - 1] - goal) / (reach[i - 1] - value)) / horizon
    return np.inf


def test_speed_up_against_its_twin():
    rng, steps = np.random.default_rng(1), np.arange(0, 1001, 20)
    for _ in range(20):
        adam = 2 + np.cumsum(rng.normal(-0.05, 0.1, [3, 51]), axis=1)
        adam[2, 20:] = np.nan
        curve = 2 + np.cumsum(rng.normal(-0.05, 0.1, 11))
        found, known = speedup.speed_up(curve, 200, steps, adam), twin_speed_up(list(curve), 200, steps, adam.tolist())
        assert found == pytest.approx(0 if curve[-1] + min(curve) > 2 * curve[0] else max(known, 20 / 200))
    assert speedup.speed_up(np.array([2, np.nan]), 20, steps, adam) == 0.0
    assert speedup.speed_up(np.array([2, 0.5, 0.1, 50, 1e6]), 80, steps, adam) == 0.0 < known


def test_no_speed_up_is_finer_than_an_interval_between_evaluations():
    """Adam is there at the first evaluation: when before it, no curve says."""
    steps, adam = np.arange(0, 101, 10), np.linspace(3, -7, 11)[None]
    assert speedup.speed_up(np.linspace(3, 2.99, 11), 100, steps, adam) == 0.1
    assert speedup.speed_up(np.full(11, 3.0), 100, steps, adam) == 0.1  # it never fell


def test_an_optimizer_that_is_twice_as_fast_has_speed_up_two():
    fast, slow = np.linspace(3, 1, 2001)[::20], np.linspace(3, 1, 4001)[::20]
    steps = 20 * np.arange(len(slow))
    assert speedup.speed_up(fast, 2000, steps, slow[None]) == pytest.approx(2, rel=0.15)  # not 2: smoothing lags in evaluations


def test_normalized_views():
    losses = np.array([3.0, 2.0, 1.0, 5.0, np.nan])
    normalized = normalize(losses, 3.0, 1.0)
    np.testing.assert_allclose(normalized, [1, 0.5, 0, 2, 2])
    assert run_scores.view("end")(normalized) == 2 and run_scores.view("lowest")(normalized) == 0
    assert run_scores.view("mean")(normalized) == pytest.approx(1.1)
    with pytest.raises(UnknownName, match="unknown view 'lowst'; did you mean 'lowest'. Allowed are end, mean, lowest"):
        run_scores.view("lowst")


def test_tuning_and_global_rate():
    """Two tasks that want different rates: the global one is best on the mean, the tuned one on each, by what it looks at."""
    index = pd.MultiIndex.from_product([("train", "valid_outer"), ("a", "b")], names=["split", "task"])
    means = pd.DataFrame(index=index)
    means["adam_lr_-3.00"] = [0.1, 0.9, 0.5, 0.1]
    means["adam_lr_-2.00"] = [0.4, 0.4, 0.4, 0.2]
    means["adam_lr_-1.00"] = [2.0, 0.3, 0.3, 0.3]
    means["mine"] = [0.2, 0.2, 0.2, 0.2]
    found, notes = rivals_of(means, ["mine"])
    chosen = {(row.title.split(":")[0], row.trials): row.chosen for row in found}
    assert not notes and chosen == {
        ("mine", 1): {"a": "mine", "b": "mine"},
        ("Adam, one learning rate for all", 1): {"a": "adam_lr_-2.00", "b": "adam_lr_-2.00"},
        ("Adam, tuned per task by train loss", 3): {"a": "adam_lr_-3.00", "b": "adam_lr_-1.00"},
        ("Adam, tuned per task by validation loss", 3): {"a": "adam_lr_-1.00", "b": "adam_lr_-3.00"},
    }


def test_learned_list_takes_its_first_names_and_what_is_not_there_is_reported():
    index = pd.MultiIndex.from_product([("train", "valid_outer"), ("a", "b")], names=["split", "task"])
    names = opt_list_names(10)
    means = pd.DataFrame({name: np.arange(4) * 0.1 + 0.01 * i for i, name in enumerate(reversed(names))}, index=index)
    means["mine"], means["adam_lr_-1.00"] = 0.5, [0.1, np.nan, 0.1, 0.1]
    found, notes = rivals_of(means, ["mine"])
    assert [(row.trials, row.chosen["a"]) for row in found] == [(1, "mine"), (1, names[0]), (10, names[-1])]
    assert len(notes) == 1 and "1 of 1 optimizers lack" in notes[0]
    found, notes = rivals_of(means[["mine", *names[1:5]]], ["mine"])
    assert [row.title for row in found] == ["mine"]
    assert notes == ["nadamw_grid: 4 of 4 optimizers are left out: they are no first 1, 10 or 100 of the list"]


def test_an_optimizer_of_ones_own_is_a_row():
    index = pd.MultiIndex.from_product([("train", "valid_outer"), ("a", "b")], names=["split", "task"])
    means = pd.DataFrame({"mine": 0.5, "adam_lr_-1.00": 0.1, "lion_3e-4": 0.2, "sophia": [0.1, np.nan, 0.1, 0.1]}, index=index)
    found, notes = rivals_of(means, ["mine"])
    assert [(row.title, row.trials) for row in found if row.title in ("mine", "lion_3e-4")] == [("mine", 1), ("lion_3e-4", 1)]
    assert found[1].chosen == {"a": "lion_3e-4", "b": "lion_3e-4"}
    assert [(row.title, row.trials) for row in found[2:]] == [("adam_lr_-1.00", 1)]  # one rate is not tuned
    assert notes == ["sophia lacks curves of some task and is left out"]


# Tables from made-up curves.


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    root = tmp_path_factory.mktemp("compared")
    given = made_up.options()

    def good(task, seed):
        return made_up.curve(task, "adam_lr_-3.00", seed, given) * np.array([1, 0.9, 0.8, 0.7, 0.4])[:, None]

    def broken(task, seed):
        losses = good(task, seed)
        if (task, seed) == (made_up.TASKS[0], 1):
            losses[3:] = np.nan
        return losses

    made_up.write(root / "base")
    return root / "base", write_learned(root / "good", "good", good), write_learned(root / "broken", "broken", broken)


def test_table_of_made_up_curves(roots):
    """Every number of the table, computed again from the files with loops."""
    base, good, broken = roots
    found = comparison.compare([good, broken], base)
    curves = pd.concat([store.with_text_names(taskset.load_curves(root=root)) for root in (base, good, broken)])
    normalizers = taskset.load_normalizers(base).set_index(["task", "split"])

    def score(task, optimizer, split):
        values = []
        for seed in (0, 1):
            run = curves[(curves["task"] == task) & (curves["optimizer"] == optimizer) & (curves["seed"] == seed)]
            loss, scale = float(run[run["step"] == 20][split].iloc[0]), normalizers.loc[(task, split)]
            n = (loss - scale["best"]) / (scale["initial"] - scale["best"])
            values.append(2.0 if not np.isfinite(n) else float(np.clip(n, -2, 2)))
        return np.mean(values)

    rates = made_up.RATES
    best = {split: {t: min(rates, key=lambda r: score(t, r, split)) for t in made_up.TASKS} for split in ("train", "valid_outer")}
    overall = min(rates, key=lambda r: np.mean([score(t, r, "train") for t in made_up.TASKS]))
    expected = {
        ("good", 1): dict.fromkeys(made_up.TASKS, "good"),
        ("broken", 1): dict.fromkeys(made_up.TASKS, "broken"),
        (f"Adam, one learning rate for all: {overall}", 1): dict.fromkeys(made_up.TASKS, overall),
        ("Adam, tuned per task by train loss", 3): best["train"],
        ("Adam, tuned per task by validation loss", 3): best["valid_outer"],
    }
    assert len(found.table) == 2 * len(expected)
    for row in found.table.to_dict("records"):
        chosen = expected[row["title"], row["trials"]]
        values = np.array([score(task, chosen[task], row["split"]) for task in made_up.TASKS])
        assert (row["tasks"], row["runs"]) == (3, 6)
        assert row["diverged"] == (row["title"] == "broken")
        assert row["mean"] == pytest.approx(values.mean()) and row["median"] == pytest.approx(np.median(values))
        assert row["IQM"] == pytest.approx(stats.trim_mean(values, 0.25))
        drawn = values[statistics.resamples(3)].mean(axis=1)
        assert row["mean low"] == pytest.approx(np.percentile(drawn, 2.5))
    means = found.table.set_index(["title", "split"])["mean"]
    assert means["broken", "train"] > means["good", "train"] + 0.2  # the diverged run counts
    speedups = found.speedups.set_index(["title", "task"])["speedup"]
    assert speedups["broken", made_up.TASKS[0]] == 0 and speedups["good", made_up.TASKS[1]] > 0
    text = comparison_table.markdown(found)
    assert "| good | 1 | train | 3 | 0 of 6 |" in text and "| broken | 1 | test | 3 | 1 of 6 |" in text


def test_baselines_without_adam_give_no_speed_up_and_say_so(roots, tmp_path):
    _, good, _ = roots
    made_up.write(tmp_path / "list", optimizers=opt_list_names(1))
    found = comparison.compare([good], tmp_path / "list")
    assert found.speedups.empty and any(note.startswith("no speed-up on 3 tasks") for note in found.notes)
    assert set(found.table["title"]) == {"good", "NAdamW's learned list, first 1"}
    assert "no speed-up" in comparison_table.markdown(found)


def test_shorter_runs_are_compared_with_the_beginning_of_longer_baselines(roots, tmp_path):
    base, *_ = roots
    given = made_up.options()

    def short(task, seed):
        return made_up.curve(task, "adam_lr_-3.00", seed, given)[[0, 2]]

    write_learned(tmp_path, "short", short, steps=10, evaluations=1)
    found = comparison.compare([tmp_path], base)
    adam = found.per_task["adam_lr_-3.00"]
    np.testing.assert_allclose(found.per_task["short"], adam, rtol=1e-6)  # the same losses at steps 0 and 10, the same scores
    assert any("first 10" in note for note in found.notes)


def test_evaluations_of_different_tasks_are_compared_on_those_that_all_have(roots, tmp_path):
    base, good, _ = roots
    few = write_learned(tmp_path / "few", "few", lambda t, s: np.ones([3, 4]), made_up.TASKS[:2], evaluations=2)
    found, alone = comparison.compare([good, few], base), comparison.compare([few], base)
    assert f"left out: 1 task that not all evaluations have ({made_up.TASKS[2]})" in found.notes
    assert set(found.table["tasks"]) == {2} and {"good", "few"} < set(found.table["title"])
    columns = ["title", "split", "mean", "diverged"]
    adam = [frame.table[frame.table["title"].str.startswith("Adam")][columns] for frame in (found, alone)]
    pd.testing.assert_frame_equal(*(frame.reset_index(drop=True) for frame in adam))
    assert not any("not all evaluations" in note for note in alone.notes)
    last = write_learned(tmp_path / "last", "last", lambda t, s: np.ones([5, 4]), made_up.TASKS[2:])
    with pytest.raises(TasksetError, match="no task in common"):
        comparison.compare([few, last], base)


def test_what_can_not_be_compared_is_one_line(roots, tmp_path):
    base, good, _ = roots
    long = write_learned(tmp_path / "long", "long", lambda t, s: np.ones([3, 4]), steps=40, evaluations=2)
    odd = write_learned(tmp_path / "odd", "odd", lambda t, s: np.ones([4, 4]), steps=18, evaluations=3)
    other = write_learned(tmp_path / "other", "other", lambda t, s: np.ones([5, 4]), tasks=("TwoD_Bowl1",))
    for call, message in (
        (lambda: comparison.compare([long], base), "their horizons are \\[20\\]"),
        (lambda: comparison.compare([odd], base), "no common steps"),
        (lambda: comparison.compare([other], base), "no normalizers"),
        (lambda: comparison.compare([good, good], base), "two of the directories"),
        (lambda: comparison.compare([good, long], base), "allowed is one"),
        (lambda: comparison.compare([tmp_path], base), "no sweep.json"),
        (lambda: comparison.compare([good], base, "best"), "Allowed are end"),
    ):
        with pytest.raises(TasksetError, match=message) as error:
            call()
        assert "\n" not in str(error.value)


def test_forgotten_baselines_are_the_first_way_out(tmp_path):
    """Runs of 100 steps beside the package's of 2,000, which have no evaluation at step 100."""
    own = write_learned(tmp_path / "own", "own", lambda t, s: np.ones([11, 4]), steps=100, evaluations=10)
    with pytest.raises(TasksetError, match=r"no common steps .*: give the sweep .*, --baselines DIR, .*; or evaluate again"):
        comparison.compare([own])


def test_merged_baselines_serve_as_well(roots, tmp_path):
    """Suites and tables from `data ship`'s output are those from the sweep itself."""
    from taskset.normalization.release.ship import ship

    base, good, _ = roots
    ship([base], tmp_path / "merged")
    names = list(made_up.TASKS)
    one, other = (suites.make("s", names, root, "synthetic", 20) for root in (base, tmp_path / "merged"))
    assert one == other and len(one.tasks) == 3
    a, b = (comparison.compare([good], root) for root in (base, tmp_path / "merged"))
    pd.testing.assert_frame_equal(a.table, b.table)


# Runs from checkpoints.


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A checkpoint of Adam with learned settings: what it must do is known."""
    path = tmp_path_factory.mktemp("weights") / "weights.npz"
    theta = optimizers.get("learnable_adam").init_theta(0)
    meta = {"optimizer": "learnable_adam", "options": {"estimator": "pes"}, "step": 7}
    checkpoint.save(path, meta, {f"theta/{name}": np.asarray(value) for name, value in theta.items()})
    return path


def test_weights_that_change_during_an_evaluation_are_refused(weights, tmp_path):
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(Path(weights).read_bytes())
    judged = runs.named_checkpoint(path)
    assert runs.optimizer_of(judged).name == judged.name
    found = checkpoint.load(path)
    meta = {"optimizer": "learnable_adam", "options": {"estimator": "pes"}, "step": 8}
    checkpoint.save(path, meta, {f"theta/{name}": value + 0.5 for name, value in found.theta.items()})
    with pytest.raises(StoreError, match="has other weights than when the evaluation began: give a copy of it"):
        runs.optimizer_of(judged)


def test_the_optimizer_of_a_checkpoint_has_to_be_registered(tmp_path):
    path = tmp_path / "own.npz"
    meta = {"optimizer": "of_somebody", "options": {"estimator": "pes"}, "step": 8}
    checkpoint.save(path, meta, {"theta/rate": np.float32(1)})
    with pytest.raises(UnknownName, match="unknown learned optimizer 'of_somebody'.*--import MODULE adds"):
        runs.named_checkpoint(path)


def test_a_suite_is_given_by_its_name_or_file(weights, tmp_path):
    scales = {"train": [2.0, 1.0], "valid_outer": [2.0, 1.0]}
    entry = Entry("TwoD_Bowl10", "losg_tasks_family", "test", scales)
    suites.save(Suite("s", 1, "synthetic", 10, (entry,)), tmp_path / "suite.json")
    for given in (tmp_path / "suite.json", str(tmp_path / "suite.json")):
        done = learned.evaluate(weights, given, tmp_path / "o", seeds=1, batches=1, evaluations=1)
        assert done.finished in (["TwoD_Bowl10"], []) and not done.failed
    with pytest.raises(UnknownName, match="unknown suite 'TwoD_Bowl10'"):
        learned.evaluate(weights, "TwoD_Bowl10", tmp_path / "o")
    for wrong, said in (({"seeds": 1.5}, "seeds 1.5"), ({"seeds": 0}, "seeds 0"), ({"batches": "3"}, "batches '3'")):
        with pytest.raises(ConfigError, match=f"^{said}: allowed is an integer of at least 1"):
            learned.evaluate(weights, ["TwoD_Bowl10"], tmp_path / "o", horizon=10, **{"evaluations": 1, **wrong})


def test_curves_are_those_of_training(weights, tmp_path):
    """The same losses as the training loop gives without any store, at start and end, on all splits."""
    from learned.optimizers.as_optimizer import with_weights
    from taskset.execution.loop import Loop

    judged = runs.named_checkpoint(weights)
    assert judged.name == "learnable_adam_pes_7"
    options = SweepOptions((judged.name,), "synthetic", 20, (0, 1), 2, 4)
    waiting = marked.plan(judged, ["Digits_mlp32_bs128"], options, tmp_path)
    assert not runs.run(judged, waiting, options, tmp_path).failed
    assert marked.plan(judged, ["Digits_mlp32_bs128"], options, tmp_path) == []
    (file,) = store.curve_files(tmp_path)
    assert file_metadata.own_code(file, store.read_metadata(file)) == {f"checkpoint {judged.name}": f"weights {judged.digest}"}
    curves = taskset.load_curves(root=tmp_path)
    assert list(curves["step"].unique()) == [0, 5, 10, 15, 20] and set(curves["optimizer"]) == {judged.name}
    theta = checkpoint.load(weights).theta
    task = taskset.get_task("Digits_mlp32_bs128", source="synthetic")
    loop = Loop(task, with_weights(optimizers.get("learnable_adam"), theta), 5)
    run, evaluate = loop.start(1), loop.evaluation(1, 2)
    for _ in range(4):
        loop.train(run, {}, 5)
    for split, loss in evaluate(run.params).items():
        curve_loss = curves[(curves["seed"] == 1) & (curves["step"] == 20)][split].iloc[0]
        assert curve_loss == pytest.approx(loss, rel=1e-6)
    check_what_is_there(judged, options, tmp_path)
    for name, changed in (("another", {"optimizers": ("another",)}), (judged.name, {"batches": 3})):
        other, named = dataclasses.replace(options, **changed), runs.named_checkpoint(weights, name)
        with pytest.raises(StoreError, match="other options"):
            marked.plan(named, ["Digits_mlp32_bs128"], other, tmp_path)


def check_what_is_there(judged, options, root):
    """A finished file that isn't what its name says; and other people's files, which a start leaves alone."""
    name = "Digits_mlp32_bs128"
    path = store.curve_path(root, "synthetic", *catalogue.resolve(name)[:1], name)
    table, content = store.read_table(path), path.read_bytes()
    metadata = {key: value for key, value in store.read_metadata(path).items() if key != "rows"}
    for key, value, message in (
        ("task", "Digits_mlp64_bs128", "curves of task 'Digits_mlp64_bs128'"),
        ("source", "tfds", "curves of source 'tfds'"),
        ("config", "{}", "another config"),
        ("options", json.dumps({**json.loads(metadata["options"]), "seeds": [7]}), "seeds"),
        ("checkpoint", json.dumps({"optimizer": "learnable_adam", "digest": "x"}), "another checkpoint"),
    ):
        store.write_table(table.replace_schema_metadata({**metadata, key: value}), path)
        with pytest.raises(StoreError, match=message):
            marked.plan(judged, [name], options, root)
    path.write_bytes(content)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    ours = path.with_name(f".{name}.parquet.{dead.pid}.tmp")
    others = [root / ".notes.tmp", root / "sub" / ".notes.tmp", path.with_name(".notes.tmp"), root / f".x.parquet.{dead.pid}.tmp"]
    for file in (ours, *others):
        file.parent.mkdir(exist_ok=True)
        file.touch()
    runs.run(judged, [], options, root)
    assert not ours.exists() and all(file.exists() for file in others)


def run(*arguments):
    done = subprocess.run([sys.executable, "-m", "learned", *map(str, arguments)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_command_line(weights, tmp_path, run_here):
    made_up.write(tmp_path / "base")
    common = ("--horizon", 20, "--evaluations", 4, "--seeds", 2, "--batches", 2, "--name", "mine", "--out", tmp_path / "mine")
    status, said, err = run("evaluate", weights, "--tasks", "TwoD_Bowl10", *common)
    assert status == 0, err
    assert "1 task, 0 finished before" in said
    status, said, err = run("evaluate", weights, "--tasks", "TwoD_Bowl10", *common)
    assert status == 0 and "1 finished before" in said
    markdown = tmp_path / "table.md"
    status, said, err = run("compare", tmp_path / "mine", "--baselines", tmp_path / "base", "--markdown", markdown)
    assert status == 0, err
    assert max(map(len, said.splitlines())) <= 80
    assert "Adam, tuned per task by train loss" in said and "| mine | 1 | train | 1 | 0 of 2 |" in markdown.read_text()
    scales = {"train": [2.0, 1.0], "valid_outer": [2.0, 1.0]}
    entries = (Entry("TwoD_Bowl10", "losg_tasks_family", "train", scales),)
    suites.save(Suite("s", 1, "synthetic", 10, entries), tmp_path / "suite.json")
    (tmp_path / "gone.json").write_text(
        json.dumps({"name": "s", "version": 1, "source": "synthetic", "horizon": 9, "tasks": [
            {"task": "TwoD_Bwl10", "family": "losg_tasks_family", "split": "train", "scales": scales}]})
    )  # fmt: skip
    cut = tmp_path / "cut.npz"
    cut.write_bytes(weights.read_bytes()[:300])
    for wrong, expected in (
        (
            (weights, "--tasks", tmp_path / "suite.json", "--out", tmp_path / "x", "--horizon", 20),
            "longer than that of the suite's",
        ),
        ((weights, "--tasks", tmp_path / "suite.json", "--out", tmp_path / "x"), "no task in its split test"),
        ((weights, "--tasks", tmp_path / "gone.json", "--out", tmp_path / "x"), "did you mean"),
        ((weights, "--tasks", "TwoD_Bowl10", "--out", tmp_path / "x"), "give --horizon"),
        (
            (weights, "--tasks", "TwoD_Bowl10", "--horizon", "20", "--split", "train", "--out", tmp_path / "x"),
            "only suites have splits, and all named tasks are run; leave --split out",
        ),
        ((weights, "--tasks", "TwoD_Bowl10", *common[:-4], "--name", "adam_lr_-1.00", "--out", tmp_path / "x"), "another --name"),
        ((cut, "--tasks", "TwoD_Bowl10", *common), "cut short"),
    ):
        status, _, err = run_here("learned", "evaluate", *wrong)
        assert (status, len(err.strip().splitlines())) == (2, 1) and expected in err, err
