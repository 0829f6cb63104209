"""Image data: cuts, order, real data through TFDS, errors."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from taskset.datasets import arrays, prepared, resizing, sharing, splits, tfds_source
from taskset.datasets.base import SPLITS
from taskset.datasets.images import ImageBatches, ImageData
from taskset.datasets.info import IMAGES, image_info
from taskset.errors import ConfigError, DataNotPrepared, StoreError, UnknownName

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


# Cuts


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


# Specifications


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


# Batches


@pytest.fixture
def batches():
    return ImageBatches(ImageData("mnist", 16, num_train=100, valid_size=50), numbered(train=220, test=40))


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


# Shared arrays


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


# Resized images


def resized(rows, size):
    """One channel of a resized image."""
    return resizing.resize(np.array(rows, np.uint8)[..., None], size).numpy()[..., 0].tolist()


def test_resized_values_by_hand():
    # Four pixels to two: the new centres lie half way between 0 and 1, and between 2 and 3. The kernel with a = -3/4 is 19/32 at
    # distance 1/2 and -3/32 at 3/2; beyond the edge the pixel at the edge counts once more.
    assert resized([[0, 100, 200, 50]], (1, 2)) == [[41, 134]]  # 40.625 and 134.375
    assert resized([[0], [100], [200], [50]], (2, 1)) == [[41], [134]]
    assert resized([[0, 0, 0, 0], [32, 32, 32, 32], [0, 0, 0, 0], [0, 0, 0, 0]], (2, 2)) == [[19, 19], [0, 0]]  # 19, -3
    assert resized([[255, 255, 0, 0]], (1, 2)) == [[255, 0]]  # 278.9 and -23.9
    # Two to four: 1/4 and 3/4 of a pixel off, with weights 0.87890625, 0.26171875, -0.03515625, -0.10546875.
    assert resized([[0, 100]], (1, 4)) == [[0, 23, 77, 111]]  # -10.5, 22.7, 77.3, 110.5
    # Nothing is smoothed before: of eight pixels to one only the inner four count, and here they are dark.
    assert resized([[255, 255, 0, 0, 0, 0, 255, 255]], (1, 1)) == [[0]]
    assert resized([[7, 9], [11, 13]], (2, 2)) == [[7, 9], [11, 13]]


def cubic_twin(image, size):
    """Pixel by pixel, with the polynomials of OpenCV's source."""

    def places(old, new):
        for i in range(new):
            at = (i + 0.5) * old / new - 0.5
            x, a = at - math.floor(at), -0.75
            shares = [
                ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a,
                ((a + 2) * x - (a + 3)) * x * x + 1,
                ((a + 2) * (1 - x) - (a + 3)) * (1 - x) ** 2 + 1,
            ]
            shares.append(1 - sum(shares))
            yield [(min(max(math.floor(at) - 1 + k, 0), old - 1), share) for k, share in enumerate(shares)]

    result = np.zeros((*size, image.shape[2]))
    for i, rows in enumerate(places(image.shape[0], size[0])):
        for j, columns in enumerate(places(image.shape[1], size[1])):
            result[i, j] = sum(u * v * image[row, column].astype(float) for row, u in rows for column, v in columns)
    return result


@pytest.mark.parametrize("shape, size", [((40, 23, 3), (8, 8)), ((5, 70, 1), (9, 32)), ((7, 7, 3), (7, 7)), ((1, 2, 3), (4, 4))])
def test_resized_images_are_those_of_a_slow_twin(shape, size):
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    twin = cubic_twin(image, size)
    assert np.abs(resizing.resize(image, size).numpy() - twin.clip(0, 255)).max() <= 0.5 + 1e-3


