"""Options of outer training: length schedules, suites, the command line."""

import json
import subprocess
import sys

import numpy as np
import pytest
import typer

import learned  # noqa: F401
from learned import choices, estimators, registry
from learned.cli.main import app
from learned.outer_training import checkpoint, length_schedules, objectives, outer_optimizer, task_pool
from learned.outer_training import trainer as outer
from learned.unrolling import rescaling
from taskset.errors import ConfigError, StoreError, TasksetError, UnknownName
from taskset.random import seeds
from taskset.scoring import suites
from taskset.scoring.suites.suite import TASK_SPLITS, split_of
from tests.learned.trainings import NAMES, options, suite


def test_length_schedules():
    rng = seeds.generator(0, "test")
    linear = length_schedules.parse("linear:20:200:100")
    assert [linear(step, rng) for step in (0, 50, 100, 1000)] == [20, 110, 200, 200] and linear.longest == 200
    assert length_schedules.parse("70")(5, rng) == 70
    log_uniform = length_schedules.parse("log_uniform:10:1000")
    drawn = np.array([log_uniform(0, rng) for _ in range(2000)])
    assert drawn.min() >= 10 and drawn.max() <= 1000 and np.mean(drawn < 100) == pytest.approx(0.5, abs=0.05)
    for text in ("", "0", "x", "linear:1:2", "log_uniform:9:5", "cosine:1:2", "linear:1:2:x"):
        with pytest.raises(TasksetError, match="llowed"):
            length_schedules.parse(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adamm"}, {"estimator": "pess"}, {"objective": "training"}, {"differences": "abs"}, {"pairs": 0},
        {"sigma": 1e300}, {"sigma": 1e-300}, {"learning_rate": 1e30}, {"clip": 0}, {"sigma": -1.0}, {"steps": 50},
        {"tasks_per_step": 9}, {"seed": -1}, {"lengths": "many"}, {"first_lengths": "later"},
        {"first_lengths": "spread", "estimator": "es_full"}, {"sigma": 0.5, "estimator": "bptt"},
        {"clip": 0.0}, {"augment": "all"},
    ],
)  # fmt: skip
def test_bad_options_are_one_line(changes):
    with pytest.raises(TasksetError, match="llowed") as error:
        options(**changes)
    assert "\n" not in str(error.value)


def test_numbers_of_numpy_are_saved_as_others():
    given = {"learning_rate": np.float32(0.5), "clip": np.int64(1), "weight_decay": np.float16(0.25), "sigma": np.float64(0.125)}
    found = options(**given, pairs=np.int64(4), family_weights={"quadratic_family": np.int64(2)})
    plain = options(**{name: float(value) for name, value in given.items()}, pairs=4, family_weights={"quadratic_family": 2.0})
    assert json.loads(json.dumps(found.as_json())) == plain.as_json()


def test_options_that_do_not_go_with_the_suite():
    with pytest.raises(ConfigError, match="horizon, 100"):
        options(lengths="101").check(suite())
    with pytest.raises(UnknownName, match="quadratic_family"):
        options(family_weights={"quadratic_famly": 1.0}).check(suite())
    with pytest.raises(ConfigError, match="no task in its split train"):
        options().check(suite(split="test"))
    with pytest.raises(ConfigError, match="at least one weight"):
        options(family_weights={"quadratic_family": 0.0}).check(suite(NAMES[1:]))


def test_names_without_tensorflow_are_those_with_it():
    assert objectives.names()[:3] == ["train", "valid", "noise"] and (*rescaling.MIXTURE, "mixed") == choices.AUGMENTATIONS
    assert {*choices.DIFFERENCES} == {*task_pool.DIFFERENCES} and {*choices.FIRST_LENGTHS} == {*task_pool.FIRST_LENGTHS}
    assert {*choices.CLIPPING} == {*outer_optimizer.CLIPPING}
    packaged = [name for name in estimators.names() if registry.estimators.own(name) is None]
    for trait, named in choices.TRAITS.items():
        assert {*named} == {name for name in packaged if getattr(estimators.get(name), trait, False)}
    assert {estimators.get(name).name for name in estimators.names()} == set(estimators.names())


def test_a_suite_is_its_file(tmp_path):
    suites.save(suite(), tmp_path / "suite.json")
    assert suites.load(tmp_path / "suite.json") == suite()
    values = json.loads((tmp_path / "suite.json").read_text())
    values["tasks"][0]["task"] = "quadratic_famly_seed0"
    (tmp_path / "wrong.json").write_text(json.dumps(values))
    with pytest.raises(UnknownName, match="quadratic_family_seed0"):
        suites.load(tmp_path / "wrong.json")
    for content in ("{", "[]", '{"name": "x"}', json.dumps({**values, "tasks": []}), json.dumps({**values, "more": 1})):
        (tmp_path / "wrong.json").write_text(content)
        with pytest.raises(StoreError, match="python -m taskset suite"):
            suites.load(tmp_path / "wrong.json")
    values["tasks"][0] = {**suite().as_json()["tasks"][0], "scales": {"train": [1.0, 2.0], "valid_outer": [2.0, 1.0]}}
    (tmp_path / "wrong.json").write_text(json.dumps(values))
    with pytest.raises(StoreError, match="best below initial"):
        suites.load(tmp_path / "wrong.json")


