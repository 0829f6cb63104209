"""The weights that come with the package."""

import functools
import itertools

import numpy as np
import pytest
from typer.testing import CliRunner

import learned
import taskset
from learned import optimizers
from learned.cli import main
from learned.deploy import numpy_update, pretrained
from learned.deploy.export import load_weights
from learned.evaluation import runs
from learned.optimizers.as_optimizer import with_weights
from taskset.cli import sweeps
from taskset.errors import StoreError, UnknownName
from taskset.execution import loop
from tools.weights import anchored_controller


@pytest.mark.parametrize("name", pretrained.names())
def test_they_fit_their_optimizer_and_tell_how_they_were_trained(name):
    found = load_weights(name)
    assert all(np.isfinite(w).all() for w in found.theta.values())
    described = pretrained.describe(name)
    assert described.startswith(f"{name}: {found.optimizer} by ") and f"{found.meta['step']} outer steps" in described
    assert runs.named_checkpoint(name).optimizer == found.optimizer


def test_the_command_lists_them():
    result = CliRunner().invoke(main.app, ["pretrained"])
    assert result.exit_code == 0 and len(result.output.strip()) > 20
    assert max(map(len, result.output.splitlines())) <= 80
    output = " ".join(result.output.split())
    assert all(pretrained.describe(name) in output for name in pretrained.names())  # ":100:" is no emoji
    assert pretrained.BEST in pretrained.names() and f"validation tasks: {pretrained.BEST};" in result.output


def test_they_know_the_tasks_of_all_their_phases_and_none_is_held_out():
    """The suites of the last phases alone would leave out most: 81 of those of `anchored_valid`."""
    trained_on = {name: set(load_weights(name).trained_on) for name in pretrained.names()}
    for phases in (("anchored_pes", "anchored_wide", "anchored_valid"), ("muon_wide", "muon_whole", "muon_mined")):
        for before, after in itertools.pairwise(phases):
            assert trained_on[before] and trained_on[before] <= trained_on[after]
    held_out = {task for suite in ("heldout:1", "heldout-valid:1") for task in taskset.get_suite(suite).names_of("all")}
    assert len(held_out) > 200 and not held_out & set().union(*trained_on.values())
    wide = pretrained.describe("anchored_wide")
    assert "on 314 tasks of 17 families (synthetic data), before on 19 others, episodes" in wide


def test_files_are_found_as_before_and_unknown_names_are_reported(tmp_path):
    assert pretrained.find(tmp_path / "mlp_pes.npz") == tmp_path / "mlp_pes.npz"
    with pytest.raises(UnknownName, match="unknown checkpoint 'mlp_pess'; did you mean 'mlp_pes'"):
        load_weights("mlp_pess")
    with pytest.raises(UnknownName, match="Allowed are .*mlp_pes.*, and files"):
        load_weights("no_such_weights")
    for file in ("no_such_weights.npz", tmp_path / "mlp_pess"):
        with pytest.raises(StoreError, match="can't read the checkpoint .*: no such file"):
            load_weights(file)


def test_anchored_controller_is_what_its_script_makes():
    """Learned step sizes, NAdam's directions."""
    meta, theta = anchored_controller.made()
    shipped, trained = load_weights("anchored_controller"), load_weights(anchored_controller.TRAINED)
    assert shipped.meta["about"] == meta["about"] and shipped.theta.keys() == theta.keys()
    assert all(np.array_equal(shipped.theta[path], w) for path, w in theta.items())
    changed = {path for path, w in trained.theta.items() if not np.array_equal(w, theta[path])}
    assert changed == {"mlp/linear_2/w", "controller/linear_1/b"} and not theta["mlp/linear_2/w"].any()
    assert theta["controller/linear_1/b"][1] == trained.theta["controller/linear_1/b"][1]


HELD_OUT = ("mlp_family_seed38", "mlp_ae_family_seed297")
EVERYDAY = (pretrained.BEST, "anchored_wide", "mlp_pes")  # one of each rule; the others are slow tests


def score(task, optimizer, theta):
    """The mean normalized loss of 200 steps."""
    _, losses = loop.train(taskset.get_task(task, "synthetic"), with_weights(optimizer, theta), 200)
    return float(np.mean(taskset.normalizer(task, source="synthetic", horizon=2000)(losses)))


@functools.cache
def untrained_score(task, rule):
    """That of a rule's first weights, which all weights of the rule are compared with."""
    optimizer = optimizers.get(rule)
    return score(task, optimizer, optimizer.init_theta(0))


