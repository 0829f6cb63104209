"""Named suites, tasks that were not measured, and what the command line says of them."""

import dataclasses
import functools
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import taskset
from examples import own_family
from learned import estimators, optimizers
from learned.evaluation import runs
from learned.optimizers.as_optimizer import with_weights
from learned.outer_training import checkpoint, objectives, trainer
from learned.outer_training.options import Options
from taskset import catalogue, registry
from taskset.errors import ConfigError, StoreError, TasksetError, UnknownName
from taskset.execution import costs
from taskset.normalization.normalizer import normalizer
from taskset.normalization.sweep.options import SweepOptions
from taskset.normalization.sweep.runner import sweep_to_file
from taskset.normalization.tables import write_tables
from taskset.scoring import comparison, score, standing, suites
from taskset.scoring.suites import baseline_protocol, by_name, tiers
from taskset.scoring.suites.suite import from_json


@pytest.fixture
def call(run_here):
    """call(*arguments) -> (status, stdout, stderr) of `python -m learned`."""
    return functools.partial(run_here, "learned")


# Rules with names.


def test_rules_have_names_and_versions(call):
    assert len({str(r) for r in by_name.rules()}) == len(by_name.rules()) and all(r.version >= 1 for r in by_name.rules())
    status, said, _ = call("suite", "--list")
    table = said.partition("\n\n")[0].splitlines()[1:]
    assert status == 0 and [line.split()[0] for line in table if line[0] != " "] == by_name.list_suites()
    assert taskset.get_suite("1m") == tiers.load("1m:1") and taskset.list_suites() == by_name.list_suites()
    assert by_name.is_name("rivals") and not by_name.is_name("1x")
    with pytest.raises(UnknownName, match="did you mean 'small'"):
        by_name.rule("smal")
    with pytest.raises(UnknownName, match="Allowed are problems:1, small:1, mixed:1"):
        by_name.rule("small:9")


def test_a_suite_is_one_line_in_a_notebook():
    assert repr(taskset.get_suite("small:2")) == "<Suite small:2: 610 tasks, source synthetic, 2,000 steps>"


def test_a_name_alone_is_the_newest_version(monkeypatch):
    newer = by_name.SuiteRule("small", 2, "", ("quadratic_family_seed1",), 20)
    monkeypatch.setattr(by_name, "RULES", (newer, *by_name.RULES))
    assert by_name.rule("small") is newer and by_name.rule("small:1").version == 1


@pytest.fixture(scope="module")
def baselines(tmp_path_factory):
    root = tmp_path_factory.mktemp("baselines")
    chosen = SweepOptions(("adam_lr_-2.00", "adam_lr_-3.00"), "synthetic", 20, (0, 1), 1, 10)
    for name in ("quadratic_family_seed3", "quadratic_family_seed4", "TwoD_Bowl1"):
        sweep_to_file(name, chosen, root)
    write_tables(root)
    return root


def test_a_rule_makes_a_suite(baselines, monkeypatch, tmp_path, call):
    rule = by_name.SuiteRule("two", 3, "about", ("quadratic_family_seed?", "TwoD_Bowl?"), 20, max_parameters=10)
    monkeypatch.setattr(by_name, "RULES", (rule,))
    made = by_name.get_suite("two", baselines)
    assert (made.name, made.version, made.horizon, made.source) == ("two", 3, 20, "synthetic")
    known = ("quadratic_family_seed3", "quadratic_family_seed4", "TwoD_Bowl1")
    assert [e.task for e in made.tasks] == [name for name in known if catalogue.num_params(name) <= 10]
    assert "TwoD_Bowl1" in [e.task for e in made.tasks] and made.rule["max_parameters"] == 10
    status, _, err = call("suite", "--named", "two:3", "--baselines", baselines, "--out", tmp_path / "two.json")
    assert status == 0, err
    assert suites.load(tmp_path / "two.json") == made == by_name.get_suite(str(tmp_path / "two.json"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("x", "--out", "o.json"),
        ("x", "--horizon", 3),
        ("--out", "o.json"),
        ("x", "--named", "small", "--horizon", 3, "--out", "o.json"),
        ("x", "--join", "small", "--horizon", 3, "--out", "o.json"),
        ("--named", "small", "--join", "small", "--out", "o.json"),
    ],
)
def test_what_suite_needs(call, arguments):
    status, _, err = call("suite", *arguments)
    assert status == 2 and "allowed are `suite PATTERNS --horizon" in err and len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("way", [("--named", "small"), ("--join", "small", "--join", "1h")])