# Real data


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_real_images_are_those_of_tfds(real_data_dir, name):
    import tensorflow_datasets as tfds

    batches = ImageData(name, 100).open("tfds", real_data_dir)
    for split in ("train", "test"):
        first = tfds.load(name, split=f"{split}[:300]", data_dir=real_data_dir, download=False, shuffle_files=False)
        for i, example in enumerate(tfds.as_numpy(first)):
            np.testing.assert_array_equal(batches.images[split][i], example["image"])
            assert batches.labels[split][i] == example["label"]
    drawn = batches("test", 0, 0, 100)["label"]
    np.testing.assert_array_equal(np.bincount(drawn.ravel()), np.bincount(batches.labels["test"]))
    assert batches.origin["source"] == "tfds" and batches.origin["version"].startswith(name + " ")


def test_real_mnist_figures(real_data_dir):
    images = arrays.load("mnist", "tfds", real_data_dir).images["train"]
    assert images.shape == (60_000, 28, 28, 1)
    assert images.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert images.std() / 255 == pytest.approx(0.3081, abs=5e-5)


def test_environment_names_the_directory(monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert prepared.data_dir_or_default() == tmp_path
    assert prepared.data_dir_or_default("/elsewhere").as_posix() == "/elsewhere"
    assert prepared.built_dir("imagenet_resized/16x16") == tmp_path / "taskset" / "imagenet_resized_16x16"
    monkeypatch.setenv("TASKSET_CACHE_DIR", str(tmp_path / "cache"))
    assert prepared.built_dir("food101_32x32", "/elsewhere") == tmp_path / "cache" / "food101_32x32"
    monkeypatch.delenv("TFDS_DATA_DIR")
    assert prepared.data_dir_or_default().name == "tensorflow_datasets"


@pytest.mark.parametrize("name, size", [("cifar100", "168.5 MB"), ("food101_32x32", "5.0 GB")])
def test_what_is_not_prepared_says_how_to(tmp_path, name, size):
    with pytest.raises(DataNotPrepared) as error:
        ImageData(name, 8).open("tfds", str(tmp_path))
    text = str(error.value)
    assert f"python -m taskset data prepare {name} --data-dir {tmp_path}" in text
    assert size in text and "--source synthetic" in text and "\n" not in text


def test_status_of_an_empty_directory(tmp_path):
    rows = tfds_source.status(str(tmp_path))
    assert [row.name for row in rows] == list(IMAGES)
    assert not any(row.prepared for row in rows) and all(row.download for row in rows)


def test_a_directory_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="--data-dir"):
        tfds_source.prepare("mnist", str(tmp_path / "file"))


