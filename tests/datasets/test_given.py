"""Data that a user gives to a task of the package."""

import numpy as np
import pytest
import tensorflow as tf

import taskset
from taskset.datasets.given import Repeatable
from taskset.errors import ConfigError
from taskset.tasks.base import Model, Task
from tests.small import RandomImages

IMAGES, REVIEWS, SENTENCES = "mlp_family_seed12", "rnn_text_classification_family_seed3", "char_rnn_language_model_family_seed3"
CASES = (
    (IMAGES, "image", lambda x: x / np.float32(255), r"gave 'image' as float32 \[8, 11, 32, 32, 3\]: allowed is .*whole numbers"),
    (IMAGES, "image", lambda x: x[..., :1], r".*: allowed is an array of whole numbers \[8, 11, 32, 32, 3\]"),
    (IMAGES, "image", lambda x: x.astype(int) + 1000, "gave 'image' with 1.*: allowed is 0 to 255"),
    (IMAGES, "image", lambda x: x.tolist(), "gave 'image' as"),
    (IMAGES, "label", lambda x: x * 0 + 10, "gave 'label' with 10: allowed is 0 to 9"),
    (IMAGES, "label", lambda x: x - 10, "gave 'label' with -.*: allowed is 0 to 9"),
    (IMAGES, "label", lambda x: x[:1], r"gave 'label' as int32 \[1, 11\]"),
    (REVIEWS, "label", lambda x: x * 0 + 2, "gave 'label' with 2: allowed is 0 to 1"),
    (REVIEWS, "mask", lambda x: x * 0 + 2, "gave 'mask' with 2: allowed is 0 to 1"),
    (SENTENCES, "tokens", lambda x: x.astype(np.int64) - 2000, "gave 'tokens' with -"),
    (SENTENCES, "tokens", lambda x: x * 1.0, "gave 'tokens' as float64"),
)


@pytest.mark.parametrize("name, key, change, message", CASES)
def test_what_a_task_cannot_read_is_said_at_the_draw(name, key, change, message):
    task = taskset.get_task(name, "synthetic")

    def draw(*where):
        raw = task.raw_batches(*where)
        return {**raw, key: change(raw[key])}

    other = task.reading(draw, "mine")
    with pytest.raises(ConfigError, match=f"^raw_batches of source 'mine' {message}") as error:
        next(other.batches("train", 0))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("given", [{}, None, {"image": np.zeros(3)}, [1, 2]])
def test_batches_without_an_array_that_is_read(given):
    task = taskset.get_task(IMAGES, "synthetic").reading(lambda *_: given, "mine")
    with pytest.raises(ConfigError, match="^raw_batches of source 'mine' gave .*: allowed is an array each of 'image', 'label'$"):
        task.raw_batches("train", 0, 0, 1)


RNG = np.random.default_rng(0)


def images_of(rng):
    return {
        "image": rng.integers(0, 256, size=(11, 32, 32, 3), dtype=np.uint8),
        "label": rng.integers(0, 10, size=11).astype(np.int32),
    }


def stretch(start, count, make, *more):
    drawn = [images_of(make(number, *more)) for number in range(start, start + count)]
    return {name: np.stack([one[name] for one in drawn]) for name in ("image", "label")}


@pytest.mark.parametrize(
    "draw",
    [
        lambda split, seed, start, count: stretch(start, count, lambda number: RNG),
        lambda split, seed, start, count: stretch(start, count, lambda number: np.random.default_rng(number - start)),
        lambda split, seed, start, count: stretch(start, count, lambda number, rng: rng, np.random.default_rng(start)),
    ],
    ids=["a generator that goes on", "numbers from the start of the stretch", "a generator for a stretch"],
)
def test_batches_that_depend_on_how_they_are_drawn_are_refused(draw):
    task = taskset.get_task(IMAGES, "synthetic").reading(draw, "mine")
    with pytest.raises(ConfigError, match="^raw_batches of source 'mine' gave batch 7 of 'train' with other values of 'image'"):
        next(task.batches("train", 0))
    pure = lambda split, seed, start, count: stretch(start, count, np.random.default_rng)  # noqa: E731
    next(taskset.get_task(IMAGES, "synthetic").reading(pure, "mine").batches("train", 0))


def test_data_of_ones_own_are_drawn_again_as_well():
    class Drawn(RandomImages):
        def open(self, source, data_dir=None):
            return lambda split, seed, start, count: stretch(start, count, lambda number: RNG)

    task = Task("own", "own", {}, Model(lambda batch, key: tf.reduce_sum(tf.Variable([1.0], name="w")), Drawn()), "none")
    with pytest.raises(ConfigError, match="^the data of 'own' gave batch 2 of 'test' with other values of 'image' when it was"):
        task.raw_batches("test", 0, 0, 3)


def test_texts_are_compared_as_texts():
    def draw(split, seed, start, count):
        texts = ["".join(["batch ", str(number)]) for number in range(start, start + count)]  # new objects at each call
        return {"text": np.array(texts, object).reshape(count, 1)}

    assert Repeatable(draw, "mine")("train", 0, 3, 2)["text"].tolist() == [["batch 3"], ["batch 4"]]
    with pytest.raises(ConfigError, match="^mine gave batch 4 of 'train' with other values of 'text'"):
        Repeatable(lambda split, seed, start, count: draw(split, seed, 0, count), "mine")("train", 0, 3, 2)


@pytest.mark.parametrize("name", [IMAGES, REVIEWS, SENTENCES])
def test_a_tasks_own_draws_pass_in_any_type_of_whole_numbers(name):
    task = taskset.get_task(name, "synthetic")
    same = task.reading(task.raw_batches, "same")
    wider = task.reading(lambda *where: {k: v.astype(np.int64) for k, v in task.raw_batches(*where).items()}, "wider")
    params = task.init(0)
    losses = [float(one.loss(params, next(one.batches("train", 0)), 0)) for one in (task, same, wider)]
    assert losses[0] == losses[1] == losses[2]