def test_suites_that_have_their_own_take_no_source_or_limits(call, way):
    for more in (("--horizon", 5), ("--source", "tfds"), ("--max-params", 10), ("--max-ms", 1), ("--unmeasured",)):
        status, _, err = call("suite", *way, *more, "--out", "o.json")
        assert status == 2 and f"{way[0]} takes no {more[0]}: what it makes has its own" in err


def test_scales_of_another_config_of_an_own_family_are_refused(tmp_path, monkeypatch):
    name, family = "own_regression_seed1", registry._families["own_regression"]
    sweep_to_file(name, SweepOptions(("adam_lr_-3.00", "adam_lr_-2.00", "adam_lr_-1.00"), "synthetic", 20, (0,), 2, 4), tmp_path)
    write_tables(tmp_path)
    made = suites.make("x", [name], tmp_path, "synthetic", 20)
    assert [entry.task for entry in made.tasks] == [name] and from_json(made.as_json(), "made") == made
    changed = dataclasses.replace(family, sample=lambda seed: family.sample(seed + 1))
    monkeypatch.setitem(registry._families, "own_regression", changed)
    with pytest.raises(ConfigError, match=f"another config of '{name}' than it has now: sweep it again"):
        suites.make("x", [name], tmp_path, "synthetic", 20)
    with pytest.raises(StoreError, match=f"^made: the config of task '{name}' is another than when the suite was made: sweep"):
        from_json(made.as_json(), "made")
    older = made.as_json()
    del older["tasks"][0]["config"]  # a suite of before configs were kept says nothing of it
    assert from_json(older, "older").tasks[0].config is None


def test_an_entry_that_is_not_there_is_an_unknown_name():
    suite = tiers.load("1m")
    assert suite.entry(suite.tasks[1].task) == suite.tasks[1]
    with pytest.raises(UnknownName, match="unknown task 'nope'. Allowed are those of the suite 1m:1"):
        suite.entry("nope")


def test_suites_of_the_packages_tasks_keep_no_config(baselines):
    made = suites.make("x", ["TwoD_Bowl1"], baselines, "synthetic", 20)
    assert list(made.as_json()["tasks"][0]) == ["task", "family", "split", "scales"]


def test_tasks_that_are_left_out_are_named_with_the_reason(baselines, call, tmp_path):
    chosen = ("quadratic_family_seed[34]", "quadratic_family_seed5", "TwoD_Bowl1", "--baselines", baselines)
    status, out, err = call("suite", *chosen, "--horizon", 20, "--max-params", 2, "--out", tmp_path / "o.json")
    assert status == 0 and "1 task of 1 family" in out
    assert "left out, not known to have 2 parameters at most: quadratic_family_seed3, quadratic_family_seed4" in err
    assert "left out, no normalizer at horizon 20: quadratic_family_seed5" in err
    status, _, err = call("suite", *chosen, "--horizon", 30, "--out", tmp_path / "o.json")
    assert status == 2 and "20" in err


def test_horizons_that_there_are_instead(baselines):
    with pytest.raises(ConfigError, match="horizon 2000.* package's baselines.*; there are normalizers at horizon 10000; "):
        suites.make("x", ["quadratic_family_seed15"], None, "synthetic", 2000)