@pytest.mark.long
@pytest.mark.parametrize("task", HELD_OUT)
@pytest.mark.parametrize(
    "name",
    [name if name in EVERYDAY else pytest.param(name, marks=pytest.mark.slow) for name in pretrained.names()],
)
def test_they_train_tasks_that_they_have_never_seen(name, task):
    found = load_weights(name)
    assert task not in found.trained_on
    trained, untrained = score(task, optimizers.get(found.optimizer), found.theta), untrained_score(task, found.optimizer)
    starts_at_a_rule = untrained < 0.5  # `anchored` is NAdam before training, others don't move
    assert trained < 0.3 and (starts_at_a_rule or trained < untrained / 2)


ANCHORED = [name for name in pretrained.names() if name != "mlp_pes"]


def logistic_regression(name, steps, scale, times=1):
    """The losses of a training in NumPy; scale: of the parameters at the start, of which the model takes `times` as much."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 8)).astype(np.float32)
    labels = (x @ rng.normal(size=(8, 4))).argmax(axis=1)
    labels[:64] = rng.integers(0, 4, 64)  # a fit of all would have infinite parameters
    optimizer, losses = numpy_update.load(pretrained.find(name), steps=steps), []
    params = {"w": (scale * rng.normal(size=(8, 4))).astype(np.float32), "b": np.zeros(4, np.float32)}
    state = optimizer.init(params)
    for step in range(steps):
        logits = times * (x @ params["w"] + params["b"])
        logits -= logits.max(axis=1, keepdims=True)
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(256), labels]).mean())
        d = times * (p - np.eye(4)[labels]) / 256
        params, state = optimizer.update({"w": x.T @ d, "b": d.sum(axis=0)}, state, params, step, losses[-1])
    return losses


@pytest.mark.parametrize("name", ANCHORED)
def test_a_model_that_starts_at_0_is_trained(name):
    """Logistic regression, whose parameters usually start so: the loss falls about as far as from a usual start."""
    ends = [logistic_regression(name, 200, scale)[-1] for scale in (0.0, 8**-0.5)]
    assert ends[0] < 0.8 and ends[0] < ends[1] + 0.03, ends  # of ln 4 = 1.386


@pytest.mark.parametrize("name", ANCHORED)
def test_steps_are_relative_to_small_parameters(name):
    """The same model, of parameters a hundredth as large."""
    losses = logistic_regression(name, 200, 8**-0.5 / 100, times=100)
    assert max(losses) < 1.5 * losses[0] and losses[5] < losses[0] and losses[-1] < 0.8, (max(losses), losses[5], losses[-1])


@pytest.mark.parametrize("name", ANCHORED)
def test_runs_far_shorter_than_those_of_training_do_not_blow_up(name):
    """Episodes had 100 steps and more, and steps are the larger the fewer they are."""
    losses = logistic_regression(name, 10, 8**-0.5)
    assert losses[-1] < losses[0] and max(losses) < 2 * losses[0], losses


def test_a_pretrained_name_is_an_optimizers_name(run_here, tmp_path, monkeypatch):
    monkeypatch.setattr(sweeps, "start_tensorflow", lambda: None)  # it is running already
    task = taskset.get_task("quadratic_family_seed12")
    named, loaded = taskset.get_optimizer("mlp_pes"), learned.load("mlp_pes")
    assert named.name == "mlp_pes" and named.rule == loaded.rule
    (ours, _), (theirs, _) = (loop.train(task, optimizer, 3) for optimizer in (named, loaded))
    assert all((ours[path].numpy() == theirs[path].numpy()).all() for path in ours)
    status, out, err = run_here(
        "taskset", "train", "quadratic_family_seed12", "--optimizer", "mlp_pes", "--steps", 2, "--batches", 1
    )
    assert status == 0 and "mlp_pes, seed 0" in out, err
    status, _, err = run_here(
        "taskset", "baseline", "quadratic_family_seed12", "--optimizer", "mlp_pes", "--out", tmp_path / "out"
    )
    assert status == 2 and "`python -m taskset score mlp_pes`" in err and "evaluate mlp_pes" in err
    status, _, err = run_here(
        "taskset", "baseline", "quadratic_family_seed12", "--optimizer", "a.py:Mine", "--out", tmp_path / "out"
    )
    assert status == 2 and "score" in err and "register_optimizer" in err and not (tmp_path / "out").exists()
