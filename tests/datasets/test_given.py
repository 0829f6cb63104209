"""Data that a user gives to a task of the package."""

import numpy as np
import pytest
import tensorflow as tf

import taskset
from taskset.datasets.base import EpochOrder
from taskset.datasets.given import Repeatable
from taskset.errors import ConfigError
from taskset.tasks.base import Model, Task
from tests.small import RandomImages

IMAGES, REVIEWS, SENTENCES = "mlp_family_seed12", "rnn_text_classification_family_seed3", "char_rnn_language_model_family_seed3"
COPY, PAIRS = "Copy_LSTM128_BS128_Length5_Tokens10", "Associative_LSTM128_BS128_Pairs5_Tokens20"
SNAKE, PARITY = "losg_tasks_family_seed32", "losg_tasks_family_seed0"
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
    (COPY, "tokens", lambda x: x + 10, "gave 'tokens' with 1.: allowed is 0 to 11"),
    (PAIRS, "target", lambda x: x - 1, "gave 'target' with -1: allowed is 0 to 21"),
    (COPY, "mask", lambda x: x + np.float32(np.inf), "gave 'mask' with inf: allowed is finite numbers"),
    (COPY, "mask", lambda x: x.astype(int), r"gave 'mask' as int64 \[8, 128, 11\]: allowed is an array of floats"),
    (SNAKE, "features", lambda x: x * np.nan, "gave 'features' with nan: allowed is finite numbers"),
    (SNAKE, "features", lambda x: x[..., :1], "gave 'features' as float32"),
    (SNAKE, "label", lambda x: x + 2, "gave 'label' with [23]: allowed is 0 to 1"),
    (PARITY, "ids", lambda x: x - 1, "gave 'ids' with -1: allowed is 0 to 1"),
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


def reused(buffer):
    """Draws that are all written into the same array."""

    def draw(split, seed, start, count):
        buffer[:count] = np.arange(start, start + count)[:, None]
        return {"x": buffer[:count]}

    return draw


def test_a_function_may_use_its_arrays_again():
    """The batch that is drawn again for comparison, and the draws after it, come into the arrays of the first."""
    draw = Repeatable(reused(np.zeros([8, 2])), "mine")
    eight, one, again = draw("train", 0, 0, 8)["x"], draw("test", 0, 5, 1)["x"], draw("train", 0, 8, 8)["x"]
    assert [eight[:, 0].tolist(), one.tolist(), again[:, 1].tolist()] == [[*range(8)], [[5, 5]], [*range(8, 16)]]


def test_batches_in_a_functions_own_arrays_stay_as_they_were():
    task, images = taskset.get_task(IMAGES, "synthetic"), {}

    def draw(split, seed, start, count):
        for name, array in task.raw_batches(split, seed, start, count).items():
            images.setdefault(name, np.empty_like(array, shape=(8, *array.shape[1:])))[:count] = array
        return {name: array[:count] for name, array in images.items()}

    raw, expected = task.reading(draw, "mine").raw_batches("train", 0, 0, 8), task.raw_batches("train", 0, 0, 8)
    for name, array in expected.items():
        np.testing.assert_array_equal(raw[name], array)


def test_a_task_without_data_reads_none():
    task = taskset.get_task("quadratic_family_seed18")
    with pytest.raises(ConfigError, match="^task 'quadratic_family_seed18' reads no data$"):
        task.reading(lambda *_: pytest.fail("called"), "mine")


@pytest.mark.parametrize("start", [-1, 1.0, True, 2**31])
def test_batches_begin_with_a_whole_number(start):
    task = taskset.get_task(IMAGES, "synthetic")
    for draw in (task.batches, lambda *where: task.raw_batches(*where, 1)):
        with pytest.raises(ConfigError, match=rf"^start {start}: allowed is an integer 0 <= start < 2\*\*31$"):
            draw("train", 0, start)


@pytest.mark.parametrize("rows", [range(0, 500, 2), range(1, 500, 2), range(499, -1, -3), range(100, 150), range(50)], ids=str)
def test_an_order_is_of_the_numbers_in_its_range(rows):
    drawn = EpochOrder(rows, 10)(3, "train", 0, len(rows) // 10)
    assert drawn.dtype == np.int64 and len(set(drawn.ravel())) == drawn.size and set(drawn.ravel()) <= set(rows)
    positions = EpochOrder(range(len(rows)), 10)(3, "train", 0, len(rows) // 10)
    np.testing.assert_array_equal(drawn, np.asarray(rows)[positions])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((range(3), 64), "a batch of 64 can't be drawn from 3 examples: allowed is a batch_size of at most that many"),
        ((range(0), 64, "mnist, test"), "a batch of 64 can't be drawn from 0 examples of mnist, test: allowed is .*"),
        (([1, 2, 3], 1), r"rows \[1, 2, 3\]: allowed is a range of row numbers, such as range\(500\)"),
        ((range(3), 0), "batch_size 0: allowed is an integer of at least 1"),
        ((range(3), 2.0), "batch_size 2.0: allowed is an integer of at least 1"),
    ],
)
def test_orders_that_there_are_not(arguments, message):
    with pytest.raises(ConfigError, match=f"^{message}$"):
        EpochOrder(*arguments)


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


def wide(array):
    return array if array.dtype.kind == "f" else array.astype(np.int64)


@pytest.mark.parametrize("name", [IMAGES, REVIEWS, SENTENCES, COPY, SNAKE, PARITY])
def test_a_tasks_own_draws_pass_in_any_type_of_whole_numbers(name):
    task = taskset.get_task(name, "synthetic")
    same = task.reading(task.raw_batches, "same")
    wider = task.reading(lambda *where: {k: wide(v) for k, v in task.raw_batches(*where).items()}, "wider")
    params = task.init(0)
    losses = [float(one.loss(params, next(one.batches("train", 0)), 0)) for one in (task, same, wider)]
    assert losses[0] == losses[1] == losses[2]
