"""`taskset score`: candidates, suites by cost, rows, files."""

import functools
import itertools
import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import taskset
from taskset.errors import ConfigError, StoreError, UnknownName
from taskset.optimizers import get_optimizer
from taskset.samplers import installed
from taskset.scoring import (
    candidates,
    optimizer_code,
    rows,
    run_scores,
    score,
    score_file,
    shipped_rivals,
    standing_table,
    suites,
    trial_runs,
)
from taskset.scoring.suites import by_name, tiers

MINE = """
class Sign:
    rule = "sign"
    name = "sign"

    def __init__(self, learning_rate):
        self.learning_rate = learning_rate

    def hparams(self, horizon):
        return {"learning_rate": self.learning_rate}

    def init(self, params):
        return {}

    def update(self, grads, state, params, step, hparams):
        import tensorflow as tf

        return {path: w - hparams["learning_rate"] * tf.sign(grads[path]) for path, w in params.items()}, state


def sampler(rng):
    return {"learning_rate": 10 ** rng.uniform(-4, -1)}
"""


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


@pytest.fixture
def tiny(tmp_path):
    suite = tiers.load("1h:1")
    few = tuple(entry for entry in suite.tasks if entry.family == "quadratic_family")[:2]
    suites.save(replace(suite, name="tiny", tasks=few), tmp_path / "tiny.json")
    return tmp_path / "tiny.json"


def test_the_best_of_k_drawn_trials_is_the_mean_over_all_choices():
    rng = np.random.default_rng(0)
    looked_at, scored = rng.normal(size=6), rng.normal(size=6)
    for k in (1, 3, 6):
        every = [scored[list(c)][np.argmin(looked_at[list(c)])] for c in itertools.combinations(range(6), k)]
        assert rows.expected_of_best(looked_at, scored, k) == pytest.approx(np.mean(every))
    assert rows.best_of_first(looked_at, scored, 2) == scored[np.argmin(looked_at[:2])]


def test_tiers_cost_what_they_say():
    for tier in tiers.TIERS:
        suite = tiers.load(str(tier))
        assert (suite.name, suite.version) == (tier.name, tier.version) and not suite.unmeasured
        assert suite.rule["cost"] <= tier.seconds and sum(suite.rule["costs"].values()) == pytest.approx(
            suite.rule["cost"], abs=1
        )
        assert all(set(entry.scales) == {"train", "valid_outer", "test"} for entry in suite.tasks)
        families = [entry.family for entry in suite.tasks]
        assert max(families.count(family) for family in families) <= tier.per_family
    assert tiers.load("1m").tasks == tiers.load("1m:1").tasks
    with pytest.raises(UnknownName, match="1h:1"):
        tiers.load("2h")


def test_candidates(mine):
    found = candidates.candidate(f"{mine}:Sign", optimizer_code.sampler_of(f"{mine}:sampler"), 3)
    assert found.drawn and found.names == ("Sign@0", "Sign@1", "Sign@2") and found.code
    again = candidates.candidate(f"{mine}:Sign", optimizer_code.sampler_of(f"{mine}:sampler"), 5)
    assert again.trials[:3] == found.trials and len({t["learning_rate"] for t in again.trials}) == 5
    text = trial_runs.Text(f"{mine}:Sign", found.trials, found.name).candidate()
    assert text.as_json() == found.as_json() and text.names == found.names
    assert found.make(1, 10).learning_rate == found.trials[1]["learning_rate"]
    assert candidates.candidate("lion", {"learning_rate": 0.25}).make(0, 10).hparams(10)["learning_rate"] == 0.25
    with pytest.raises(ConfigError, match="'adam_lr_-3.00' with other hyperparameters is not the package's .* --name"):
        candidates.candidate("adam_lr_-3.00", {"beta1": 0.0})
    assert candidates.candidate("adam_lr_-3.00", {"beta1": 0.0}, name="flat").names == ("flat",)
    functions = mine.with_name("functions.py")
    functions.write_text(
        "def init(params):\n    return {}\n\n\ndef update(grads, state, params, step, hparams):\n    return params, {}\n"
    )
    plain = candidates.candidate(str(functions), {"rate": 0.5})
    assert plain.name == "functions" and plain.code and plain.make(0, 10).hparams(10) == {"rate": 0.5, "horizon": 10}
    functions.write_text('framework = "numpy"\n' + functions.read_text())
    assert candidates.candidate(str(functions), {"rate": 0.5}).make(0, 10).library == "numpy"
    listed = candidates.candidate("opt_list:3")
    assert len(listed.trials) == 3 and not listed.drawn and listed.make(2, 10).name == "opt_list_3@2"
    text = trial_runs.Text("opt_list:3", listed.trials, listed.name).candidate()
    assert text.as_json() == listed.as_json()


