"""Phases: starting from given weights, and training some of them while the others stay."""

import numpy as np
import pytest
import tensorflow as tf
from typer.testing import CliRunner

import learned
from learned import estimators, optimizers
from learned.cli.main import app
from learned.deploy import pretrained
from learned.estimators import base
from learned.outer_training import checkpoint, objectives, start_weights
from learned.outer_training import trainer as outer
from learned.outer_training.task_pool import TaskPool
from learned.outer_training.workers import Workers
from learned.unrolling.problem import Problem
from taskset.catalogue import get_task
from taskset.errors import ConfigError
from taskset.scoring import suites
from tests.learned.trainings import NAMES, arrays_of, check_equal, fresh, options, suite

ADAM = optimizers.get("learnable_adam")
START = {path: np.float32(value) for path, value in zip(ADAM.shapes, (-3.0, -2.0, -5.0, -16.0))}
FROZEN = list(ADAM.shapes)[1]


def trainer(directory, whole, chosen, pool):
    return outer.Trainer(directory, whole, chosen, pool, ADAM, start=START)


@pytest.fixture(scope="module")
def pool():
    globs = [path for path in ADAM.shapes if path != FROZEN]
    chosen = options(trained=globs, start=checkpoint.digest(START), slots=2)
    return TaskPool(suite(NAMES[1:]), chosen, start=START)


def test_frozen_weights_are_constants():
    """Outer gradients by backpropagation are those of all weights, without the entries that are frozen."""
    task, theta = get_task(NAMES[1], "synthetic"), ADAM.init_theta(0, tf.float64)
    gradients = []
    for frozen in ({}, {FROZEN: theta[FROZEN]}):
        problem = Problem(task, ADAM, objectives.get("train"), objectives.unscaled, tf.float64, frozen)
        made = estimators.get("bptt")(problem, base.Settings(pairs=2, steps=4), mode="graph_loop")
        estimate, _ = made.estimate(problem.theta(0), made.init(0), lambda rng, n: np.full(n, 8))
        gradients.append(problem.layout.arrays(estimate.gradient))
    assert set(gradients[1]) == set(ADAM.shapes) - {FROZEN}
    for path, gradient in gradients[1].items():
        np.testing.assert_allclose(gradient, gradients[0][path], rtol=1e-10)


@pytest.mark.long
def test_a_phase_moves_what_it_trains_and_resumes_bit_for_bit(tmp_path, pool):
    chosen, whole = pool.options, pool.suite
    made = trainer(tmp_path / "a", whole, chosen, fresh(pool))
    assert all(made.weights[path] == START[path] for path in START) and made.layout.size == 3
    made.train(6)
    for path, weight in made.weights.items():
        assert (weight == START[path]) == (path == FROZEN)
    with Workers(2, whole, chosen, start=START) as workers:
        trainer(tmp_path / "b", whole, chosen, workers).train(3)
    trainer(tmp_path / "b", whole, chosen, fresh(pool)).train(6)
    check_equal(tmp_path / "a", tmp_path / "b")
    meta, arrays = arrays_of(tmp_path / "a")
    assert arrays[f"theta/{FROZEN}"] == START[FROZEN] and set(meta["shapes"]) == set(ADAM.shapes)


@pytest.mark.long
def test_a_training_is_given_weights_or_a_checkpoint_alike(tmp_path):
    """The options get the digest of either; a checkpoint's tasks are kept; what is no start is refused before a file is made."""
    whole, chosen = suite(NAMES[1:2]), options(slots=1, tasks_per_step=1)
    moved = learned.train(whole, chosen, tmp_path / "first", 1, start={path: float(weight) for path, weight in START.items()})
    assert arrays_of(tmp_path / "first")[0]["options"]["start"] == checkpoint.digest(START) and chosen.start == ""
    others = suite(NAMES[2:])
    for name, start in (("a", tmp_path / "first" / "checkpoint.npz"), ("b", moved)):
        learned.train(others, chosen, tmp_path / name, 1, start=start)
    (meta, arrays), (other, same) = arrays_of(tmp_path / "a"), arrays_of(tmp_path / "b")
    assert meta.pop("trained_before") == list(NAMES[1:2]) and meta == other
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, same[name])
    learned.train(others, chosen, tmp_path / "a", 2, start=moved)  # resumed with weights, it still knows of what they were
    assert checkpoint.load(tmp_path / "a" / "checkpoint.npz").trained_on == NAMES[1:]
    for start, says in (
        (moved | {"more": np.zeros(2)}, "weight 'more' has shape"),
        (pretrained.find("mlp_pes"), "has weights of mlp"),
    ):
        with pytest.raises(ConfigError, match=says):
            learned.train(whole, chosen, tmp_path / "c", 1, start=start)
    assert not (tmp_path / "c").exists()


def test_what_is_not_allowed_is_one_line(tmp_path, pool):
    with pytest.raises(ConfigError, match="match none"):
        TaskPool(pool.suite, options(trained=["contrller/*"]))
    for chosen, start in ((pool.options, None), (options(), START)):
        with pytest.raises(ConfigError, match="give both"):
            outer.Trainer(tmp_path, pool.suite, chosen, pool, ADAM, start=start)
    with pytest.raises(ConfigError, match="allowed are those of anchored"):
        start_weights.read(pretrained.find("mlp_pes"), optimizers.get("anchored"))
    with pytest.raises(ConfigError, match="at least one"):
        options(trained=[])


def test_the_command_line(tmp_path):
    suites.save(suite(NAMES[1:2]), tmp_path / "s.json")
    given = ["train", "--tasks", str(tmp_path / "s.json"), "--optimizer", "learnable_adam", "--pairs", "2", "--steps", "5"]
    given += ["--lengths", "10", "--slots", "1", "--tasks-per-step", "1", "--outer-steps", "2"]
    first, second, said = tmp_path / "1", tmp_path / "2", []
    for more in (
        ["--out", str(first)],
        ["--out", str(second), "--from", str(first / "checkpoint.npz"), "--train", FROZEN, "--clipping", "norm"],
        ["--out", str(second), "--from", str(first / "checkpoint.npz"), "--train", FROZEN, "--clipping", "norm"],
    ):
        done = CliRunner().invoke(app, [*given, *more])
        assert done.exit_code == 0, done.output
        said.append("was trained with seed 0, whose draws come again" in done.output.replace("\n", " "))
    assert said == [False, True, False]  # not when it is resumed
    before, after = (checkpoint.load(path / "checkpoint.npz") for path in (first, second))
    assert start_weights.repeats(before, 0) and not start_weights.repeats(before, 1)
    for path, weight in after.theta.items():
        assert (weight == before.theta[path]) == (path != FROZEN)
    assert after.meta["options"]["start"] == checkpoint.digest(before.theta) and after.step == 2