def test_suites_that_are_joined(baselines, call, tmp_path):
    parts = [suites.make(n, [p], baselines, "synthetic", 20) for n, p in (("one", "quadratic_*seed?"), ("two", "TwoD_Bowl1"))]
    for part in parts:
        suites.save(part, tmp_path / f"{part.name}.json")
    status, said, err = call(
        "suite", "--join", tmp_path / "one.json", "--join", tmp_path / "two.json", "--out", tmp_path / "both.json"
    )
    assert status == 0 and "3 tasks of 2 families" in said, err
    both = suites.load(tmp_path / "both.json")
    assert both.tasks == parts[0].tasks + parts[1].tasks and both.rule == {"joined": ["one:1", "two:1"]}
    assert (both.name, both.source, both.horizon) == ("both", "synthetic", 20)
    older = dataclasses.replace(parts[1], taskset_version="0.1.0", modules=("mine",))
    assert suites.joined("x", [parts[0], older]).taskset_version == "0.1.0"
    assert suites.joined("x", [older, parts[0]]).modules == ("mine",)
    with pytest.raises(ConfigError, match="'TwoD_Bowl1' is in two"):
        suites.joined("x", [parts[1], parts[1]])
    with pytest.raises(ConfigError, match="agree in both"):
        suites.joined("x", [parts[0], dataclasses.replace(parts[1], horizon=30)])


# Tasks without a normalizer.


def test_unmeasured_suites_are_by_rule():
    made = suites.make_unmeasured("u", ["quadratic_family_seed*"], "synthetic", 50, max_milliseconds=0.2, max_parameters=20)
    assert made.unmeasured == [e.task for e in made.tasks] and 10 < len(made.tasks) < 1000
    for entry in made.tasks:
        assert costs.milliseconds(entry.task)[0] <= 0.2 and catalogue.num_params(entry.task) <= 20
    assert len(suites.make_unmeasured("u", ["quadratic_family_seed*"], "synthetic", 50).tasks) == 1000
    with pytest.raises(ConfigError, match="no task of"):
        suites.make_unmeasured("u", ["quadratic_family_seed1"], "synthetic", 50, max_parameters=0)


def test_a_glob_without_a_task_is_an_error_beside_others_that_have_some(baselines):
    for make in (
        lambda globs: suites.make("u", globs, baselines, "synthetic", 20),
        lambda globs: suites.make_unmeasured("u", globs, "synthetic", 50),
    ):
        with pytest.raises(TasksetError, match="no task matches 'mlp_famly_seed1\\*'.*did you mean"):
            make(["quadratic_family_seed*", "mlp_famly_seed1*"])


def test_tasks_of_unknown_size_are_in_suites_without_a_limit_only(monkeypatch):
    for size, most, small in (
        (None, 1e9, False),
        (float("nan"), 1e9, False),
        (None, math.inf, True),
        (5, 5, True),
        (6, 5, False),
    ):
        assert suites.is_small(size, most) == small
    monkeypatch.setattr(catalogue, "num_params", lambda task: None)
    with pytest.raises(ConfigError, match="no task of"):
        suites.make_unmeasured("u", ["quadratic_family_seed1"], "synthetic", 50, max_parameters=1e9)


def test_what_is_swept_has_equal_intervals():
    for horizon, expected in ((100, 50), (20, 20), (999, 37), (53, 1)):
        made = suites.make_unmeasured("u", ["TwoD_Bowl1"], "synthetic", horizon)
        options = baseline_protocol.options(made)
        assert (options.steps, options.evaluations, len(options.optimizers)) == (horizon, expected, 17)


TRAIN = ("--optimizer", "learnable_adam", "--pairs", 2, "--steps", 5, "--lengths", 10, "--pool", 1, "--tasks-per-step", 1)


def test_unmeasured_tasks_are_refused_or_measured(call, tmp_path):
    path, out = tmp_path / "s.json", tmp_path / "o"
    status, said, err = call("suite", "quadratic_family_seed4", "--unmeasured", "--horizon", 20, "--out", path)
    assert status == 0 and "1 task of" in said, err
    with pytest.raises(ConfigError, match="has no normalizer"):
        suites.load(path)
    train = ("train", "--tasks", path, "--out", out, "--outer-steps", 2, *TRAIN)
    status, _, err = call(*train)
    assert status == 2 and "'quadratic_family_seed4' has no normalizer" in err and len(err.strip().splitlines()) == 1
    assert call(*train, "--unmeasured", "guess")[0] == 2
    status, _, err = call(*train, "--unmeasured", "measure")
    assert status == 0, err
    kept = checkpoint.load(out / trainer.LATEST).meta
    (entry,) = kept["suite"]["tasks"]
    for split, (initial, best) in entry["scales"].items():
        known = normalizer("quadratic_family_seed4", split=split, root=out / "baselines")
        assert (initial, best) == (known.initial, known.best) and known.horizon == 20
    status, said, err = call(*train[:6], 3, *TRAIN, "--unmeasured", "measure")  # measured before: resumed
    assert status == 0 and "outer step 2 of 3" in said, err