def pair_of(rate):
    def update(grads, state, params, step, hparams):
        return {path: w - rate * grads[path] for path, w in params.items()}, state

    return lambda params: {}, update


def test_an_objects_code_counts(tmp_path):
    import keras

    codes = [candidates.candidate(pair_of(rate)).code for rate in (0.1, 0.1, 0.2)]
    assert codes[0] == codes[1] != codes[2]
    assert candidates.candidate(pair_of(0.1)).name == "pair_of"
    adams = [candidates.candidate(keras.optimizers.Adam(rate)) for rate in (1e-2, 1e-2, 1e-6)]
    assert {found.name for found in adams} == {"adam"} and adams[0].as_json() == adams[1].as_json() != adams[2].as_json()
    assert candidates.candidate(keras.optimizers.Adam(1e-2, name="adam_own_2")).name == "adam_own_2"
    assert candidates.candidate((lambda params: {}, lambda *given: given)).name == "test_an_objects_code_counts"

    rng = np.random.default_rng(0)  # hidden in C
    unseen = (lambda params: {}, lambda g, s, p, t, h: ({path: w - rng.uniform() for path, w in p.items()}, s))
    one, other = candidates.candidate(unseen, name="same"), candidates.candidate(unseen, name="same")
    options = score.options_of(one, "synthetic", 40)
    trial_runs.plan(one, ["TwoD_Bowl1"], options, tmp_path)
    (tmp_path / "curves").mkdir()
    (tmp_path / "curves" / "some.parquet").write_bytes(b"")
    assert list(trial_runs.plan(one, ["TwoD_Bowl1"], options, tmp_path)) == ["TwoD_Bowl1"]
    with pytest.raises(StoreError, match=r"'same' is an object whose code can't be compared .*FILE\.py:NAME"):
        trial_runs.plan(other, ["TwoD_Bowl1"], options, tmp_path)


def test_an_edited_file_is_loaded_anew(tmp_path, monkeypatch):
    path = tmp_path / "edited.py"
    found = []
    for rate in ("0.1", "0.2", "0.1"):  # the same length, within a second
        path.write_text(f"RATE = {rate}\n\n\ndef make():\n    from taskset.optimizers import sgd\n\n    return sgd(RATE)\n")
        given = candidates.candidate(f"{path}:make")
        found.append((given.code, given.make(0, 10).hparams(10)["learning_rate"]))
    assert [rate for _, rate in found] == [0.1, 0.2, 0.1] and found[0] == found[2] and found[0][0] != found[1][0]

    monkeypatch.syspath_prepend(tmp_path)
    codes = [candidates.candidate("edited:make").code]
    path.write_text(path.read_text() + "# edited\n")
    codes += [candidates.candidate("edited:make").code for _ in range(2)]
    assert "" not in codes and codes[0] != codes[1] == codes[2]


@pytest.mark.parametrize(
    "given,error,says",
    [
        ({"optimizer": "liom"}, UnknownName, "lion"),
        ({"optimizer": "nowhere.py:Sign"}, ConfigError, "nowhere.py"),
        ({"optimizer": "lion", "hyperparameters": [{}], "trials": 2}, ConfigError, "sampler"),
        ({"optimizer": "lion", "hyperparameters": 3}, ConfigError, "a dict, a list"),
        ({"optimizer": "lion", "trials": 0}, ConfigError, "from 1"),
        ({"optimizer": "lion", "name": "a/b"}, ConfigError, "letters"),
        ({"optimizer": "taskset.optimizers:liom"}, ConfigError, "lion"),
    ],
)
def test_wrong_candidates(given, error, says):
    with pytest.raises(error, match=says):
        candidates.candidate(**given)


