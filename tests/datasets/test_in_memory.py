"""Arrays of a user's own as data."""

import numpy as np
import pytest

from taskset.datasets.in_memory import InMemoryData
from taskset.errors import ConfigError

ROWS = {"train": range(10), "valid_inner": range(10, 20), "valid_outer": range(20, 30), "test": range(30, 40)}
ARRAYS = {"x": np.arange(40.0)[:, None], "y": np.arange(40)}


def test_batches_are_of_the_rows_of_their_split():
    data = InMemoryData(ARRAYS, ROWS, 5)
    for split, rows in ROWS.items():
        batch = data.open()(split, 0, 0, 2)
        assert sorted(batch["y"].ravel()) == list(rows) and np.array_equal(batch["x"][..., 0], batch["y"])


def test_it_shows_its_arrays_and_splits():
    shown = (
        "InMemoryData(x float32 [40, 1], y int32 [40]; examples: train 10, valid_inner 10, valid_outer 10, test 10; batch_size 5)"
    )
    assert str(InMemoryData(ARRAYS, ROWS, 5)) == shown


@pytest.mark.parametrize(
    "arrays, rows, message",
    [
        ({}, {"test": range(30, 50)}, r"rows of 'test' are range\(30, 50\): allowed is range\(start, stop\) of the 40 examples"),
        ({}, {"test": range(-10, 0)}, "rows of 'test'"),
        ({}, {"train": range(0, 20, 2)}, "rows of 'train'"),
        ({}, {"train": range(4)}, "at least the 5 of a batch"),
        ({}, {"more": range(5)}, "rows has .*'more'; needed are train, valid_inner"),
        ({}, {"train": [0, 1, 2, 3, 4]}, "rows of 'train'"),
        ({"y": np.arange(39)}, {}, r"shapes .*'y': \(39,\)\}: allowed"),
        ({"y": np.array(1.0)}, {}, r"shapes .*'y': \(\)\}: allowed"),
    ],
)
def test_rows_that_are_not_there(arrays, rows, message):
    with pytest.raises(ConfigError, match=message) as error:
        InMemoryData(ARRAYS | arrays, ROWS | rows, 5)
    assert "\n" not in str(error.value)
