"""Wrong arguments of the public functions: one line of a TasksetError, at once; seeds by one rule everywhere."""

import pickle
import time
import zlib

import numpy as np
import pytest
import tensorflow as tf

import taskset
from taskset import catalogue
from taskset.datasets import info, text_info
from taskset.errors import TasksetError
from taskset.random import seeds, stateless

TASK = "quadratic_family_seed18"


def refused(function, *arguments, said=""):
    start = time.perf_counter()
    with pytest.raises(TasksetError) as error:
        function(*arguments)
    line = str(error.value)
    assert said in line and "\n" not in line and len(line) < 600, line
    assert time.perf_counter() - start < 5


@pytest.fixture(scope="module")
def task():
    return taskset.get_task(TASK)


WRONG_SEEDS = [0.9, 1.0, np.float32(1), True, np.True_, -1, 2**31, "3", None, [1]]


@pytest.mark.parametrize("seed", WRONG_SEEDS, ids=repr)
def test_what_is_no_seed(task, seed):
    params = task.init(0)
    refused(seeds.check, seed, said="seed")
    refused(task.init, seed, said="seed")
    refused(task.initializer(), [seed], said="seed")
    refused(task.batches, "train", seed, said="seed")
    refused(task.raw_batches if task.data else task.batches, "train", seed, said="seed")
    refused(task.value_and_gradients, params, {}, seed, said="seed")
    refused(task.loss, params, {}, seed, said="seed")
    refused(taskset.sample, "mlp_family", seed, said="seed")


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.uint8, np.array])
def test_integers_of_all_kinds_are_one_seed(task, kind):
    params = task.init(3)
    np.testing.assert_array_equal(task.init(kind(3))["x"], params["x"])
    assert task.loss(params, {}, kind(3)) == task.loss(params, {}, 3)
    np.testing.assert_array_equal(stateless.as_key(kind(3)), stateless.as_key(3))
    assert taskset.sample("mlp_family", kind(3)) == taskset.sample("mlp_family", 3)
    config = {**taskset.sample("quadratic_family", 18), "seed": kind(3)}
    if kind is not np.array:
        assert taskset.make_task("quadratic_family", config).config["seed"] == 3


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.uint8, np.array, tf.constant])
def test_integers_of_all_kinds_are_one_purpose(kind):
    assert seeds.stream(3, "order", "train", kind(7)) == seeds.stream(3, "order", "train", 7)
    assert seeds.generator(3, "order", kind(7)).random() == seeds.generator(3, "order", 7).random()


def test_purposes_are_their_words():
    assert seeds.stream(3, "order", "train", 7) == zlib.crc32(b"(3, 'order', 'train', 7)") & 0x7FFFFFFF
    assert seeds.stream(3, np.str_("order")) == seeds.stream(3, "order") != seeds.stream(3, "train")
    for wrong in (0.5, None, True, b"order", ["order"]):
        refused(seeds.stream, 3, "order", wrong, said="of a random draw: allowed are texts and integers")
        refused(seeds.generator, 3, wrong, said=f"purpose {wrong!r}")


def test_parameters_and_batches_that_are_not_the_tasks():
    task = taskset.get_task("mlp_family_seed12", source="synthetic")
    params, batch = task.init(0), next(task.batches("train", 0))
    path = next(iter(params))
    for function in (task.loss, task.loss_and_metrics, task.value_and_gradients):
        refused(function, {}, {}, 0, said=f"parameter '{path}' is missing")
        refused(function, list(params), batch, 0, said="dict of tensors")
        refused(function, {**params, "mlp/linear_0/v": 1.0}, batch, 0, said="did you mean 'mlp/linear_0/w'")
        refused(function, {**params, path: params[path][1:]}, batch, 0, said=f"parameter '{path}' has shape")
        refused(function, {**params, path: tf.cast(params[path], tf.int32)}, batch, 0, said="is int32")
        refused(function, params, {"image": batch["image"]}, 0, said="'label' is missing")
        refused(function, params, {**batch, "image": batch["image"][:, 1:]}, 0, said="batch entry 'image' has shape")
        refused(
            function,
            params,
            {**batch, "label": batch["label"][1:]},
            0,
            said="different numbers of examples: 'image' 11, 'label' 10",
        )
        assert np.isfinite(tf.nest.flatten(function(params, {name: value[:4] for name, value in batch.items()}, 0))[0]).all()
        refused(function, params, {**batch, "label": tf.fill([11], "a")}, 0, said="'label' is string")
        refused(function, params, None, 0, said="dict of tensors")
    as_arrays = {path: value.numpy() for path, value in params.items()}
    assert task.value_and_gradients(as_arrays, batch, 0)[0] == task.value_and_gradients(params, batch, 0)[0]
    refused(task.batches, "trian", 0, said="did you mean 'train'")
    refused(task.batches, 3, 0, said="valid_inner")
    refused(task.batches, "train", 0, -1, said="start -1")
    refused(task.raw_batches, "trian", 0, 0, 1, said="did you mean 'train'")