def test_a_task_that_can_not_be_normalized_is_refused():
    made = suites.make_unmeasured("u", ["TwoD_Bowl1", "quadratic_family_seed4"], "synthetic", 20)
    with pytest.raises(ConfigError, match="couldn't be measured"):
        baseline_protocol.completed(made, None, lambda names, options, root: names[:1])


def test_measured_tasks_that_have_no_normalizer_are_named(baselines):
    made = suites.make_unmeasured("u", ["TwoD_Bowl1", "quadratic_family_seed5"], "synthetic", 20)
    with pytest.raises(ConfigError, match="'u': quadratic_family_seed5 can't be normalized"):
        baseline_protocol.completed(made, baselines, lambda names, options, root: [])
    ready = baseline_protocol.completed(suites.make_unmeasured("u", ["TwoD_Bowl1"], "synthetic", 20), baselines, lambda *_: [])
    assert ready.tasks[0].scales["train"] == pytest.approx(
        suites.make("u", ["TwoD_Bowl1"], baselines, "synthetic", 20).tasks[0].scales["train"]
    )


# Bad input: one line, exit status 2.


@pytest.fixture(scope="module")
def small(tmp_path_factory, baselines):
    path = tmp_path_factory.mktemp("suite") / "small.json"
    suites.save(suites.make("small", ["quadratic_family_seed4"], baselines, "synthetic", 20), path)
    return path


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--optimizer", "mpl"), "unknown learned optimizer 'mpl'; did you mean 'mlp'"),
        (("--estimator", "pess"), "unknown estimator 'pess'; did you mean 'pes'"),
        (("--objective", "test"), "unknown objective 'test'"),
        (("--lengths", "21"), "allowed is the suite's horizon, 20"),
        (("--device", "gpu:7"), "device 'gpu:7' is not there: allowed are those of this machine, cpu:0"),
        (("--device", "cuda"), "device 'cuda': allowed are cpu, gpu, tpu"),
        (("--strategy", "mirrored"), "device 'gpu' is not there"),
        (("--strategy", "central"), "unknown strategy 'central'. Allowed are one, mirrored, tpu"),
        (("--device", "cpu", "--workers", "2"), "workers is 2: allowed with --device or --strategy is 1"),
        (("--tasks", "smal"), "unknown suite 'smal'; did you mean 'small'"),
        (("--tasks", "no.json"), "can't read no.json"),
        (("--baselines", "runs"), "allowed with the name of a rule only"),
    ],
)
def test_bad_input_to_train(call, small, tmp_path, arguments, message):
    status, _, err = call("train", "--tasks", small, "--out", tmp_path, "--outer-steps", 1, *TRAIN, *arguments)
    assert status == 2 and re.search(re.escape(message), err) and len(err.strip().splitlines()) == 1, err


def test_a_suite_with_a_task_that_is_not_there(call, small, tmp_path):
    values = json.loads(small.read_text())
    values["tasks"][0]["task"] = "quadratic_famly_seed4"
    (tmp_path / "wrong.json").write_text(json.dumps(values))
    status, _, err = call("train", "--tasks", tmp_path / "wrong.json", "--out", tmp_path / "o", "--outer-steps", 1, *TRAIN)
    assert status == 2 and "did you mean 'quadratic_family_seed4'" in err and len(err.strip().splitlines()) == 1


