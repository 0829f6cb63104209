"""Tiny tasks, and that those which share a program compute what each computes with its own."""

from types import MappingProxyType

import numpy as np
import pytest
import tensorflow as tf

from learned import estimators, optimizers
from learned.estimators import base
from learned.outer_training import objectives
from learned.outer_training.options import Options
from learned.outer_training.task_pool import TaskPool
from learned.tasks import tiny_image_data, tiny_images
from learned.unrolling import sharing
from learned.unrolling.problem import Problem
from learned.unrolling.sharing import SharedModel, SharedProblem, SharedRescaledProblem
from taskset import catalogue
from taskset.catalogue import get_task, make_task
from taskset.datasets.base import Computed
from taskset.errors import ConfigError
from taskset.execution.program import Program
from taskset.scoring.suites import by_name
from taskset.tasks.base import Task
from taskset.tasks.starts import normal, parameter
from tests.learned.trainings import check_equal, fresh, suite, trainer

NAMES = ("Tiny_mlp_mnist_bs32_start1.0", "Tiny_mlp_mnist_bs32_start3.0")


def own_task(name, start):
    """Tasks without data that differ in their start alone."""

    def loss(batch, key):
        x = parameter("x", [3], normal(start, 0.1))
        return tf.reduce_sum(x**2) + tf.reduce_sum(tf.sin(x))

    return Task(name, "own", {}, SharedModel(loss, program="own"), "none")


def estimates(kind, task, scale, **more):
    given = task, optimizers.get("learnable_adam"), objectives.get("train"), objectives.LossScale(*scale)
    problem = kind("global", *given) if kind is SharedRescaledProblem else kind(*given)
    made = estimators.get("pes")(problem, base.Settings(pairs=2, steps=4), mode="graph_loop", **more)
    state, found = made.init(1), []
    for _ in range(3):
        estimate, state = made.estimate(problem.theta(0), state, lambda rng, n: np.full(n, 6))
        found.append((estimate.loss, *estimate.gradient))
    return np.array(found), made


@pytest.mark.parametrize("kind", [SharedProblem, SharedRescaledProblem])
def test_a_second_task_in_the_program_of_the_first(kind):
    """Other start, other normalizer: the numbers are those that the task has in a program of its own."""
    programs = {}
    first, one = estimates(kind, own_task("a", 1.0), (8.0, 1.0), programs=programs)
    second, other = estimates(kind, own_task("b", 2.0), (20.0, -1.0), programs=programs)
    assert len(programs) == 1 and one.unroll.run is other.unroll.run
    alone, _ = estimates(kind, own_task("b", 2.0), (20.0, -1.0))
    np.testing.assert_array_equal(second, alone)
    assert not np.allclose(first, second)
    if kind is SharedProblem:
        plain, _ = estimates(Problem, own_task("b", 2.0), (20.0, -1.0))
        np.testing.assert_allclose(second, plain, rtol=1e-3, atol=2e-6)  # float32, divided by sigma


def test_a_set_too_small_for_a_batch_is_named():
    few = {"train": np.zeros(40), "test": np.zeros(3)}
    with pytest.raises(ConfigError, match="^a batch of 32 can't be drawn from 3 examples of mnist, test: allowed is"):
        tiny_image_data.TinyBatches(32, few, few, {"name": "mnist"})


def test_tasks_that_differ_do_not_share():
    longer = Task(
        "c", "own", {}, SharedModel(lambda batch, key: tf.reduce_sum(parameter("x", [4], normal())), program="own"), "none"
    )
    programs = {}
    estimates(SharedProblem, own_task("a", 1.0), (8.0, 1.0), programs=programs)
    with pytest.raises(ConfigError, match="their parameter_shapes differ"):
        estimates(SharedProblem, longer, (8.0, 1.0), programs=programs)


class Numbers(Computed):
    """Batches of the number 300 x 4, drawn in one dtype or another and read as float32."""

    batch = MappingProxyType({"x": ((4,), "float32")})

    def __init__(self, dtype, size=4):
        self.drawn = np.full(size, 300 if dtype != "uint8" else 44, dtype)

    def open(self, source=None, data_dir=None):
        return lambda split, seed, start, count: {"x": np.stack([self.drawn] * count)}

    def prepare(self, raw, key):
        return {"x": tf.cast(raw["x"][:4], tf.float32)}


