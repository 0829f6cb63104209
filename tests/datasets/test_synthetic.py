"""Synthetic image sets: shapes, reproducibility, statistics, and that there is something to learn which is not trivial."""

import numpy as np
import pytest

from taskset.datasets import arrays, synthetic
from taskset.datasets.images import ImageData
from taskset.datasets.info import IMAGES, image_info
from taskset.datasets.synthetic import fields


@pytest.fixture
def small(monkeypatch):
    """Every synthetic set cut down to 600 training images and 200 others."""
    real = synthetic.sizes
    monkeypatch.setattr(synthetic, "sizes", lambda name: {split: 600 if split == "train" else 200 for split in real(name)})


def centroid_accuracy(train, test):
    """Accuracy of the nearest class mean."""
    x, y = train[0].reshape(len(train[0]), -1) / 255.0, train[1]
    means = np.stack([x[y == k].mean(axis=0) for k in np.unique(y)])
    z = test[0].reshape(len(test[0]), -1) / 255.0
    nearest = ((z[:, None] - means[None]) ** 2).sum(axis=2).argmin(axis=1)
    return (np.unique(y)[nearest] == test[1]).mean()


@pytest.mark.long
@pytest.mark.parametrize("name", IMAGES)
def test_shapes_classes_and_repeatability(small, name):
    info = image_info(name)
    first, second = synthetic.make_images(name), synthetic.make_images(name)
    assert list(first) == [split for split, _ in info.sizes]
    for split, (images, labels) in first.items():
        assert images.shape == (600 if split == "train" else 200, *info.shape) and images.dtype == np.uint8
        assert labels.dtype == np.int32 and labels.min() >= 0 and labels.max() < info.num_classes
        np.testing.assert_array_equal(images, second[split][0])
        np.testing.assert_array_equal(labels, second[split][1])
        assert images.max() > 200 and images.min() < 30
    together = np.concatenate([labels for _, labels in first.values()])
    assert len(np.unique(together)) >= 0.95 * min(info.num_classes, len(together))


def test_another_seed_or_name_makes_another_set(small):
    images, labels = synthetic.make_images("cifar10")["train"]
    for other in (synthetic.make_images("cifar10", seed=1), synthetic.make_images("sun397_32x32")):
        assert np.abs(other["train"][0].astype(int) - images).mean() > 20
    assert not np.array_equal(synthetic.make_images("cifar10", seed=1)["train"][1], labels)


def test_splits_are_of_one_kind_and_differ(small):
    made = synthetic.make_images("mnist")
    assert not np.array_equal(made["train"][0][:200], made["test"][0])
    # What is learned on one holds on the other, and labels mean the same in both.
    assert centroid_accuracy(made["train"], made["test"]) > 0.5


@pytest.mark.parametrize("name", IMAGES)
def test_sizes_are_the_real_ones_up_to_caps(name):
    real, made = dict(image_info(name).sizes), synthetic.sizes(name)
    assert list(real) == list(made)
    assert all(made[split] <= real[split] for split in real)
    assert real["train"] > 60_000 or image_info(name).shape[0] > 32 or made["train"] == real["train"]


# Mean, standard deviation and share of zeros of the real training pixels.
REAL = {"mnist": (0.131, 0.308, 0.81), "fashion_mnist": (0.286, 0.353, 0.50), "cifar10": (0.473, 0.251, 0.004)}


@pytest.mark.parametrize("name", REAL)
def test_pixel_statistics(small, name):
    images, _ = synthetic.make_images(name)["train"]
    x = images / 255.0
    mean, std, zeros = REAL[name]
    assert x.mean() == pytest.approx(mean, abs=0.04)
    assert x.std() == pytest.approx(std, abs=0.05)
    assert (x == 0).mean() == pytest.approx(zeros, abs=0.07)


@pytest.mark.parametrize("name, low, high", [("mnist", 0.5, 0.95), ("fashion_mnist", 0.4, 0.9), ("cifar10", 0.15, 0.55)])
def test_class_means_tell_something_and_not_all(small, name, low, high):
    made = synthetic.make_images(name)
    assert low < centroid_accuracy(made["train"], made["test"]) < high


def test_labels_are_balanced_and_some_are_wrong(small):
    labels = synthetic.make_images("mnist")["train"][1]
    assert np.bincount(labels).min() > 40
    clean = np.sort(np.concatenate([labels, synthetic.make_images("mnist")["test"][1]]))
    np.testing.assert_array_equal(clean, np.sort(np.arange(800) % 10))
    noisy = np.sort(np.concatenate([part[1] for part in synthetic.make_images("cifar10").values()]))
    assert not np.array_equal(noisy, clean)


def test_through_the_specification(small, tmp_path, monkeypatch):
    arrays._load.cache_clear()
    monkeypatch.setenv("TASKSET_SHARED_ARRAYS", str(tmp_path))
    spec = ImageData("coil100_32x32", 20, valid_size=100)
    shared = spec.open("synthetic")
    monkeypatch.delenv("TASKSET_SHARED_ARRAYS")
    own = spec.open("synthetic")
    for split in ("train", "valid_inner", "valid_outer", "test"):
        a, b = shared(split, 0, 3, 4), own(split, 0, 3, 4)
        np.testing.assert_array_equal(a["image"], b["image"])
        np.testing.assert_array_equal(a["label"], b["label"])
    assert isinstance(shared.images["train"], np.memmap) and not isinstance(own.images["train"], np.memmap)
    assert own.origin == shared.origin == {**own.origin, "source": "synthetic", "version": str(synthetic.VERSION)}
    with pytest.raises(ValueError, match="read-only"):
        own.images["train"][0] = 0
    arrays._load.cache_clear()


def test_fields_have_the_spectrum_asked_for():
    rng = np.random.default_rng(0)
    drawn = fields.power_law_fields(rng, 64, 64, 1.25, channels=3, rho=0.92)
    assert drawn.shape == (64, 3, 64, 64) and drawn.std() == pytest.approx(1, abs=0.02)
    assert np.corrcoef(drawn[:, 0].ravel(), drawn[:, 1].ravel())[0, 1] == pytest.approx(0.92, abs=0.02)
    power = (np.abs(np.fft.fft2(drawn[:, 0])) ** 2).mean(axis=0)[0, 1:20]
    slope = np.polyfit(np.log(np.arange(1, 20)), np.log(power), 1)[0]
    assert slope == pytest.approx(-2.5, abs=0.2)


def test_spread_draws():
    rng = np.random.default_rng(0)
    z = fields.spread_normal(rng, 50, 3)
    assert np.abs(z.mean(axis=0)).max() < 0.05 and z.std(axis=0) == pytest.approx(1, abs=0.08)
    points = fields.spread_pairs(rng, 20)
    apart = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1)) + np.eye(20)
    assert apart.min() > 0.1 and points.min() >= 0 and points.max() < 1