def test_a_failed_download_is_one_line(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    def refuse(self, **options):
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", refuse)
    with pytest.raises(StoreError, match="ConnectionError: no route") as error:
        tfds_source.prepare("mnist", str(tmp_path))
    assert "\n" not in str(error.value)


def test_sets_resized_before_are_not_mistaken(coil):
    tfds_source.prepare("coil100_32x32", str(coil))
    record = coil / "taskset" / "coil100_32x32" / "info.json"
    made = {k: v for k, v in json.loads(record.read_text()).items() if k in ("name", "made_from", "sizes")}
    record.write_text(json.dumps({"version": 1, "method": "bicubic", "antialias": False, **made}))
    with pytest.raises(DataNotPrepared, match=r"was made by version 1 .*\(no download\)"):
        tfds_source.read_images("coil100_32x32", str(coil))


@pytest.fixture
def coil(tmp_path, monkeypatch):
    """A small coil100 as TFDS would prepare it: 12 images of 20x40 pixels."""
    import tensorflow_datasets as tfds

    class Coil100(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        name = "coil100"
        VERSION = tfds.core.Version("2.0.0")

        def _info(self):
            features = {"image": tfds.features.Image(shape=(20, 40, 3)), "object_id": tfds.features.ClassLabel(num_classes=100)}
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features), disable_shuffling=True)

        def _split_generators(self, manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for i in range(12):
                image = np.zeros((20, 40, 3), np.uint8)
                image[:10, :20] = 255 - i
                yield i, {"image": image, "object_id": 7 * i}

    monkeypatch.delenv("TASKSET_CACHE_DIR", raising=False)
    builder = Coil100(data_dir=str(tmp_path))
    monkeypatch.setattr(tfds, "builder", lambda name, data_dir: builder)
    return tmp_path


def test_resized_sets_are_built_once(coil):
    with pytest.raises(DataNotPrepared, match="130.7 MB"):
        tfds_source.read_images("coil100_32x32", str(coil))
    tfds_source.prepare("coil100_32x32", str(coil))
    images, labels = tfds_source.read_images("coil100_32x32", str(coil))["train"]
    assert images.shape == (12, 32, 32, 3) and images.dtype == np.uint8
    np.testing.assert_array_equal(labels, 7 * np.arange(12))
    # The bright quarter stays a quarter: the aspect ratio is not kept. Overshoots beside the edge are clipped, not wrapped.
    np.testing.assert_array_equal(images[:, 5, 5, 0], 255 - np.arange(12))
    assert images[0, :14, :14].min() >= 250 and images[0, 18:].max() <= 5 and images[0, :, 18:].max() <= 5
    row = next(row for row in tfds_source.status(str(coil)) if row.name == "coil100_32x32")
    assert row.prepared and row.where == str(coil / "taskset" / "coil100_32x32") and row.download == 0
    assert tfds_source.version("coil100_32x32", str(coil)) == "coil100 2.0.0"

    stamp = (coil / "taskset" / "coil100_32x32" / "train_image.npy").stat().st_mtime_ns
    tfds_source.prepare("coil100_32x32", str(coil))
    assert (coil / "taskset" / "coil100_32x32" / "train_image.npy").stat().st_mtime_ns == stamp


def test_resized_set_of_another_version_is_refused_and_rebuilt(coil):
    tfds_source.prepare("coil100_32x32", str(coil))
    record = coil / "taskset" / "coil100_32x32" / "info.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "version": 0}))
    with pytest.raises(DataNotPrepared, match=r"was made by version 0 .*\(no download\)"):
        tfds_source.read_images("coil100_32x32", str(coil))
    tfds_source.prepare("coil100_32x32", str(coil))
    assert len(tfds_source.read_images("coil100_32x32", str(coil))["train"][1]) == 12
    assert os.listdir(coil / "taskset") == ["coil100_32x32"]


def test_original_there_and_not_resized(coil, monkeypatch):
    tfds_source.prepare("coil100_32x32", str(coil))
    monkeypatch.setenv("TASKSET_CACHE_DIR", str(coil / "own"))
    with pytest.raises(DataNotPrepared, match="no download"):
        tfds_source.read_images("coil100_32x32", str(coil))
    tfds_source.prepare("coil100_32x32", str(coil))
    assert (coil / "own" / "coil100_32x32" / "train_label.npy").is_file()


@pytest.mark.parametrize("damage", ["cut", "gone", "record", "flipped", "key", "version"])
def test_damaged_data_is_named(coil, monkeypatch, damage):
    tfds_source.prepare("coil100_32x32", str(coil))
    monkeypatch.setenv("TASKSET_CACHE_DIR", str(coil / "own"))
    place = coil / "coil100" / "2.0.0"
    records = next(place.glob("*.tfrecord*"))
    if damage == "cut":
        records.write_bytes(records.read_bytes()[:-40])
    elif damage == "gone":
        records.unlink()
    elif damage == "record":
        (place / "features.json").write_text("{")
    elif damage == "flipped":
        content = bytearray(records.read_bytes())
        content[len(content) // 2] ^= 4
        records.write_bytes(content)
    else:
        file, field = {"key": ("features.json", "pythonClassName"), "version": ("dataset_info.json", "version")}[damage]
        (place / file).write_text((place / file).read_text().replace(f'"{field}"', f'"{field[:-1]}"'))
    with pytest.raises(DataNotPrepared, match="is damaged .*delete") as error:
        tfds_source.prepare("coil100_32x32", str(coil))
    assert "\n" not in str(error.value)
