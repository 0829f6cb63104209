"""The arrays of an image data set, from either source."""

import functools
import zlib
from dataclasses import dataclass

import numpy as np

from taskset.datasets import sharing
from taskset.datasets.info import image_info
from taskset.datasets.prepared import Directory


@dataclass(frozen=True)
class StoredImages:
    """An image data set before it is cut into four splits.

    images: {stored split: uint8 [n, height, width, channels]}. labels: {stored split: int32 [n]}.
    origin: where the data comes from (JSON values): source, name, version, and a checksum of the labels and the first images,
    which distinguishes results on different copies of a data set.
    """

    images: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    origin: dict[str, str]


def load(name: str, source: str, data_dir: Directory | None = None, seed: int = 0) -> StoredImages:
    """The `StoredImages` of `name`, as read-only arrays. seed: of the synthetic source; ignored by the real one.

    The two data sets used last are kept in memory. Raises `UnknownName`, `DataNotPrepared`.
    """
    from taskset.datasets import prepared

    place = str(prepared.data_dir_or_default(data_dir)) if source == "tfds" else None
    return _load(name, source, place, seed, sharing.scratch_from_environment())


@functools.lru_cache(maxsize=2)
def _load(name, source, data_dir, seed, scratch_dir):
    version, splits = (_real if source == "tfds" else _synthetic)(name, data_dir, seed, scratch_dir)
    images = {split: splits[f"{split}_image"] for split, _ in image_info(name).sizes}
    labels = {split: np.asarray(splits[f"{split}_label"]) for split, _ in image_info(name).sizes}
    for array in (*images.values(), *labels.values()):
        array.flags.writeable = False
    origin = {"source": source, "name": name, "version": version, "checksum": _checksum(images, labels)}
    return StoredImages(images, labels, origin)


def _real(name, data_dir, seed, scratch_dir):
    from taskset.datasets import tfds_source

    def make():
        return _flat(tfds_source.read_images(name, data_dir))

    version = tfds_source.version(name, data_dir)
    key = f"tfds-{name}-{version}-{zlib.crc32(data_dir.encode()):08x}"
    return version, sharing.open_arrays(key, make, scratch_dir)


def _synthetic(name, data_dir, seed, scratch_dir):
    from taskset.datasets import synthetic

    def make():
        return _flat(synthetic.make_images(name, seed))

    key = f"synthetic-{name}-seed{seed}-version{synthetic.VERSION}"
    return str(synthetic.VERSION), sharing.open_arrays(key, make, scratch_dir)


def _flat(splits):
    images = {f"{split}_image": images for split, (images, _) in splits.items()}
    return images | {f"{split}_label": labels for split, (_, labels) in splits.items()}


def _checksum(images, labels):
    value = 0
    for split in images:
        value = zlib.crc32(np.ascontiguousarray(labels[split]), value)
        value = zlib.crc32(np.ascontiguousarray(images[split][:1000]), value)
    return f"{value:08x}"
