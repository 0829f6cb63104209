"""Hyperparameters as users write them: what is read, what is refused, and when."""

import functools
import shlex

import numpy as np
import pytest

from taskset.cli import score as command
from taskset.errors import ConfigError, StoreError
from taskset.samplers import installed
from taskset.scoring import candidates, earlier_trials, score, trial_sets
from tests.normalization import made_up_sweeps as made

pytestmark = pytest.mark.elsewhere


@pytest.fixture
def run(run_here, monkeypatch):
    """`python -m taskset` where nothing may start TensorFlow: what it refuses, it refuses before that."""
    monkeypatch.setattr(command, "start_tensorflow", lambda threads: pytest.fail("TensorFlow was started"))
    return functools.partial(run_here, "taskset", "score")


def test_numbers_are_written_without_json():
    for text, values in (
        ("lr=0.02", {"lr": 0.02}),
        ("lr=.02, momentum=9e-1,steps=3", {"lr": 0.02, "momentum": 0.9, "steps": 3}),
        ('{"lr": 0.02}', {"lr": 0.02}),
        ("dir=1/sampler.py:lion", None),
    ):
        assert trial_sets.written(text) == values
    assert type(trial_sets.written("steps=3")["steps"]) is int


@pytest.mark.parametrize("text", ["lr", "lr=", "=3", "lr=fast", "lr=1,lr=2", "lr=1,", "l r=1", "betas=[0.9,0.99]", "3", ""])
def test_other_texts_are_refused_before_tensorflow_starts(run, text):
    status, _, err = run("lion", "--hyperparameters", text)
    assert status == 2 and f"hyperparameters {text!r}: allowed are numbers (learning_rate=0.01,momentum=0.9), JSON" in err


@pytest.mark.parametrize(
    "arguments,says",
    [
        (("--hyperparameters", "{'lr': 0.02}"), "no valid JSON"),
        (("--hyperparameters", "nowhere.json"), "can't read nowhere.json"),
        (("--hyperparameters", "lr=nan"), "finite numbers"),
        (("--hyperparameters", "lr=1", "--trials", "2"), "give a sampler to draw more"),
    ],
)
def test_hyperparameters_are_refused_before_tensorflow_starts(run, arguments, says):
    status, _, err = run("keras.optimizers:Adam", *arguments)
    assert status == 2 and err.startswith("error: ") and err.count("\n") == 1 and says in err


@pytest.mark.parametrize("text", ["null", "3", '"lr"', "true"])
def test_a_file_of_something_else_is_refused(run, tmp_path, text):
    (tmp_path / "given.json").write_text(text)
    status, _, err = run("lion", "--hyperparameters", tmp_path / "given.json")
    assert status == 2 and err.count("\n") == 1
    assert f"given.json: {text} is no set of hyperparameters; give an object or a list of objects" in err


def scored(root, *sets):
    """A directory with curves of a score with these hyperparameters."""
    made.write(root, tasks=made.TASKS[:1], optimizers=["Sign"])
    options = {key: value for key, value in made.store.read_options(root).items() if key != "crc32"}
    made.store.write_options(root, {**options, "hyperparameters": list(sets), "code": "abc"})
    return root