def test_splits_follow_from_names_alone():
    names = [f"mlp_family_seed{i}" for i in range(1000)]
    shares = {split: np.mean([split_of(name) == split for name in names]) for split in TASK_SPLITS}
    assert shares["train"] == pytest.approx(0.7, abs=0.05) and shares["test"] == pytest.approx(0.2, abs=0.04)
    # These are fixed for ever: a task that changes its split spoils every comparison with earlier results.
    assert [split_of(name) for name in names[:8]] == [
        "train",
        "train",
        "train",
        "train",
        "test",
        "train",
        "train",
        "valid",
    ]


@pytest.fixture(scope="module")
def baselines(tmp_path_factory):
    """A sweep of two small tasks."""
    from taskset.normalization.sweep.options import SweepOptions
    from taskset.normalization.sweep.runner import sweep_to_file
    from taskset.normalization.tables import write_tables

    root = tmp_path_factory.mktemp("baselines")
    chosen = SweepOptions(("adam_lr_-2.00", "adam_lr_-3.00"), "synthetic", 20, (0, 1), 1, 10)
    for name in ("quadratic_family_seed4", "TwoD_Bowl1"):
        sweep_to_file(name, chosen, root)
    write_tables(root)
    return root


def test_suites_are_made_from_baselines(baselines, tmp_path):
    from taskset.normalization.normalizer import normalizer

    made = suites.make("small", ["quadratic_family_seed?", "TwoD_Bowl1"], baselines, "synthetic", 20)
    assert [entry.task for entry in made.tasks] == ["quadratic_family_seed4", "TwoD_Bowl1"]
    for entry in made.tasks:
        for split, (initial, best) in entry.scales.items():
            known = normalizer(entry.task, split=split, root=baselines)
            assert (known.initial, known.best) == (initial, best)
        assert entry.split == split_of(entry.task)
    small = suites.make("small", ["quadratic_family_seed4", "TwoD_Bowl1"], baselines, "synthetic", 20, max_parameters=2)
    assert [entry.task for entry in small.tasks] == ["TwoD_Bowl1"]
    for wrong in (
        lambda: suites.make("small", ["quadratic_family_seed5"], baselines, "synthetic", 20),
        lambda: suites.make("small", ["TwoD_Bowl1"], baselines, "synthetic", 30),
        lambda: suites.make("small", ["TwoD_Bowl1"], baselines, "synthetic", 20, max_milliseconds=0.0),
    ):
        with pytest.raises(ConfigError, match="llowed"):
            wrong()


# The command line.


def run(*arguments):
    done = subprocess.run([sys.executable, "-m", "learned", *map(str, arguments)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.long
@pytest.mark.smoke
def test_command_line(baselines, tmp_path, run_here):
    status, said, _ = run(
        "suite", "quadratic_family_seed4", "--baselines", baselines, "--horizon", 20, "--out", tmp_path / "s.json"
    )
    assert status == 0 and "1 task of 1 family" in said
    common = ("train", "--tasks", tmp_path / "s.json", "--out", tmp_path / "o", "--optimizer", "learnable_adam", "--pairs", 2)
    common = (*common, "--steps", 5, "--lengths", 10, "--slots", 1, "--tasks-per-step", 1)
    status, said, err = run(*common, "--outer-steps", 3)
    assert status == 0, err
    assert "outer step 0 of 3" in said and len((tmp_path / "o" / outer.LOG).read_text().splitlines()) == 3
    status, said, _ = run(*common, "--outer-steps", 4)
    assert status == 0 and "outer step 3 of 4" in said and checkpoint.load(tmp_path / "o" / outer.LATEST).meta["step"] == 4
    for wrong, expected in (
        (("--outer-steps", 5, "--optimizer", "mpl"), "did you mean 'mlp'"),
        (("--outer-steps", 5, "--lengths", 21), "horizon, 20"),
        (("--outer-steps", 5, "--family-weight", "mlp_family"), "FAMILY=NUMBER"),
        (
            ("--outer-steps", 5, "--family-weight", "mlp_family=2", "--family-weight", "mlp_family=3"),
            "'mlp_family=3': mlp_family has one already; give each family once",
        ),
        (("--outer-steps", 5, "--tasks", tmp_path / "no.json"), "no.json: no such file or directory; make a suite"),
    ):
        status, _, err = run_here("learned", *common, *wrong)
        assert (status, len(err.strip().splitlines())) == (2, 1) and expected in err, err


def test_options_that_were_renamed_keep_their_old_names():
    params = {param.name: param.opts for param in typer.main.get_command(app).commands["train"].params}
    assert params["slots"] == ["--pool", "--slots"] and params["steps"] == ["--truncation", "--steps"]
