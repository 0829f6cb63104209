"""Arrays shared between processes."""

import os
from pathlib import Path

import numpy as np
import pytest

from taskset.datasets import sharing


def test_shared_arrays_are_made_once(tmp_path):
    made = []

    def make():
        made.append(1)
        return {"train_image": np.arange(6).reshape(2, 3), "train_label": np.arange(2)}

    first = sharing.open_arrays("synthetic-imagenet/16x16", make, tmp_path)
    again = sharing.open_arrays("synthetic-imagenet/16x16", make, tmp_path)
    assert len(made) == 1 and isinstance(again["train_image"], np.memmap)
    for name, array in make().items():
        np.testing.assert_array_equal(first[name], array)
        np.testing.assert_array_equal(again[name], array)
    sharing.open_arrays("other", make, tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["other", "synthetic-imagenet_16x16"]
    assert isinstance(sharing.open_arrays("other", make)["train_image"], np.ndarray)


def test_released_pages_come_back(tmp_path):
    def resident(kind="RssFile:"):
        return int(Path("/proc/self/status").read_text().split(kind)[1].split()[0]) / 1024

    numbers = np.arange(64 * 2**20 // 8)
    array = sharing.open_arrays("large", lambda: {"numbers": numbers}, tmp_path)["numbers"]
    assert array.sum() == numbers.sum()
    before = resident()
    sharing.release_pages()
    assert resident() < before - 50
    np.testing.assert_array_equal(array, numbers)


def test_half_written_arrays_are_never_seen(tmp_path):
    class Unwritable:
        def __array__(self, *args, **kwargs):
            raise MemoryError

    with pytest.raises(MemoryError):
        sharing.open_arrays("set", lambda: {"a": np.arange(3), "b": Unwritable()}, tmp_path)
    assert os.listdir(tmp_path) == []


def test_two_writers(tmp_path):
    sharing.write_directory(tmp_path / "set", {"a": np.arange(3)})
    sharing.write_directory(tmp_path / "set", {"a": np.arange(4)})
    assert len(np.load(tmp_path / "set" / "a.npy")) == 3
    assert os.listdir(tmp_path) == ["set"]
