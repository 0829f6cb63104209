"""Real images: read from TFDS directories, resized and stored."""

import json
import os

import numpy as np
import pytest

from taskset.datasets import arrays, prepared, tfds_source
from taskset.datasets.images import ImageData
from taskset.datasets.info import IMAGES
from taskset.errors import DataNotPrepared, StoreError


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
        ImageData(name, 8).open("tfds", str(tmp_path / "my data"))
    text = str(error.value)
    assert f"python -m taskset data prepare {name} --data-dir '{tmp_path}/my data' (" in text  # for the shell
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