@pytest.mark.parametrize("other", [Numbers("int32"), Numbers("int64"), Numbers("uint8", 5)])
def test_tasks_whose_batches_are_drawn_otherwise_do_not_share(other):
    """300 would be read as 44 in the program that takes uint8."""

    def task(name, data):
        def loss(batch, key):
            return tf.reduce_sum((parameter("x", [4], normal()) - batch["x"]) ** 2)

        return Task(name, "own", {}, SharedModel(loss, data, program="own"), "none")

    programs, scale = {}, (8.0, 1.0)
    estimates(SharedProblem, task("a", Numbers("uint8")), scale, programs=programs)
    estimates(SharedProblem, task("b", Numbers("uint8")), scale, programs=programs)
    with pytest.raises(ConfigError, match="a and c say they share a program, but their raw batches' shapes and dtypes differ"):
        estimates(SharedProblem, task("c", other), scale, programs=programs)


def test_a_pool_compiles_one_program_and_resumes_bit_for_bit(tmp_path, monkeypatch):
    whole = suite(NAMES)
    chosen = Options("learnable_adam", pairs=2, steps=4, lengths="4", slots=1, tasks_per_step=1, seed=1)
    made, pool = [], TaskPool(whole, chosen, memory=2**20)  # MiB: none is dropped, however much other tests have left
    original = Program.__init__
    monkeypatch.setattr(Program, "__init__", lambda self, *given, **more: made.append(1) or original(self, *given, **more))
    trainer(tmp_path / "a", whole, chosen, fresh(pool)).train(6)
    assert len(made) == 1 and all(name in pool.estimator for name in NAMES)
    trainer(tmp_path / "b", whole, chosen, fresh(pool)).train(4, save_every=4)
    trainer(tmp_path / "b", whole, chosen, fresh(pool)).train(6)
    check_equal(tmp_path / "a", tmp_path / "b")


def test_the_tasks_have_names_and_are_what_they_say():
    names = [name for name in catalogue.fixed_tasks() if name.startswith("Tiny_")]
    assert len(names) == 3 * 10 * 2 * 3 + 5 * 3 * 2 + 4 * 3
    small, large = (get_task(name, "synthetic") for name in NAMES)
    batch = next(small.batches("train", 0))
    assert batch["image"].shape == (32, 8, 8, 1) and float(tf.reduce_max(batch["image"])) <= 1
    a, b = small.init(0), large.init(0)
    np.testing.assert_allclose(b["mlp/linear_0/w"], 3 * a["mlp/linear_0/w"], rtol=1e-5)
    assert sharing.program_of(small) == sharing.program_of(large)
    same = make_task("tiny_autoencoder", {"dataset": "mnist", "bs": 32, "start_scale": 1.0}, "synthetic")
    params = same.init(0)
    hidden = np.maximum(np.reshape(batch["image"], (32, 64)) @ params["mlp/linear_0/w"] + params["mlp/linear_0/b"], 0)
    output = hidden @ params["mlp/linear_1/w"] + params["mlp/linear_1/b"]
    expected = np.mean((output - np.reshape(batch["image"], (32, 64))) ** 2)
    assert float(same.loss(params, batch, 0)) == pytest.approx(expected, rel=1e-5)


def test_shrinking():
    images = np.arange(2 * 17 * 16 * 3).reshape(2, 17, 16, 3) % 251
    found = tiny_image_data.shrink(images.astype(np.uint8))
    assert found.shape == (2, 8, 8, 1)
    assert found[1, 2, 3, 0] == pytest.approx(images[1, 4:6, 6:8].mean() / 255, rel=1e-5)


def test_convolutions_are_those_of_tensorflow():
    task = get_task("Tiny_conv_mnist_bs32_start1.0", "synthetic")
    params, batch = task.init(0), next(task.batches("train", 0))
    x = batch["image"]
    for i, channels in enumerate(tiny_images.CHANNELS):
        filters = tf.reshape(params[f"conv_{i}/w"], [3, 3, -1, channels])
        x = tf.nn.relu(tf.nn.conv2d(x, filters, 2, "SAME") + params[f"conv_{i}/b"])
    logits = tf.reshape(x, [32, -1]) @ params["linear/w"] + params["linear/b"]
    expected = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(batch["label"], logits))
    np.testing.assert_allclose(task.loss(params, batch, 0), expected, rtol=1e-5)


