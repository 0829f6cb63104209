"""Optimizers of a user's own, registered under a name: everywhere where a name of the package works."""

import functools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import taskset
from learned.deploy import pretrained
from taskset import optimizers, plugins, registry
from taskset.cli import sweeps
from taskset.errors import ConfigError, UnknownName
from taskset.execution.loop import train
from taskset.normalization.release import check
from taskset.normalization.tables import optimizers_frame
from taskset.samplers import installed
from taskset.samplers.optimizers import all_optimizers, fixed_optimizers

OWN = Path(__file__).parents[2] / "examples" / "own_optimizer.py"  # not imported: --import is to do that
TASK = "quadratic_family_seed12"  # without noise
pytestmark = pytest.mark.usefixtures("registered_here")


@pytest.fixture
def run(run_here, monkeypatch):
    """run(*arguments) -> (status, stdout, stderr) of `python -m taskset`."""
    monkeypatch.setattr(sweeps, "start_tensorflow", lambda: None)  # it is running already
    return functools.partial(run_here, "taskset")


def test_the_example_in_a_baseline_beside_adam(run, tmp_path):
    assert run("list", "--optimizers", "sign_*", "--import", OWN)[1].split() == ["sign_momentum", "sign_momentum_fast"]
    options = ("--steps", 50, "--evaluations", 5, "--seeds", 2, "--batches", 1, "--workers", 1, "--out", tmp_path)
    chosen = ("--optimizer", "sign_*", "--optimizer", "adam_lr_-[23].00", "--import", OWN)
    status, out, err = run("baseline", TASK, *options, *chosen)
    assert status == 0 and "4 optimizers x 2 seeds x 50 steps" in out, err
    curves = taskset.load_curves(root=tmp_path)
    assert set(curves["optimizer"]) == {"sign_momentum", "sign_momentum_fast", "adam_lr_-2.00", "adam_lr_-3.00"}
    # The same runs as in a program of one's own, on the starts that Adam had.
    means = curves[curves["seed"] == 0].pivot(index="step", columns="optimizer", values="train")
    assert (means.loc[0] == means.loc[0, "adam_lr_-2.00"]).all() and (means.loc[50] < means.loc[0]).all()
    params, _ = train(taskset.get_task(TASK), taskset.get_optimizer("sign_momentum_fast"), 50)
    loss = taskset.get_task(TASK).loss(params, {}, 0)
    np.testing.assert_allclose(means.loc[50, "sign_momentum_fast"], loss, rtol=1e-5)
    rows = taskset.load_optimizers(root=tmp_path).set_index("optimizer")
    assert rows.loc["sign_momentum_fast", ["learning_rate", "decay"]].tolist() == [0.01, 0.9]
    assert rows.loc["sign_momentum", "learning_rate"] == 0.001 and np.isnan(rows.loc["adam_lr_-2.00", "decay"])
    assert rows["family"].isna().tolist() == [name.startswith("sign") for name in rows.index]
    assert run("baseline", TASK, *options, *chosen)[0] == 0  # resumed: nothing is left to do
    with registry.restored():
        for name in registry.own_optimizers():  # as in a process without --import
            registry.forget(name)
        assert run("normalize", tmp_path)[0] == 0
        pd.testing.assert_frame_equal(taskset.load_optimizers(root=tmp_path).set_index("optimizer"), rows, check_like=True)
        assert not [line for line in check.check(tmp_path) if "optimizers.parquet" in line]
    status, _, err = run("train", TASK, "--optimizer", "sign_momentun", "--import", OWN)
    assert status == 2 and "did you mean 'sign_momentum'" in err


def test_a_cell_may_run_again_and_another_function_may_not():
    cell = """
import taskset
from taskset import optimizers

@taskset.register_optimizer("mine", learning_rate={rate})
def mine(learning_rate):
    return optimizers.sgd(learning_rate)
"""
    for rate in (0.5, 0.25):
        exec(cell.format(rate=rate), {"__name__": "__main__"})
        assert taskset.get_optimizer("mine").settings == {"learning_rate": rate}
        assert taskset.get_optimizer_config("mine") == [{"learning_rate": rate}, None]
    with pytest.raises(ConfigError, match="'mine' is registered already, by another module"):
        exec(cell.format(rate=1), {"__name__": "elsewhere"})
    with pytest.raises(ConfigError, match="registered already"):
        taskset.register_optimizer("mine")(lambda: None)
    assert all_optimizers()[-1] == "mine"


def test_what_the_function_returns_gets_the_registered_name():
    for rate in (0.1, 0.2):
        taskset.register_optimizer(f"slow_adam_{rate}", learning_rate=rate, beta1=0.99)(optimizers.adam)
    found = taskset.get_optimizer("slow_adam_0.2")
    assert found.name == "slow_adam_0.2" and found.rule == "adam" and found.settings["beta1"] == 0.99
    assert optimizers.adam(0.2).name.startswith("adam(")

    @taskset.register_optimizer("still")
    class Still:
        rule = "still"

        def hparams(self, horizon):
            return {}

        def init(self, params):
            return {}

        def update(self, grads, state, params, step, hparams):
            return params, state

    assert taskset.get_optimizer("still").name == "still" and optimizers_frame(["still"])["family"].tolist() == [None]
    _, losses = train(taskset.get_task(TASK), taskset.get_optimizer("still"), 3)
    assert len(set(losses)) == 1