def test_checkpoints_that_do_not_fit(call, small, tmp_path):
    """A device that is there, a checkpoint of another optimizer, one cut short: for resuming, and for an export."""
    train = ("train", "--tasks", small, "--out", tmp_path / "o", "--outer-steps", 1, *TRAIN)
    status, _, err = call(*train, "--device", "cpu", "--strategy", "one")
    assert status == 0, err
    path = tmp_path / "o" / trainer.LATEST
    found = checkpoint.load(path)
    assert found.meta["device"] == "OneDeviceStrategy(cpu:0)" and Options(**found.meta["options"]).seed == 0
    status, said, err = call(*train[:6], 2, *TRAIN)  # and resumes elsewhere
    assert status == 0 and "outer step 1 of 2" in said and checkpoint.load(path).meta["device"] == "cpu", err
    found = checkpoint.load(path)
    status, said, _ = call("export", path, "--out", tmp_path / "e" / "adam.npz")
    assert status == 0 and said.splitlines() == [str(tmp_path / "e" / name) for name in ("adam.npz", "numpy_update.py")]
    np.testing.assert_array_equal(checkpoint.load(tmp_path / "e" / "adam.npz").theta["log_epsilon"], found.theta["log_epsilon"])
    status, _, err = call(*train, "--optimizer", "mlp")
    assert status == 2 and "other options (optimizer)" in err and len(err.strip().splitlines()) == 1
    path.write_bytes(path.read_bytes()[:-30])
    for again in (train, ("export", path, "--out", tmp_path / "f.npz")):
        status, _, err = call(*again)
        assert status == 2 and "cut short" in err and len(err.strip().splitlines()) == 1


# A file never runs code.

EVIL = "import pathlib\npathlib.Path(__file__).with_name('ran').touch()\n"
OWN = Path(own_family.__file__)


@pytest.fixture
def wanting(tmp_path, small):
    """A suite file that names a module which would leave a trace, and a task that only such a module could have."""
    evil = tmp_path / "evil.py"
    evil.write_text(EVIL)
    values = json.loads(small.read_text())
    entry = {**values["tasks"][0], "task": "evil_family_seed1", "family": "evil_family"}

    def write(**changes):
        (tmp_path / "evil.json").write_text(json.dumps({**values, "modules": [str(evil)], **changes}))
        return tmp_path / "evil.json"

    return write, entry, tmp_path / "ran"


def test_the_modules_of_a_suite_are_never_imported(call, wanting, tmp_path):
    write, entry, ran = wanting
    path = write(tasks=[entry])
    for command in (
        ("train", "--tasks", path, "--out", tmp_path / "o", "--outer-steps", 1, *TRAIN),
        ("evaluate", "mlp_pes", "--tasks", path, "--out", tmp_path / "e"),
    ):
        status, _, err = call(*command)
        assert status == 2 and f"--import {tmp_path}/evil.py" in err and len(err.strip().splitlines()) == 1, err
    assert suites.load(write()).modules == (str(tmp_path / "evil.py"),)  # all its tasks are known: nothing is wanted
    with pytest.raises(UnknownName, match="--import"):
        from_json(json.loads(path.read_text()) | {"tasks": [entry]}, "a checkpoint")
    assert not ran.exists()