def test_quadratics():
    still, noisy = (get_task(f"Tiny_quadratic1_narrow1.5_noise{noise}") for noise in (0.02, 0.5))
    params, batch, other = still.init(0), next(still.batches("train", 0)), next(noisy.batches("train", 0))
    matrix = batch["matrix"].numpy()
    np.testing.assert_allclose(np.linalg.svd(matrix, compute_uv=False), np.logspace(0, -1.5, 32), rtol=1e-4)
    np.testing.assert_array_equal(matrix, other["matrix"])
    expected = np.sum((matrix @ params["x"].numpy() - batch["value"].numpy()) ** 2) / 2
    np.testing.assert_allclose(still.loss(params, batch, 0), expected, rtol=1e-5)
    of_still, of_noisy = (  # y of 200 batches
        np.linalg.solve(matrix.astype(np.float64), task.raw_batches("train", 0, 0, 200)["value"].T.astype(np.float64))
        for task in (still, noisy)
    )
    drawn = of_noisy - of_still.mean(axis=1, keepdims=True)
    assert np.std(drawn) == pytest.approx(0.5, rel=0.05) and abs(np.mean(drawn)) < 0.05
    assert np.std(of_still - of_still.mean(axis=1, keepdims=True)) == pytest.approx(0.02, rel=0.05)
    assert not np.array_equal(other["value"], next(noisy.batches("test", 0))["value"])


def test_language_models():
    task = get_task("Tiny_rnn_lm1b_start0.3", "synthetic")
    params, batch = task.init(0), next(task.batches("train", 0))
    tokens = batch["tokens"].numpy() % 64
    p = {path: w.numpy() for path, w in params.items()}
    h, losses = np.zeros((16, 32)), []
    for now, after in zip(tokens.T[:-1], tokens.T[1:]):
        h = np.tanh(p["embed/w"][now] @ p["inputs/w"] + p["inputs/b"] + h @ p["hidden/w"])
        logits = h @ p["linear/w"] + p["linear/b"]
        losses.append(np.log(np.exp(logits).sum(1)) - logits[np.arange(16), after])
    assert tokens.shape == (16, 13) and float(task.loss(params, batch, 0)) == pytest.approx(np.mean(losses), rel=1e-5)
    assert np.std(p["hidden/w"]) == pytest.approx(0.3 / 32**0.5, rel=0.1)


@pytest.mark.parametrize(
    "name", ["Tiny_conv_cifar10_bs128_start0.3", "Tiny_quadratic0_narrow0.0_noise0.1", "Tiny_rnn_wikipedia_start1.5"]
)
def test_what_their_configs_say(name):
    task = get_task(name, "synthetic")
    assert catalogue.facts(task.family, task.config).parameter_shapes == task.parameter_shapes
    batch = next(task.batches("valid_outer", 0))
    said = {key: shape for key, (shape, _) in task.data.batch.items()}
    assert said == {key: tuple(array.shape) for key, array in batch.items()}
    assert sharing.program_of(task) is not None and not catalogue.facts(task.family, task.config).convolutional


def test_the_suite_of_all_tiny_tasks():
    found = by_name.get_suite("tiny:1")
    everything = catalogue.list_tasks("Tiny_*")
    names = [entry.task for entry in found.tasks]
    assert [name for name in everything if name in names] == names and len(names) > 0.9 * len(everything)
    assert (found.source, found.horizon) == ("synthetic", 2000) and not found.unmeasured
    assert {len(found.of_split(split)) > 10 for split in ("train", "valid", "test")} == {True}
    task = get_task("Tiny_mlp_mnist_bs32_start1.0", "synthetic")
    first = task.loss(task.init(0), next(task.batches("train", 0)), 0).numpy()
    assert first == pytest.approx(found.entry(task.name).scales["train"][0], rel=0.2)
