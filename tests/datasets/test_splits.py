"""How four splits are cut from the stored splits of a data set."""

import pytest

from taskset.datasets import splits
from taskset.datasets.base import SPLITS
from taskset.datasets.images import ImageData
from taskset.datasets.info import IMAGES, image_info

CUT_OFF = {"valid_inner": ("train", 0, 10), "valid_outer": ("train", 10, 20), "test": ("train", 20, 30)}


@pytest.mark.parametrize(
    "sizes, wanted",
    [
        (
            {"train": 100, "validation": 30, "test": 20},
            {"train": ("train", 10, 100), "valid_outer": ("validation", 0, 30), "test": ("test", 0, 20)},
        ),
        ({"train": 100, "test": 20}, {"train": ("train", 20, 100), "test": ("test", 0, 20)}),
        ({"train": 100, "validation": 30}, {"train": ("train", 20, 100), "test": ("validation", 0, 30)}),
        ({"train": 100}, {"train": ("train", 30, 100)}),
    ],
    ids=["all three", "train and test", "train and validation", "train only"],
)
def test_cuts(sizes, wanted):
    cuts = splits.four_splits(sizes, 10)
    assert {name: (cut.stored, cut.rows.start, cut.rows.stop) for name, cut in cuts.items()} == {**CUT_OFF, **wanted}
    assert tuple(cuts) == SPLITS


@pytest.mark.parametrize("num_train, wanted", [(None, 80), (50, 50), (80, 80), (81, 80)])
def test_num_train_takes_at_most_what_is_left(num_train, wanted):
    assert len(splits.four_splits({"train": 100, "test": 20}, 10, num_train)["train"].rows) == wanted


@pytest.mark.parametrize("name", IMAGES)
def test_every_data_set_can_be_cut(name):
    spec = ImageData(name, 256)
    assert spec.infeasible is None
    sizes = dict(image_info(name).sizes)
    taken = {}
    for cut in spec.cuts(sizes).values():
        taken.setdefault(cut.stored, []).append(cut.rows)
    for stored, ranges in taken.items():
        bounds = sorted((rows.start, rows.stop) for rows in ranges)
        assert [stop for _, stop in bounds] == [start for start, _ in bounds[1:]] + [sizes[stored]]


def test_sampled_cut_sizes():
    cuts = {name: ImageData(name, 8).valid_size for name in ("mnist", "cifar100", "coil100_32x32", "deep_weeds_32x32")}
    assert cuts == {"mnist": 5000, "cifar100": 5000, "coil100_32x32": 800, "deep_weeds_32x32": 2000}
    assert ImageData("mnist", 8, valid_size=3000).cuts({"train": 60_000, "test": 10_000})["train"].rows == range(6000, 60_000)