def test_the_modules_that_a_user_names_reach_the_workers(tmp_path):
    """In processes of their own, where nothing is registered yet."""
    entry = {"task": "own_regression_seed1", "family": "own_regression", "split": "train"}
    scales = {"train": [2.0, 0.1], "valid_outer": [2.0, 0.1]}
    values = {"name": "own", "version": 1, "source": "synthetic", "horizon": 10, "modules": [str(OWN)]}
    (tmp_path / "own.json").write_text(json.dumps({**values, "tasks": [{**entry, "scales": scales}]}))
    command = [sys.executable, "-m", "learned", "evaluate", "mlp_pes", "--tasks", tmp_path / "own.json", "--split", "all"]
    command = [*command, "--out", tmp_path / "o", "--seeds", 1, "--batches", 1, "--evaluations", 1]
    for imports, status in (((), 2), (("--import", OWN), 0)):
        done = subprocess.run([*map(str, [*command, *imports])], capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stderr
        assert status == 0 or f"--import {OWN}" in done.stderr
    assert len(list((tmp_path / "o").rglob("own_regression_seed1.parquet"))) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"horizon": "many"}, {"horizon": 0}, {"horizon": 1e9}, {"horizon": True}, {"source": "web"}, {"source": ["tfds"]},
        {"version": "1"}, {"name": 3}, {"modules": [1]}, {"modules": 3}, {"rule": []}, {"tasks": {}}, {"tasks": 3},
        {"tasks": [3]},
        {"task": 3}, {"task": ["x"]}, {"task": "x" * 10**6}, {"family": "mlp_family"}, {"family": 4}, {"split": "all"},
        {"split": ["train"]}, {"scales": 3}, {"scales": {"train": [2.0]}},
        {"scales": {"train": [2.0, float("nan")], "valid_outer": [2.0, 1.0]}},
        {"scales": {"train": [float("inf"), 1.0], "valid_outer": [2.0, 1.0]}},
        {"scales": {"train": [2.0, -float("inf")], "valid_outer": [2.0, 1.0]}},
        {"scales": {"train": [2.0, 1.0, 0.0], "valid_outer": [2.0, 1.0]}},
        {"scales": {"train": [10**400, 1.0], "valid_outer": [2.0, 1.0]}},
        {"more": "x" * 10**6},
    ],
)  # fmt: skip
def test_a_suite_with_wrong_fields(small, tmp_path, change):
    values = json.loads(small.read_text())
    of_task = {"task", "family", "split", "scales"} & set(change)
    if of_task:
        values["tasks"][0] |= change
    else:
        values |= change
    (tmp_path / "s.json").write_text(json.dumps(values))
    with pytest.raises(TasksetError) as error:
        suites.load_any(tmp_path / "s.json")
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


@pytest.mark.parametrize(
    "call",
    [
        lambda: by_name.rule(3), lambda: by_name.get_suite(None), lambda: suites.load_any(3),
        lambda: from_json(None, "x"),
        lambda: suites.make("x", ["TwoD_Bowl1"], None, "web", 2000), lambda: runs.named_checkpoint("mlp_pes", 3),
        lambda: suites.make_unmeasured("x", ["TwoD_Bowl1"], "tdfs", 20), lambda: comparison.compare([]),
        lambda: comparison.compare("runs"), lambda: with_weights(optimizers.get("mlp"), None), lambda: optimizers.get(["mlp"]),
        lambda: estimators.get(3), lambda: objectives.get([]),
        lambda: Options("mlp", seed=0.9), lambda: Options("mlp", seed=True),
        lambda: Options("mlp", pairs="2"), lambda: Options("mlp", pairs=2.5), lambda: Options("mlp", family_weights=[1]),
        lambda: Options("mlp", clip=float("nan")), lambda: Options("mlp", lengths=3),
        lambda: optimizers.get("mlp").init_theta(0.9),
        lambda: checkpoint.load("x" * 5000), lambda: checkpoint.load("a\0.npz"),
    ],
)  # fmt: skip
def test_wrong_arguments_in_python_are_one_line(call):
    with pytest.raises(TasksetError) as error:
        call()
    assert "\n" not in str(error.value) and len(str(error.value)) < 500


def test_seeds_are_integers_of_any_kind():
    assert Options("mlp", seed=np.int64(3)) == Options("mlp", seed=3) and type(Options("mlp", seed=np.int64(3)).seed) is int


@pytest.mark.parametrize("content", ["", "[" * 10**5, "3", "null", '"x"', "\0", "{}", '{"tasks": null}'])
def test_a_file_that_is_no_suite(tmp_path, content):
    (tmp_path / "s.json").write_text(content)
    with pytest.raises(StoreError, match="suite") as error:
        suites.load_any(tmp_path / "s.json")
    assert "\n" not in str(error.value)