def test_a_missing_framework_is_named_and_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    mine = tmp_path / "mine.py"
    mine.write_text("import torch\n\nclass Mine(torch.optim.Optimizer):\n    pass\n")
    for given in ("torch:optim.Adam", f"{mine}:Mine"):
        with pytest.raises(ConfigError, match="can't load .*torch.*; pip install torch") as error:
            candidates.candidate(given)
        assert "frozen" not in str(error.value) and ("line 1" in str(error.value)) == ("mine" in given)
    with pytest.raises(ConfigError, match="can't load 'no_such.optim': there is no module 'no_such' here$"):
        candidates.candidate("no_such.optim:Adam")


def test_installed_packages_name_optimizers(monkeypatch):
    from taskset.optimizers import sgd

    class Entry:
        name, dist = "mine", None

        def load(self):
            return lambda text: sgd(0.1) if text == "special" else None

    monkeypatch.setattr(installed.metadata, "entry_points", lambda group: [Entry()] if group == "taskset.optimizers" else [])
    found = candidates.candidate("special")
    assert found.name == "special" and found.make(0, 10).rule.startswith("sgd ") and found.code
    with pytest.raises(UnknownName, match="speciel"):
        candidates.candidate("speciel")


def test_whether_a_name_is_of_an_installed_package(monkeypatch):
    def slow(text):
        raise AssertionError(f"{text} was made")

    slow.is_one = lambda text: text == "large"
    made = {"slow": slow, "quick": lambda text: object() if text == "special" else None}
    entries = [SimpleNamespace(name=name, dist=None, load=functools.partial(made.get, name)) for name in made]
    monkeypatch.setattr(installed.metadata, "entry_points", lambda group: entries)
    assert [installed.is_one(text) for text in ("large", "special", "other")] == [True, True, False]


@pytest.mark.parametrize(
    "code, said",
    [
        (
            "import no_such_module",
            "has optimizers and can't be imported: ModuleNotFoundError: .*theirs.py, line 1.; mend or uninstall it$",
        ),
        ("raise SystemExit(3)", "has optimizers and can't be imported: SystemExit: 3"),
        ("other = 1", "has optimizers and can't be imported: AttributeError"),
        ("make = 7", "fails when asked for optimizer 'special': TypeError"),
        ("def make(text):\n    return 1 / 0", "fails when asked for optimizer 'special': ZeroDivisionError.*theirs.py, line 2"),
        ("def make(text):\n    return 5", "asked for optimizer 'special', returned 5, which has no rule, hparams"),
    ],
)
def test_an_installed_package_that_fails(tmp_path, monkeypatch, code, said):
    install(tmp_path, "theirs", code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "theirs", raising=False)
    for find in (get_optimizer, candidates.candidate):
        with pytest.raises(ConfigError, match=f"^installed package 'theirs',? {said}"):
            find("special")


def test_two_installed_packages_with_one_name(tmp_path, monkeypatch):
    for name in ("ours", "theirs"):
        install(tmp_path, name, "def make(text):\n    return object() if text == 'muon_mined' else None")
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    said = "'muon_mined' is of several installed packages, taskset, ours, theirs: uninstall those that you don't need$"
    for find in (installed.optimizer, installed.is_one):
        with pytest.raises(ConfigError, match=said):
            find("muon_mined")


def install(folder, name, code):
    """A package with an entry point for optimizers, as pip leaves it in a folder."""
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[taskset.optimizers]\n{name} = {name}:make\n")
    (folder / f"{name}.py").write_text(code)


def test_what_else_can_be_given_is_a_sentence_of_its_own():
    for name in ("adam_lr_3e-4", "adma_lr_-3.00", "adam"):
        with pytest.raises(UnknownName, match=r"[a-z]\. Or give FILE\.py:NAME"):
            candidates.candidate(name)


def test_learned_names_its_checkpoints():
    from learned.evaluation.entry_point import optimizer

    assert len(optimizer("anchored_wide").trained_on) == 333  # 314 of 377 tasks of its suite, and 19 of the phase before
    assert optimizer("mlp_pes").uses_loss and optimizer("adam_lr_-3.00") is None and optimizer("some.py:Name") is None