def test_other_hyperparameters_are_refused_with_what_keeps_both(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    scored(tmp_path / "scores" / "Sign-1m", {"lr": 0.01})
    status, _, err = run("mine.py:Sign", "--hyperparameters", "lr=0.02")
    assert status == 2 and err == (
        'error: scores/Sign-1m holds results with hyperparameters {"lr": 0.01}, not with hyperparameters {"lr": 0.02}: to '
        "keep both, add --name Sign-lr-0.02 --out scores/Sign-1m-lr-0.02\n"
    )
    assert "--name Sign-default --out scores/Sign-1m-default" in run("mine.py:Sign")[2]
    (tmp_path / "scores" / "Sign-1m-2").mkdir()
    both = '[{"lr": 0.01}, {"lr": 0.02}]'
    assert "not with 2 sets of hyperparameters: to keep both, add --name Sign-3 --out scores/Sign-1m-3" in run(
        "mine.py:Sign", "--hyperparameters", both
    )[2]  # fmt: skip


def test_what_keeps_both_can_be_pasted_into_a_shell(tmp_path):
    root = scored(tmp_path / "my scores", {"lr": 0.01})
    with pytest.raises(StoreError) as error:
        earlier_trials.check_same(root, "Sign", [{"lr": 0.02}])
    assert shlex.split(str(error.value).rpartition("add ")[2]) == ["--name", "Sign-lr-0.02", "--out", f"{root}-lr-0.02"]


def test_what_may_go_on_is_not_refused(tmp_path):
    root = scored(tmp_path / "mine", {"lr": 0.01})
    earlier_trials.check_same(root, "Sign", [{"lr": 0.01}])
    earlier_trials.check_same(tmp_path / "new", "Sign", [{"lr": 0.02}])
    two = scored(tmp_path / "two", {"lr": 0.01}, {"lr": 0.02})
    with pytest.raises(StoreError, match=r"holds results with 2 other sets of hyperparameters: to keep both"):
        earlier_trials.check_same(two, "Sign", [{"lr": 0.01}, {"lr": 0.03}])
    with pytest.raises(StoreError, match=r"with hyperparameters .*, not with the default hyperparameters"):
        earlier_trials.check_same(root, "Sign", [{}])
    made.write(tmp_path / "sweep", tasks=made.TASKS[:1])
    earlier_trials.check_same(tmp_path / "sweep", "Sign", [{"lr": 0.02}])  # `store.check_options` says what is there


class Plain:
    """An optimizer that takes a rate."""

    rule = name = "plain"

    def __init__(self, learning_rate, momentum=0.0):
        self.learning_rate, self.momentum = learning_rate, momentum

    def hparams(self, horizon):
        return {"learning_rate": self.learning_rate}

    def init(self, params):
        return {}

    def update(self, grads, state, params, step, hparams):
        return params, state


def test_unknown_hyperparameters_list_the_known_ones_and_leave_nothing_behind(tmp_path):
    with pytest.raises(ConfigError, match=r"'lr'; its hyperparameters are learning_rate, momentum$"):
        score.score(Plain, "1m", tmp_path / "out", hyperparameters={"lr": 0.1})
    assert not (tmp_path / "out").exists()
    with pytest.raises(ConfigError, match=r"its hyperparameters are learning_rate, beta_1, beta_2, epsilon"):
        candidates.candidate("keras.optimizers:Adam", {"lr": 0.1}).make(0, 10)


def test_of_many_trials_one_is_made_ahead_for_each_set_of_names(tmp_path, monkeypatch):
    made_ahead = []

    class Counted(Plain):
        def __init__(self, learning_rate, momentum=0.0):
            super().__init__(learning_rate, momentum)
            made_ahead.append((learning_rate, momentum))

    class Planned(Exception):
        """The runs would begin."""

    def stop(*given):
        raise Planned

    monkeypatch.setattr(score.trial_runs, "plan", stop)
    sets = [{"learning_rate": rate} for rate in (0.1, 0.2, 0.3)] + [{"learning_rate": 0.4, "momentum": 0.9}]
    with pytest.raises(Planned):
        score.score(Counted, "1m", tmp_path / "out", hyperparameters=sets)
    assert made_ahead == [(0.1, 0.0), (0.4, 0.9)]
    with pytest.raises(ConfigError, match=r"'lr'"):
        score.score(Counted, "1m", tmp_path / "out", hyperparameters=[*sets, {"lr": 0.1}])


def test_torch_knows_its_hyperparameters():
    pytest.importorskip("torch")
    with pytest.raises(ConfigError, match="hyperparameter 'rate' of 'SGD': allowed are lr, momentum"):
        candidates.candidate("torch.optim:SGD", {"rate": 0.1}).make(0, 10)


def test_torch_takes_its_parameters_by_place():
    torch = pytest.importorskip("torch")

    class ByPlace(torch.optim.SGD):
        def __init__(self, params, /, lr):
            super().__init__(params, lr=lr)

    class Starred(torch.optim.SGD):
        def __init__(self, *args, lr):
            super().__init__(*args, lr=lr)

    for kind in (ByPlace, Starred):
        steps = candidates.candidate(kind, {"lr": 0.1}).make(0, 10).begin(np.ones(2, np.float32), {"w": (2,)}, 10)
        assert steps._optimizer.param_groups[0]["lr"] == 0.1
        with pytest.raises(ConfigError, match=r"hyperparameter 'rate' of '\w+': allowed are lr$"):
            candidates.candidate(kind, {"rate": 0.1}).make(0, 10)


def test_a_checkpoint_is_loaded_once(run_here, tmp_path, monkeypatch):
    asked = []
    optimizer = installed.optimizer
    monkeypatch.setattr(installed, "optimizer", lambda text: asked.append(text) or optimizer(text))
    monkeypatch.setattr(score.trial_runs, "plan", lambda *given: pytest.fail("a plan is made"))
    with pytest.raises(pytest.fail.Exception, match="a plan is made"):
        run_here("taskset", "score", "muon_mined", "--suite", "1m", "--out", tmp_path / "out")
    assert asked == ["muon_mined"]