def test_a_suite_of_own_baselines_is_scored_beside_them(small, baselines, tmp_path):
    given = {"hyperparameters": {"learning_rate": 0.001}, "batches": 1}
    found = score.score("lion", str(small), tmp_path / "out", baselines=baselines, **given)
    assert found.tasks == ["quadratic_family_seed4"] and found.horizon == 20
    assert [row.title for row in found.rows if row.own] == ["lion"]
    assert sum("Adam" in row.title for row in found.rows) >= 2  # one rate, and the best of the two
    with pytest.raises(ConfigError, match=r"the package has no curves of .*seed4' over 20 steps .* --baselines"):
        score.score("lion", str(small), tmp_path / "none", **given)
    with pytest.raises(ConfigError, match=r"seeds '2': allowed is an integer of at least 1"):
        score.score("lion", str(small), tmp_path / "none", seeds="2", baselines=baselines, **given)
    assert not (tmp_path / "none").exists()
    assert not any("scales" in note for note in found.notes)
    made = suites.load(small)
    moved = dataclasses.replace(made.tasks[0], scales={**made.tasks[0].scales, "train": (2.0, 1.0)})
    suites.save(dataclasses.replace(made, tasks=(moved,)), tmp_path / "other.json")
    again = score.score("lion", str(tmp_path / "other.json"), tmp_path / "out", baselines=baselines, **given)
    assert again.scales["quadratic_family_seed4", "test"] == found.scales["quadratic_family_seed4", "test"]
    expected = f"on 1 of 1 tasks the suite's scales of train and validation loss are not those of {baselines}, which normalize"
    assert any(note.startswith(expected) for note in again.notes)


def test_a_suites_own_scales_of_test_losses_stay_beside_those_of_baselines(small, baselines):
    """Suites that were joined may have these of some tasks only."""
    own, measured = suites.load(small), suites.make("bowl", ["TwoD_Bowl1"], baselines, "synthetic", 20)
    entry = dataclasses.replace(own.tasks[0], scales={**own.tasks[0].scales, "test": (2.0, 1.0)})
    both = dataclasses.replace(own, tasks=(entry, *measured.tasks))
    scales, notes = standing._scales(both, both.names_of("all"), baselines)
    assert scales["quadratic_family_seed4", "test"] == (2.0, 1.0) and ("TwoD_Bowl1", "test") in scales and not notes


def test_a_rule_is_scored_on_the_tasks_and_scales_of_the_baselines_that_are_named(baselines, monkeypatch, tmp_path):
    """Those of the package would be other tasks, or other scales of train than of test losses."""
    rule = by_name.SuiteRule("two", 3, "about", ("quadratic_family_seed[34]", "TwoD_Bowl?"), 20)
    monkeypatch.setattr(by_name, "RULES", (rule,))
    given = {"hyperparameters": {"learning_rate": 0.001}, "batches": 1, "baselines": baselines}
    found = score.score("lion", "two:3", tmp_path / "out", **given)
    assert found.tasks == ["quadratic_family_seed3", "quadratic_family_seed4", "TwoD_Bowl1"]
    for (task, split), scale in found.scales.items():
        known = normalizer(task, split=split, horizon=20, root=baselines)
        assert scale == (known.initial, known.best)
    assert {split for _, split in found.scales} == {"train", "valid_outer", "test"}
    with pytest.raises(ConfigError, match=r"has no curves of .* over 2000 steps"):  # a file: its tasks and scales stay
        score.score("lion", "1m", tmp_path / "file", **given)


def test_baselines_that_no_suite_would_follow_are_refused(baselines, small, monkeypatch, tmp_path, call):
    monkeypatch.setattr(by_name, "RULES", (by_name.SuiteRule("bowl", 1, "about", ("TwoD_Bowl?",), 20),))
    joined = "suite", "--join", small, "--baselines", baselines, "--out", tmp_path / "out.json", "--join"
    status, _, err = call(*joined, "bowl")
    assert status == 0, err
    assert [e.task for e in suites.load(tmp_path / "out.json").tasks] == ["quadratic_family_seed4", "TwoD_Bowl1"]
    for command in ((*joined, small), ("suite", "TwoD_Bowl1", "--horizon", 20, "--unmeasured", *joined[3:7])):
        status, _, err = call(*command)
        assert status == 2 and "allowed" in err and "aselines" in err and len(err.strip().splitlines()) == 1