@pytest.mark.smoke
def test_score(mine, tiny, tmp_path):
    out = tmp_path / "out"
    given = {"hyperparameters": [{"learning_rate": 1e-6}, {"learning_rate": 0.01}], "horizon": 400, "seeds": 2}
    found = taskset.score(f"{mine}:Sign", str(tiny), out, **given)
    own = [row for row in found.rows if row.own]
    assert [row.trials for row in own] == [1, 2] and own[0].runs == 4 and own[1].runs == 8 and own[0].milliseconds > 0
    assert own[1].summary("train")["mean"][0] < own[0].summary("train")["mean"][0]
    assert found.tuned.trials == 17 and found.tuned.won("train", found.tuned) == 0.5
    curves = taskset.load_curves(root=out)
    assert set(curves["optimizer"]) == {"Sign@0", "Sign@1"} and len(curves) == 2 * 2 * 2 * 51
    titles = [row.title for row in found.rows if not row.own]
    assert titles[1] == "Adam, tuned per task" and titles[0].startswith("Adam, one: adam_lr_")
    lines = standing_table.terminal(found)
    assert all(len(line) <= 80 for line in lines) and sum(line.startswith("Sign") for line in lines) == 6
    assert own[0].speed_up()[0] < own[1].speed_up()[0] and own[0].relative > 0 and found.tuned.speed_up()[0] <= 1
    assert (out / "profile.pdf").stat().st_size > 1000 and (out / "profile.png").stat().st_size > 1000
    assert r"Sign" in (out / "scores.tex").read_text() and "| Sign | 2 | test |" in (out / "scores.md").read_text()
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}
    again = taskset.score(f"{mine}:Sign", str(tiny), out, **{**given, "seeds": np.int64(2)})
    assert again.rows[0].values == found.rows[0].values
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")} == before
    with pytest.raises(StoreError, match="hyperparameters"):
        taskset.score(f"{mine}:Sign", str(tiny), out, **{**given, "hyperparameters": [{}, {}]})
    mine.write_text(MINE + "# edited\n")
    with pytest.raises(StoreError, match="code"):
        taskset.score(f"{mine}:Sign", str(tiny), out, **given)

    values = json.loads((out / "scores.json").read_text())
    for row in values["rows"]:
        for split in ("train", "test"):
            row[split]["tasks"] = {task: v - 0.125 for task, v in row[split]["tasks"].items()}
    (tmp_path / "b.json").write_text(json.dumps(values))
    both = score_file.read(out / "scores.json"), score_file.read(tmp_path / "b.json")
    assert [row.key for row in both[0]["rows"]] == [row.key for row in found.rows] and found.tuned.key
    assert "mean -0.125 [-0.125, -0.125]" in score_file.differences(*both)[0]
    assert "100%" in score_file.differences(*both)[0] and "mean +0.000" in score_file.differences(both[0], both[0])[0]
    assert score_file.differences(*both)[-1].startswith("over 2 tasks the intervals are too narrow")
    (tmp_path / "b.json").write_text(json.dumps({**values, "view": "mean"}))
    with pytest.raises(ConfigError, match="view"):
        score_file.differences(both[0], score_file.read(tmp_path / "b.json"))
    endless = json.dumps({**values, "rows": [{**values["rows"][0], "trials": 0}]}).replace('"trials": 0', '"trials": 1e999')
    for text in (json.dumps({**values, "rows": [3]}), endless):
        (tmp_path / "b.json").write_text(text)
        with pytest.raises(StoreError, match=r"b\.json can't be read \(.*\): make a scores\.json"):
            score_file.read(tmp_path / "b.json")


def test_one_worker_is_this_process(mine, tiny, tmp_path, monkeypatch):
    """Else a script without `if __name__ == "__main__"` would start itself again and again."""
    monkeypatch.setattr(trial_runs.pool, "run", lambda *given: pytest.fail("started processes"))
    for part in ("compute", "keep"):
        monkeypatch.setattr(trial_runs.marked.MarkedWork, part, lambda *given: None)
    found = candidates.candidate(f"{mine}:Sign", {"learning_rate": 0.1})
    text = trial_runs.Text(f"{mine}:Sign", found.trials, found.name)
    options = score.options_of(found, "synthetic", 40)
    totals = []
    done = trial_runs.run(found, ["a", "b"], options, tmp_path, text=text, report=lambda progress: totals.append(progress.total))
    assert done.finished == ["a", "b"] and totals == [2] * 4


