"""tools/one_run/ and tools/weights/short_runs.py: the runs behind docs/one_run.md."""

import dataclasses
import fnmatch
import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import taskset
from learned import optimizers
from learned.optimizers.as_optimizer import with_weights
from learned.outer_training.options import Options
from taskset.datasets.base import SPLITS
from taskset.errors import ConfigError, StoreError
from taskset.execution import loop
from taskset.normalization import store
from taskset.scoring.rivals import ADAM_TUNED
from taskset.scoring.suites.suite import Entry, Suite
from tools import one_run
from tools.one_run import run_curves, run_table, side_by_side, stage0, task_choice
from tools.weights import short_runs, valid_variant

TASK = "quadratic_family_seed3"
SUITE = Suite("s", 1, "synthetic", 2000, (Entry(TASK, "quadratic_family", "valid", {}),))


@pytest.mark.long
def test_runs_side_by_side_are_those_of_each_by_itself(tmp_path):
    anchored = optimizers.get("anchored")
    start = {path: np.asarray(w) for path, w in anchored.init_theta(0).items()}
    other = {path: w + 0.05 for path, w in start.items()}
    members = [*side_by_side.table(anchored, {"start": start, "other": other}), stage0.HandMade(0.1, "linear", True, False)]
    curves = side_by_side.run(SUITE, [TASK], members, (40, 80), tmp_path, seeds=(0,), batches=2)
    assert list(curves.groupby(["optimizer", "horizon"]).size()) == [2, 3] * 3 and not curves["diverged"].any()

    task, ends = taskset.get_task(TASK), {}
    for name, weights in (("start", start), ("other", other)):
        for horizon in (40, 80):
            params, _ = loop.train(task, with_weights(anchored, weights), horizon, interval=40)
            ends[name, horizon] = loop.Loop(task, with_weights(anchored, weights)).evaluation(0, 2)(params)["train"]
            found = curves[(curves["optimizer"] == name) & (curves["horizon"] == horizon)]
            np.testing.assert_allclose(found["train"].iloc[-1], ends[name, horizon], rtol=1e-3)
    assert ends["start", 80] != pytest.approx(ends["other", 80], rel=1e-2)

    again = side_by_side.run(SUITE, [TASK], members, (40, 80), tmp_path, seeds=(0,), batches=2, say=pytest.fail)
    pd.testing.assert_frame_equal(again, curves)
    with pytest.raises(StoreError, match="was begun with another plan .optimizers was"):
        side_by_side.run(SUITE, [TASK], members[:1], (40, 80), tmp_path, seeds=(0,), batches=2)
    retrained = [*side_by_side.table(anchored, {"start": start, "other": {p: w + 1 for p, w in start.items()}}), members[2]]
    with pytest.raises(StoreError, match="was begun with another plan .weights was"):
        side_by_side.run(SUITE, [TASK], retrained, (40, 80), tmp_path, seeds=(0,), batches=2)
    with pytest.raises(StoreError, match="was begun with another plan .source was"):
        side_by_side.run(dataclasses.replace(SUITE, source="tfds"), [TASK], members, (40, 80), tmp_path, seeds=(0,), batches=2)


@pytest.mark.parametrize("horizon, roots", [(2000, [None, "more"]), (10000, ["more"])])
def test_the_package_need_not_have_what_other_baselines_have(horizon, roots, monkeypatch):
    asked = []

    def load(root, **_):
        asked.append(root)
        rows = [(TASK, "adam_lr_-3.00", horizon, step, 0.5) for step in (0, horizon)]
        return pd.DataFrame(rows, columns=["task", "optimizer", "horizon", "step", "train"])

    monkeypatch.setattr(store, "load_sweeps", lambda: pd.DataFrame({"task": [TASK], "horizon": [2000]}))
    monkeypatch.setattr(store, "load_curves", load)
    suite = dataclasses.replace(SUITE, horizon=horizon)
    found = run_curves.baselines(suite, [TASK], [horizon], [0, horizon], ["more"])
    assert asked == roots and len(found) == 2 * len(roots)


def test_a_table_is_of_one_split():
    curves = pd.DataFrame({"task": [TASK, "another"], "train": 1.0})
    assert run_curves.of_split(curves, SUITE, "valid")["task"].tolist() == [TASK]
    with pytest.raises(ConfigError, match="no runs of split 'test' in these folders: give the --split"):
        run_curves.of_split(curves, SUITE, "test")


def test_evaluations_are_as_frequent_as_in_the_baselines_of_a_suite(tmp_path):
    assert side_by_side.interval_of(SUITE) == 40
    assert side_by_side.interval_of(dataclasses.replace(SUITE, horizon=10000)) == 200
    with pytest.raises(ConfigError, match="horizon 90: allowed are multiples of 40, the steps between evaluations"):
        side_by_side.run(SUITE, [TASK], [], (80, 90), tmp_path / "out")