@pytest.mark.long
@pytest.mark.parametrize("name", ["maf_family_seed4", "char_rnn_language_model_family_seed1", "mlp_family_seed12"])
def test_a_batch_of_unknown_size_is_traced_or_refused_in_one_line(name):
    task = taskset.get_task(name, source="synthetic")
    params, batch = task.init(0), next(task.batches("train", 0))
    spec = {name: tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype) for name, tensor in batch.items()}
    loss = tf.function(lambda batch: task.loss(params, batch, 0), input_signature=[spec], autograph=False)
    if name.startswith("mlp_family"):
        np.testing.assert_allclose(loss(batch), task.loss(params, batch, 0), rtol=1e-5)
    else:
        refused(loss, batch, said="a fixed number, such as tf.TensorSpec([64, ..])")


def test_names_and_patterns_of_another_type():
    for wrong in (3, None, [1], b"mlp_family_seed3", "", "x" * 100_000, "mlp_family_seed" + "9" * 5000):
        refused(taskset.get_task, wrong, said="unknown task")
        refused(taskset.get_config, wrong, said="unknown task")
        refused(taskset.feasible, wrong, said="unknown task")
        refused(taskset.get_optimizer, wrong, said="unknown optimizer")
        refused(taskset.make_task, wrong, {}, said="unknown family")
        refused(taskset.sample, wrong, 0, said="unknown family")
    refused(taskset.list_tasks, 3, said="pattern 3")
    refused(taskset.get_task, TASK, "tdfs", said="did you mean 'tfds'")
    refused(taskset.get_task, TASK, None, said="unknown source None")
    refused(taskset.get_task, "quadratic_famly_seed5000", said="did you mean 'quadratic_family_seed5000'")
    refused(taskset.opt_list, 2.0, said="opt_list")
    refused(info.image_info, [1], said="unknown image data set")
    refused(text_info.parse, [1], said="unknown text data set")


def test_globs_take_seeds_that_they_spell_out():
    assert taskset.list_tasks("quadratic_family_seed100[0-2]") == [f"quadratic_family_seed{s}" for s in (1000, 1001, 1002)]
    assert taskset.list_tasks("quad*_seed99[89]") == ["quadratic_family_seed998", "quadratic_family_seed999"]
    assert len(taskset.list_tasks("quadratic_family_seed1[!0-7]05")) == 2
    assert taskset.list_tasks("quadratic_family_seed????") == [] == taskset.list_tasks("quadratic_family_seed000[1]")
    refused(taskset.list_tasks, "quadratic_family_seed" + 6 * "[0-9]", said="100,000")
    assert "did you mean quadratic_family" in catalogue.no_match("quadratic_famly_seed*")


def changed(family, **fields):
    return family, {**taskset.sample(family, 3), **fields}, "synthetic"


def test_configs_that_ask_for_too_much():
    refused(taskset.make_task, *changed("mlp_family", layer_sizes=[3] * 10**6), said="1,000,000 entries")
    refused(taskset.make_task, *changed("mlp_family", layer_sizes=[3] * 2000), said="at most 1000 items")
    refused(taskset.make_task, *changed("mlp_family", layer_sizes=[10**9]), said="at most 2e+09")
    refused(taskset.make_task, *changed("nvp_family", num_bijectors=10**5), said="at most 1000")
    refused(taskset.make_task, *changed("quadratic_family", dims=10**6), said="at most 40000")
    refused(taskset.make_task, "losg_tasks_family", ["norm", {"dim": 10**6, "norm_power": 1.0}, 1], said="at most 40000")
    refused(taskset.make_task, "mlp_family", {"x" * 10**6: 1}, said="unknown field")
    refused(taskset.make_task, "mlp_family", {"layer_sizes": {1, 2}}, said="JSON")
    refused(taskset.make_task, "mlp_family", "x" * 10**6, said="must be a dict")
    refused(taskset.make_task, *changed("mlp_family", activation=["x"] * 90_000), said="activation")


def test_tasks_can_be_pickled(task):
    config = {**taskset.sample("quadratic_family", 18), "dims": 3}
    for one in (task, taskset.make_task("quadratic_family", config), taskset.get_task("mlp_family_seed12", "synthetic")):
        other = pickle.loads(pickle.dumps(one))
        assert (other.name, other.config, other.source, other.parameter_shapes) == (
            one.name, one.config, one.source, one.parameter_shapes
        )  # fmt: skip
        batch = next(one.batches("train", 0))
        assert other.loss(one.init(0), batch, 0) == one.loss(one.init(0), batch, 0)
    refused(pickle.dumps, one.reading(lambda *_: {}, "elsewhere"), said="can't be pickled")


def test_other_data_has_a_name_of_its_own(task):
    for source in ("tfds", "synthetic", "none", "", " ", "../x", 3, None):
        refused(task.reading, lambda *_: {}, source, said="allowed is a name without /")
    refused(task.reading, {"image": 3}, "mine", said="allowed is a function of split, seed, start and count")