def test_shorter_runs_are_evaluated_at_all_steps_at_which_the_baselines_were(mine):
    found = candidates.candidate(f"{mine}:Sign", {"learning_rate": 0.1})
    for longest in (2000, 10_000):
        grid = longest // 50
        for horizon in range(grid, longest + 1, grid):
            options = score.options_of(found, "synthetic", horizon, longest=longest)
            assert options.evaluations <= 50 and grid % (horizon // options.evaluations) == 0, horizon


def test_the_seeds_that_both_have_are_compared(mine, tiny, tmp_path):
    """The baselines of this suite have the seeds 0 and 1; more of one's own would make a luckier or unluckier mean."""
    given = {"hyperparameters": {"learning_rate": 0.01}, "horizon": 40, "batches": 1}
    two = score.score(f"{mine}:Sign", str(tiny), tmp_path / "two", seeds=2, **given)
    three = score.score(f"{mine}:Sign", str(tiny), tmp_path / "three", seeds=3, **given)
    one = score.score(f"{mine}:Sign", str(tiny), tmp_path / "one", seeds=1, **given)
    assert [row.values for row in three.rows] == [row.values for row in two.rows]
    assert "compared: the runs of seeds 0, 1, which both have (not those of seed 2)" in three.notes
    assert "compared: the runs of seed 0, which both have (not those of seed 1)" in one.notes
    assert not any("seed" in note for note in two.notes)
    assert one.tuned.values != two.tuned.values  # of one seed, too


def test_wrong_suites(mine, tiny, tmp_path):
    for given, error, says in (
        ({"horizon": 3000}, ConfigError, "2000"),
        ({"horizon": 77}, ConfigError, "horizon 77: .* 40, .., 2000; the nearest is 80"),
        ({"split": "some"}, UnknownName, "train, valid, test"),
        ({"view": "last"}, UnknownName, "end"),
    ):
        with pytest.raises(error, match=says):
            score.score("lion", str(tiny), tmp_path / "none", **given)
        assert not (tmp_path / "none" / "curves").exists()
    with pytest.raises(UnknownName, match="Allowed are problems:1, .*1m:1, 1h:1, 1d:2, rivals:1, .*json"):
        by_name.get_suite("nope")
    with pytest.raises(UnknownName, match="did you mean 'small'"):
        by_name.get_suite("smal")


def test_a_suite_called_as_the_table_of_rivals_does_not_get_its_rows(tiny):
    shipped = tiers.load("rivals:1")
    tasks = [entry.task for entry in shipped.tasks]
    assert len(shipped_rivals.rows(shipped, tasks, "end")) > 5
    assert shipped_rivals.rows(replace(suites.load(str(tiny)), name="rivals", version=1), tasks, "end") == []
    other = tuple(replace(entry, scales={**entry.scales, "train": (2.0, 1.0)}) for entry in shipped.tasks)
    assert shipped_rivals.rows(replace(shipped, tasks=other), tasks, "end") == []


def test_a_schedule_that_ends_with_the_run_can_be_scored(tiny, tmp_path):
    """The cost of a step is measured within the horizon, too."""
    path = tmp_path / "ending.py"
    path.write_text(
        "import numpy as np\nframework = 'numpy'\ndef init(params):\n    return None\n"
        "def update(grads, state, params, step, hparams):\n"
        "    rate = np.linspace(.01, 0, int(hparams['horizon']), dtype=np.float32)[step]\n"
        "    return {path: w - rate * grads[path] for path, w in params.items()}, state\n"
    )
    found = score.score(f"{path}:", str(tiny), tmp_path / "out", name="ending", seeds=1, batches=1, horizon=40)
    assert found.rows[0].relative > 0


def test_tasks_may_have_been_evaluated_at_different_steps():
    frame = pd.DataFrame(
        [(task, "adam", step) for task, every in (("a", 2), ("b", 5)) for step in range(0, 21, every)],
        columns=["task", "optimizer", "step"],
    )
    assert run_scores.common_steps([frame], 20) == [0, 10, 20]
    with pytest.raises(ConfigError, match="no common steps up to 15"):
        run_scores.common_steps([frame], 15)


def test_wrong_numbers_of_workers(tiny, tmp_path):
    for workers in (-1, 0, "2", True):
        with pytest.raises(ConfigError, match="workers .*: allowed is an integer of at least 1"):
            score.score("lion", str(tiny), tmp_path, workers=workers)
