"""Image data: specifications and batches."""

import numpy as np
import pytest

from taskset.datasets import arrays
from taskset.datasets.images import ImageBatches, ImageData
from taskset.errors import ConfigError, UnknownName

CROP = {
    "crop_amount": 2, "flip_left_right": True, "flip_up_down": False, "do_color_aug": False,
    "brightness": 0.1, "saturation": 0.1, "hue": 0.1, "contrast": 0.1,
}  # fmt: skip


def numbered(**sizes):
    """Stored arrays in which each image's pixels and label say its row; splits differ in the third pixel."""
    images, labels = {}, {}
    for i, (split, n) in enumerate(sizes.items()):
        images[split] = np.zeros((n, 28, 28, 1), np.uint8)
        images[split][:, 0, 0, 0], images[split][:, 0, 1, 0] = np.divmod(np.arange(n), 256)
        images[split][:, 0, 2, 0] = i
        labels[split] = np.arange(n, dtype=np.int32)
    return arrays.StoredImages(images, labels, {})


def test_spec_is_hashable_and_says_its_shapes():
    spec = ImageData("cifar10", 32, 1000, dict(CROP))
    assert spec == ImageData("cifar10", 32, 1000, dict(reversed(CROP.items())))
    assert hash(spec) == hash(ImageData("cifar10", 32, 1000, CROP)) and spec != ImageData("cifar10", 32, 1000)
    assert (spec.image_shape, spec.num_classes, spec.augment) == ((30, 30, 3), 10, CROP)
    assert spec.batch == {"image": ((32, 30, 30, 3), "float32"), "label": ((32,), "int32")}


@pytest.mark.parametrize(
    "spec, words",
    [
        (ImageData("mnist", 6000), "batch size: a batch of 6000 can't be drawn from the 5000 examples of valid_inner"),
        (ImageData("mnist", 64, num_train=50), "batch size: a batch of 64 can't be drawn from the 50 examples of train"),
        (ImageData("coil100_32x32", 8, valid_size=3000), "valid_size: 3000 examples can't be cut off 7200 for test"),
        (ImageData("coil100_32x32", 8, valid_size=2400), "valid_size: the cuts take all 7200 training examples"),
        (ImageData("mnist", 8, augmentation={**CROP, "crop_amount": 28}), "augmentation.crop_amount: nothing is left"),
    ],
)
def test_infeasible_names_the_field(spec, words):
    assert words in spec.infeasible
    with pytest.raises(ConfigError, match="^" + spec.name):
        spec.open("synthetic")


def test_bad_specifications():
    with pytest.raises(UnknownName, match="unknown image data set 'minst'; did you mean 'mnist'"):
        ImageData("minst", 8)
    with pytest.raises(ConfigError, match="augmentation: missing or unknown zoom"):
        ImageData("mnist", 8, augmentation={**CROP, "zoom": 1})
    with pytest.raises(UnknownName, match="unknown source 'tdfs'; did you mean 'tfds'"):
        ImageData("mnist", 8).open("tdfs")


@pytest.fixture
def batches():
    return ImageBatches(ImageData("mnist", 16, num_train=100, valid_size=50), numbered(train=220, test=40))


@pytest.mark.parametrize(
    "sizes, words",
    [
        ({"train": 90, "test": 40}, "valid_size: 50 examples can't be cut off 90 for valid_outer"),
        ({"train": 100, "test": 40}, "valid_size: the cuts take all 100 training examples"),
        ({"train": 220, "test": 9}, "batch size: a batch of 16 can't be drawn from the 9 examples of test"),
    ],
)
def test_a_set_of_which_a_part_is_missing(sizes, words):
    with pytest.raises(ConfigError, match=f"^mnist: {words}$"):
        ImageBatches(ImageData("mnist", 16, valid_size=50), numbered(**sizes))


def row_numbers(batch):
    return batch["image"][..., 0, 0, 0].astype(int) * 256 + batch["image"][..., 0, 1, 0]


def test_images_go_with_their_labels(batches):
    batch = batches("train", 3, 0, 20)
    assert batch["image"].shape == (20, 16, 28, 28, 1) and batch["image"].dtype == np.uint8
    assert batch["label"].shape == (20, 16) and batch["label"].dtype == np.int32
    np.testing.assert_array_equal(row_numbers(batch), batch["label"])


@pytest.mark.parametrize(
    "split, rows", [("train", (100, 200)), ("valid_inner", (0, 50)), ("valid_outer", (50, 100)), ("test", (0, 40))]
)
def test_splits_are_disjoint_and_an_epoch_repeats_nothing(batches, split, rows):
    per_epoch = (rows[1] - rows[0]) // 16
    seen = set()
    for epoch in range(8):
        batch = batches(split, 0, epoch * per_epoch, per_epoch)
        drawn = row_numbers(batch).ravel()
        assert len(set(drawn)) == per_epoch * 16
        assert rows[0] <= drawn.min() and drawn.max() < rows[1]
        assert set(batch["image"][..., 0, 2, 0].ravel()) == {1 if split == "test" else 0}
        seen |= set(drawn)
    assert len(seen) > 0.98 * (rows[1] - rows[0])


def test_order_starts_anywhere_and_depends_on_seed_split_and_epoch(batches):
    whole = batches("train", 7, 0, 30)["label"]
    for start, count in ((0, 1), (5, 3), (11, 19), (29, 1)):
        fresh = ImageBatches(ImageData("mnist", 16, num_train=100, valid_size=50), numbered(train=220, test=40))
        np.testing.assert_array_equal(fresh("train", 7, start, count)["label"], whole[start : start + count])
    assert not np.array_equal(batches("train", 8, 0, 6)["label"], whole[:6])
    assert not np.array_equal(whole[:6], whole[6:12])
    inner, outer = (batches(split, 7, 0, 3)["label"] for split in ("valid_inner", "valid_outer"))
    assert not np.array_equal(inner, outer - 50)


def test_pixels_are_scaled(batches):
    spec = ImageData("mnist", 16)
    raw = {name: value[0] for name, value in batches("train", 0, 0, 1).items()}
    raw["image"] = raw["image"].copy()
    raw["image"][0, 5, 5, 0] = 255
    batch = spec.prepare(raw, [0, 0])
    np.testing.assert_allclose(batch["image"], raw["image"] / 255.0, atol=1e-7)
    assert batch["image"].numpy().max() == 1.0