@pytest.mark.parametrize("name", ["lab/own", "", "own_seed3", 7, None, ["x"]], ids=repr)
def test_names_that_files_can_not_have_are_refused(name):
    with pytest.raises(ConfigError, match=r"optimizer name .*allowed are up to 100 letters"):
        taskset.register_optimizer(name)


@pytest.mark.parametrize("name", ["adam_lr_-3.00", "adam_lr_mine", "adagrad_lr_x", "lion", "nadamw_grid", "adam_lr"])
def test_names_of_the_package_are_taken(name):
    with pytest.raises(ConfigError, match="names of the package's optimizers, .* are taken; choose another name"):
        taskset.register_optimizer(name)
    assert [name for name in all_optimizers() if name.startswith("adam_lr")] == fixed_optimizers()[:17]


@pytest.mark.parametrize(
    "hyperparameters, said",
    [
        ({"rate": "fast"}, "rate 'fast' of optimizer 'mine': allowed is a finite number"),
        ({"rate": float("nan")}, "rate nan of optimizer 'mine'"),
        ({"family": 3}, "hyperparameter 'family' of optimizer 'mine'"),
    ],
)
def test_hyperparameters_that_tables_can_not_hold(hyperparameters, said):
    with pytest.raises(ConfigError, match=said):
        taskset.register_optimizer("mine", **hyperparameters)
    with pytest.raises(UnknownName):
        taskset.get_optimizer("mine")


def test_a_function_that_fails_or_returns_something_else():
    @taskset.register_optimizer("broken", rate=1)
    def broken(rate):
        return rate / 0

    with pytest.raises(ConfigError, match=r"optimizer 'broken' can't be made: ZeroDivisionError: .*test_own_optimizer.py, line"):
        taskset.get_optimizer("broken")
    taskset.register_optimizer("dict")(dict)
    with pytest.raises(ConfigError, match="'dict' returned {}, which has no rule, hparams, init: return an optimizer"):
        taskset.get_optimizer("dict")


def test_a_file_that_fails_leaves_nothing_registered(tmp_path):
    file = tmp_path / "half.py"
    file.write_text("import taskset\n@taskset.register_optimizer('half')\ndef half(): pass\nraise KeyError(3)\n")
    with pytest.raises(ConfigError, match="line 4"):
        plugins.load([str(file)])
    with pytest.raises(UnknownName):
        taskset.get_optimizer_config("half")


def test_hyperparameters_that_steps_would_get_as_others():
    class Drawing:
        name = rule = "drawing"

        def hparams(self, horizon):
            return {"seed": 123456789}

        def init(self, params):
            return {}

        def update(self, grads, state, params, step, hparams):
            return params, state

    with pytest.raises(ConfigError, match="hyperparameter 'seed' of 'drawing' is 123456789: .* float32, where it is 123456792"):
        train(taskset.get_task(TASK), Drawing(), 2)


@pytest.mark.parametrize("name", pretrained.names())
def test_names_of_an_installed_package_are_taken(name):
    with pytest.raises(ConfigError, match="an installed package has an optimizer of this name; choose another name"):
        taskset.register_optimizer(name)


def test_a_package_that_can_not_be_asked_for_its_names_does_not_stop_others(monkeypatch):
    """It may be the one that is being imported. Names of the others are taken all the same."""
    loaded = installed._loaded

    def broken(entry):
        if isinstance(entry, str):
            raise ConfigError("installed package 'lab' has optimizers and can't be imported")
        return loaded(entry)

    entries = installed._entries()
    monkeypatch.setattr(installed, "_entries", lambda: ["broken", *entries])
    monkeypatch.setattr(installed, "_loaded", broken)
    taskset.register_optimizer("mine", learning_rate=0.1)(optimizers.sgd)
    assert taskset.get_optimizer("mine").name == "mine"
    with pytest.raises(ConfigError, match="an installed package has an optimizer of this name"):
        taskset.register_optimizer("muon_mined")


@pytest.mark.parametrize("value", [None, "0.1", np.array([0.1, 0.2])], ids=repr)
def test_hyperparameters_that_are_no_numbers(value):
    drawing = optimizers.Elementwise(
        "own", "own", lambda t, w, g, rate: (w,), (), {"rate": 0.1}, lambda horizon, rate: {"rate": value}
    )
    with pytest.raises(ConfigError, match="hyperparameter 'rate' of 'own' is .*: allowed is a number"):
        train(taskset.get_task(TASK), drawing, 2)