def test_a_run_that_ended_counts_as_diverged_from_there_on():
    splits = {split: [1.0, np.inf] for split in ("train", "valid_inner", "valid_outer", "test")}
    frame = pd.DataFrame({"task": "t", "optimizer": "o", "horizon": 160, "seed": 0, "step": [0, 40], **splits})
    whole = side_by_side.filled(frame, 40)
    assert list(whole["step"]) == [0, 40, 80, 120, 160] and list(whole["diverged"]) == [False, True, True, True, True]
    assert whole["train"].isna().sum() == 4


@pytest.mark.parametrize(
    "schedule, fractions",
    [("constant", [1, 1, 1, 1]), ("linear", [1, 0.75, 0.5, 0.25]), ("flat, cosine", [1, 1, 1, 0.5])],
)
@pytest.mark.parametrize("normalised, scaled", [(False, False), (True, False), (False, True)])
def test_the_hand_made_rule_is_its_formula(schedule, fractions, normalised, scaled):
    rule, w = stage0.HandMade(0.1, schedule, normalised, scaled), np.array([3.0, -4.0])
    hparams, m, v = rule.hparams(4), 0.0, 0.0
    params = {"w": tf.constant(w, tf.float64)}
    state = rule.init(params)
    for step, fraction in enumerate(fractions):
        g, t = w - np.array([1.0, 0.5 * step]), step + 1
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        n = (0.9 * m / (1 - 0.9 ** (t + 1)) + 0.1 * g / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        n = n / np.sqrt(np.mean(n**2)) if normalised else n
        w = w - 0.1 * fraction * (np.sqrt(np.mean(w**2)) if scaled else 1.0) * n
        params, state = rule.update({"w": tf.constant(g)}, state, params, tf.constant(step), hparams)
        np.testing.assert_allclose(params["w"], w, rtol=1e-6)


def test_the_grid_has_36_settings_of_one_program():
    found = stage0.grid()
    assert len({one.name for one in found}) == len(found) == 36
    assert len({one.rule for one in found}) == len({tuple(one.hparams(10)) for one in found}) == 1


def test_tasks_come_family_by_family():
    entries = [Entry(name, name[0], "valid", {}) for name in ("a1", "a2", "a3", "b1")]
    assert task_choice.in_turn(entries) == ["a1", "b1", "a2", "a3"]


@pytest.mark.long
def test_no_test_task_of_the_provisional_suite_is_anything_else():
    from taskset.scoring.suites.suite import split_of

    suite = task_choice.provisional()
    assert all((entry.split == "test") == (split_of(entry.task) == "test") for entry in suite.tasks)
    others = Counter(entry.family for entry in suite.tasks if entry.split != "test")
    assert {entry.family for entry in suite.of_split("valid")} >= {
        family for family, n in others.items() if n >= task_choice.ASIDE_OF
    }
    assert all(entry.scales["train"][1] < entry.scales["train"][0] for entry in suite.tasks)


def test_a_few_training_tasks_of_each_family():
    entries = tuple(Entry(name, name[0], "train", {}) for name in ("a1", "a2", "a3", "a4", "b1", "b2", "c1"))
    suite = Suite("s", 1, "synthetic", 80, (*entries, Entry("a0", "a", "test", {})))
    few = task_choice.few(suite, [("a", 2), ("c", 0), ("*", 3)])
    assert [entry.task for entry in few.tasks] == ["a2", "a4", "b1", "b2"]


def test_adams_runs_are_cut_and_the_lists_have_their_own_horizon(monkeypatch):
    lengths = [("adam_lr_-2.00", 80), ("adam_lr_-2.00", 40), ("nadamw_grid_seed213", 80), ("nadamw_grid_seed213", 40)]
    rows = [(name, horizon, step) for name, horizon in lengths for step in (0, 20, 40, 80) if step <= horizon]
    frame = pd.DataFrame(rows, columns=["optimizer", "horizon", "step"]).assign(task=TASK, length=lambda rows: rows["horizon"])
    monkeypatch.setattr(
        "taskset.normalization.store.load_curves", lambda **chosen: frame[frame["horizon"].isin(chosen["horizon"])]
    )
    found = run_curves.baselines(dataclasses.replace(SUITE, horizon=80), [TASK], (40, 80), [0, 40, 80])
    of = {key: (set(part["length"]), list(part["step"])) for key, part in found.groupby(["optimizer", "horizon"])}
    assert of == {
        ("adam_lr_-2.00", 40): ({80}, [0, 40]),
        ("adam_lr_-2.00", 80): ({80}, [0, 40, 80]),
        ("nadamw_grid_seed213", 40): ({40}, [0, 40]),
        ("nadamw_grid_seed213", 80): ({80}, [0, 40, 80]),
    }


@pytest.fixture
def short_rules(monkeypatch):
    """The rules of `tools.weights.short_runs`, registered for one test."""
    from learned import registry

    monkeypatch.setattr(registry.optimizers, "_registered", dict(registry.optimizers._registered))
    short_runs.register()


@pytest.mark.parametrize("name", list(short_runs.VARIANTS))
def test_every_variant_is_allowed(short_rules, name):
    """What it trains has a weight for each of its globs, and it goes on after one that is trained before it."""
    from learned import optimizers

    variant = short_runs.VARIANTS[name]
    made = Options(**{**short_runs.BASE, **variant.options})
    paths = optimizers.get(made.optimizer).shapes
    assert all(any(fnmatch.fnmatchcase(path, glob) for path in paths) for glob in made.trained)
    assert not variant.after or list(short_runs.VARIANTS).index(variant.after) < list(short_runs.VARIANTS).index(name)


def test_what_was_judged_stays_where_it_is(tmp_path):
    """Plans of earlier judgements keep their weights, though more were trained since; also those of one that was interrupted."""
    judged = lambda weights: {place.name: list(part) for place, part in short_runs.places(tmp_path, "mlp", weights)}  # noqa: E731
    assert judged({"b": 1, "a, 3 minutes": 2}) == {"mlp": ["b", "a, 3 minutes"]}
    for name, there in (("mlp", ["b@200", "b@2000"]), ("mlp-2", ["d@200"])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "plan.json").write_text(json.dumps({"optimizers": there}))
    assert judged({"a": 1, "b": 2, "c": 3, "d": 4}) == {"mlp": ["b"], "mlp-2": ["d"], "mlp-3": ["a", "c"]}


def test_short_runs_start_at_the_same_rule(short_rules):
    """Two steps from hand-made weights: more or fewer hidden units change nothing, NAdam's direction is another."""
    from learned import optimizers

    def moved(name, horizon=2000.0, first=0, **differs):
        theta = {path: tf.constant(w) for path, w in short_runs.by_hand(name, differs).items()}
        rule, params = optimizers.get(name), {"w": tf.reshape(tf.range(6.0), [2, 3]), "b": tf.ones([3])}
        state = rule.init(theta, params)
        for step in range(first, first + 2):
            grads = {"w": tf.ones([2, 3]) * tf.constant([[1.0], [-2.0]]), "b": tf.ones([3])}
            planned = {"horizon": tf.constant(horizon)}
            params, state = rule.update(
                theta, grads, state, params, tf.constant(step), tf.constant(1.0), tf.constant(1.0), **planned
            )
        return np.concatenate([np.ravel(w) for w in params.values()])

    usual = moved("anchored_muon")
    np.testing.assert_allclose(moved(short_runs.WIDE), usual, rtol=1e-6)
    for first in (0, 700, 1500, 1900, 1998):  # where the schedule of the narrow one could differ
        np.testing.assert_allclose(moved(short_runs.NARROW, first=first), moved("anchored_muon", first=first), rtol=1e-5)
    np.testing.assert_allclose(moved(short_runs.ABSOLUTE), usual, rtol=1e-6)
    np.testing.assert_allclose(moved(short_runs.ABSOLUTE, 200.0), usual, rtol=1e-6)  # it isn't told the number of steps
    assert np.abs(moved("anchored_muon", 200.0) - usual).max() > 0.01
    assert np.abs(moved("anchored") - usual)[:6].max() > 1e-3
    assert np.abs(moved("anchored", normalised=True) - moved("anchored")).max() > 1e-3


def test_the_judged_tasks_of_short_runs_are_for_validation():
    suites_of = short_runs.judged_suites()
    assert len(suites_of["tiny"].tasks) == 15 and len(suites_of["package"].tasks) > 15
    assert {entry.split for suite in suites_of.values() for entry in suite.tasks} == {"valid"}
    trained = short_runs.training_suite()
    assert len(trained.tasks) > 50 and {entry.split for entry in trained.tasks} == {"train"}


def test_the_baselines_alone_are_the_rows_that_the_document_has():
    """Tuned Adam's of the test tasks, from the package's data."""
    from taskset.scoring.suites import by_name

    suite = by_name.get_suite("heldout:1")
    found, by_task = run_table.lines_of(run_curves.baselines_alone(suite, "test"), [], suite, "mean", "train")
    text = one_run.DOCUMENT.read_text(encoding="utf-8")
    for horizon in one_run.HORIZONS:
        line = found[horizon][ADAM_TUNED]
        assert line.rival.title == "Adam, tuned per task by train loss"
        assert f"| {' | '.join(map(str, line.cells()))} |" in text
        assert len(by_task[horizon][ADAM_TUNED].dropna()) == 111


def test_rows_of_short_runs_are_differences_to_the_base():
    """Losses 2, which is 1 of the scale, and then 1 + level: levels are differences of the end, half of them of the mean."""
    scales = dict.fromkeys(SPLITS, (2.0, 1.0))
    suite = Suite("s", 1, "synthetic", 2000, tuple(Entry(task, "f", "valid", scales) for task in ("a", "b")))
    levels = {"by hand": (0.6, 0.4), "base": (0.2, 0.4), "rms": (0.1, 0.1)}
    rows = [
        {"task": task, "optimizer": name, "horizon": horizon, "seed": 0, "step": step, "diverged": False}
        | dict.fromkeys(SPLITS, 1.0 + (level if step else 1.0))
        for name, of_tasks in levels.items()
        for task, level in zip("ab", of_tasks)
        for horizon in one_run.HORIZONS
        for step in (0, 40)
    ]
    found = {row[0]: row[1:] for row in short_runs.rows(pd.DataFrame(rows), suite, str.upper)}
    assert set(found) == set(levels) and found["base"][-2:] == ["", ""]
    says, mean, _, longer, _, difference, _ = found["rms"]
    assert (says, mean, longer) == ("RMS", "0.550", "0.550") and difference.startswith("-0.100 [-0.150, -0.050]")
    assert found["by hand"][1] == "0.750"


def test_the_difference_to_tuned_adam_is_paired_and_shown_without_quadratics():
    table = pd.DataFrame({"mine": [0.1, 0.3, -2.0], ADAM_TUNED: [0.2, 0.2, 0.0]}, index=["a", "b", "q"])
    families = {"a": "mlp_family", "b": "mlp_family", "q": run_table.QUADRATIC}
    (row,) = run_table.against_tuned(table, ["mine"], families)
    assert (row.optimizer, row.better, row.mean, row.iqm) == ("mine", "2 of 3", "0.200 / 0.200", "0.200 / 0.200")
    mean, low, high = (float(text.strip("[],")) for text in row.difference.split())
    assert mean == pytest.approx(-2 / 3, abs=1e-3) and -2 <= low < mean < high <= 0.1


def test_tasks_to_train_on_for_validation_losses_have_validation_losses_that_fall():
    suite = valid_variant.training_suite()
    assert len(suite.of_split("train")) > 50 and len(suite.of_split("valid")) > 5
    assert not {"tiny_quadratic"} & {entry.family for entry in suite.tasks}
    assert not any("mnist" in entry.task for entry in suite.tasks)
    flat = dataclasses.replace(suite.tasks[0], scales={"valid_outer": (2.3, 2.1)})
    assert not valid_variant.informative(flat)
    assert valid_variant.informative(dataclasses.replace(flat, scales={"valid_outer": (2.3, 2.0)}))


def test_the_choice_is_by_the_validation_losses_of_the_chosen_tasks():
    suite = valid_variant.training_suite()
    entry = suite.of_split("valid")[0]
    initial, best = entry.scales["valid_outer"]
    steps = np.arange(0, 201, 40)
    losses = {"falls": np.linspace(initial, best, len(steps)), "stays": np.full(len(steps), initial)}
    curves = pd.concat(
        pd.DataFrame(
            {
                "task": entry.task, "optimizer": name, "horizon": 200, "seed": 0, "step": steps, "diverged": False,
                "train": 0.0, "valid_inner": 0.0, "valid_outer": values, "test": 0.0,
            }
        )
        for name, values in losses.items()
    )  # fmt: skip
    rows = {row[0]: row[1:] for row in valid_variant.choice(curves, suite)}
    assert rows == {"falls": ["200", 1, "0.5000", "0.0000"], "stays": ["200", 1, "1.0000", "1.0000"]}


def test_a_section_is_written_where_it_is(monkeypatch, tmp_path):
    now, history = tmp_path / "now.md", tmp_path / "history.md"
    now.write_text("# Now\n\n<!-- mine -->\n<!-- /mine -->\n")
    history.write_text("# History\n\n<!-- theirs -->\n<!-- /theirs -->\n")
    monkeypatch.setattr(one_run, "DOCUMENT", now)
    monkeypatch.setattr(one_run, "HISTORY", history)
    assert [one_run.document_of(section) for section in ("mine", "theirs", "new")] == [now, history, now]


def test_a_directory_without_curves_is_an_error(tmp_path):
    with pytest.raises(StoreError, match="no curves in"):
        run_curves.read([tmp_path])
