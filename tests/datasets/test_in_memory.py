"""Arrays of a user's own as data."""

import json

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
        ({"y": np.full(40, 2**31)}, {}, "array 'y' has 2147483648, which int32 can't hold"),
        ({"y": np.full(40, 2**31, np.uint64)}, {}, "array 'y' has 2147483648, which int32 can't hold"),
        ({"x": np.full(40, 1e300)}, {}, r"array 'x' has 1e\+300, which float32 can't hold"),
        ({"x": np.full(40, "a")}, {}, "array 'x' is of <U1: allowed are numbers"),
        ({"x": np.full(40, 1j)}, {}, "array 'x' is of complex128: allowed are numbers"),
        ({"x": np.ma.masked_equal(np.arange(40.0), 3)}, {}, "array 'x' is masked: allowed are arrays without a mask"),
    ],
)
def test_rows_that_are_not_there(arrays, rows, message):
    with pytest.raises(ConfigError, match=message) as error:
        InMemoryData(ARRAYS | arrays, ROWS | rows, 5)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("size", [0, -1, 2.0, "5", True])
def test_batches_of_no_size(size):
    with pytest.raises(ConfigError, match="batch_size .*: allowed is an integer of at least 1"):
        InMemoryData(ARRAYS, ROWS, size)


def test_its_origin_tells_data_apart():
    def origin(arrays=ARRAYS, rows=ROWS, batch_size=5):
        data = InMemoryData(arrays, rows, batch_size)
        assert data.open().origin == data.origin
        return json.dumps(data.origin)

    one_differs = ARRAYS["x"].copy()
    one_differs[7] += 1
    assert origin() == origin({name: ARRAYS[name] for name in ("y", "x")})
    others = [
        origin(ARRAYS | {"x": one_differs}),
        origin(ARRAYS | {"x": ARRAYS["x"][:, 0]}),
        origin({"x": ARRAYS["x"], "z": ARRAYS["y"]}),
        origin(ARRAYS | {"none": np.zeros([40, 0])}),
        origin(rows=ROWS | {"test": range(31, 40)}),
        origin(batch_size=4),
    ]
    assert len({origin(), *others}) == 7
