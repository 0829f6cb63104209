"""The data of losg_tasks_family: features, labels, and the order of batches."""

import itertools

import numpy as np
import pytest

from taskset.datasets import losg
from taskset.random import seeds
from tests.tasks.losg_configs import CONFIGS, task_of


def test_symmetric_data():
    spec = losg.SymmetricData(3, 101, 10, 4)
    rows = spec.arrays()["features"]
    assert rows.shape == (100, 4) and rows.dtype == np.float32
    np.testing.assert_array_equal(rows[:50], -rows[50:])
    assert abs(rows.std() - 1) < 0.15
    assert not np.array_equal(rows, losg.SymmetricData(4, 101, 10, 4).arrays()["features"])


def test_parity_data():
    arrays = losg.NoisyParityData(3, 20000, 10).arrays()
    assert arrays["ids"].shape == (20000, 5) and set(np.unique(arrays["ids"])) == {0, 1}
    assert (arrays["ids"].sum(1) % 2 != arrays["label"]).mean() == pytest.approx(0.25, abs=0.015)


@pytest.mark.parametrize("number", [3, 4])
def test_labels_are_those_of_a_random_network_of_six_layers(number):
    """Against its formula in float64; weights and features are drawn in the same order."""
    arrays = losg.RandomNetworkData(number, 2000, 10, 7).arrays()
    rng = seeds.generator(number, "losg", "random network")
    features = rng.standard_normal((2000, 7), np.float32)
    np.testing.assert_array_equal(arrays["features"], features)
    x, inputs = features.astype(float), 7
    for _ in range(6):
        x, inputs = np.maximum(x @ rng.standard_normal((inputs, 20), np.float32), 0), 20  # a factor changes no label
    assert np.mean(arrays["label"] == (x[:, 0] > 0)) > 0.999  # float32 rounds a sum near 0 to another sign now and then
    assert 0 < arrays["label"].mean() < 1


def test_batches_go_through_epochs_and_splits_have_their_own_order():
    spec = losg.SymmetricData(3, 100, 25, 1)
    opened = spec.open()
    train = opened("train", 0, 0, 4)["features"]
    assert train.shape == (4, 25, 1) and len(np.unique(train)) == 100
    np.testing.assert_array_equal(opened("train", 0, 1, 1)["features"][0], train[1])
    np.testing.assert_array_equal(spec.open()("train", 0, 0, 4)["features"], train)
    for other in (opened("test", 0, 0, 4), opened("train", 1, 0, 4), opened("train", 0, 4, 4)):
        assert not np.array_equal(other["features"], train)
        assert np.isin(other["features"], spec.arrays()["features"]).all()


def rows_of(num_samples, batch_size):
    """A set of `num_samples` rows that are their own numbers."""
    opened = losg.NoisyParityData(3, num_samples, batch_size).open()
    opened.arrays = {"row": np.arange(num_samples)}
    return lambda *where: opened(*where)["row"]


def counts(batches, rows):
    """How often each row is in each batch: [batches, rows]."""
    return (batches[..., None] == np.arange(rows)).sum(axis=1)


def shuffle_buffer(num_samples, batch_size, batches):
    """Batches of the repeated set through a buffer of `num_samples` rows, one draw after the other, long after its start."""
    rng, skipped = np.random.default_rng(0), 50 * num_samples
    buffer, drawn = list(range(num_samples)), []
    for following in range(skipped + batches * batch_size):
        place = rng.integers(num_samples)
        drawn.append(buffer[place])
        buffer[place] = following % num_samples
    return np.reshape(drawn[skipped:], (batches, batch_size))


@pytest.mark.parametrize(
    "num_samples, batch_size, spread",
    [(10, 100, 0.945), (5, 180, 0.88), (3, 4, 0.71), (1, 2, 0.0), (20, 20, 0.78), (20, 10, 0.62), (20, 6, 0.50)],
)
def test_batches_of_sets_of_few_batches_are_those_of_a_shuffle_buffer(num_samples, batch_size, spread):
    draw = rows_of(num_samples, batch_size)
    starting, going_on, ending = (np.concatenate([draw("train", s, step, 2) for s in range(1000)]) for step in (0, 50, 98))
    slow = shuffle_buffer(num_samples, batch_size, 2000)
    for rows in (starting, going_on, ending, slow):
        found = counts(rows, num_samples)
        np.testing.assert_allclose(found.mean(axis=0), batch_size / num_samples, atol=0.08)
        assert found.std() == pytest.approx(spread, abs=0.03)
        # What one batch has too much of the next one lacks: the counts in both together vary as little.
        pairs = found.reshape(1000, 2, num_samples)
        assert pairs.sum(axis=1).std() == pytest.approx(counts(slow.reshape(1000, -1), num_samples).std(), abs=0.04)
        same = (rows[:, 1:] == rows[:, :-1]).mean()
        assert same == pytest.approx((slow[:, 1:] == slow[:, :-1]).mean(), abs=0.012)


def test_batches_larger_than_the_set_are_a_function_of_seed_split_and_step():
    whole = rows_of(4, 50)("train", 0, 0, 250)
    assert whole.shape == (250, 50)
    for start, count in ((7, 1), (95, 10), (199, 1), (200, 50)):
        np.testing.assert_array_equal(rows_of(4, 50)("train", 0, start, count), whole[start : start + count])
    others = [rows_of(4, 50)(split, seed, 0, 100) for split, seed in (("test", 0), ("train", 1))]
    for one, other in itertools.combinations([whole[:100], whole[100:200], *others], 2):
        assert (one == other).mean() == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize("name", CONFIGS)
def test_no_source_is_needed(name):
    task = task_of(CONFIGS[name])
    assert task.source == "none"
    batch = next(task.batches("valid_outer", 0))
    assert {k: (tuple(v.shape), v.dtype.name) for k, v in batch.items()} == task.batch_shapes
