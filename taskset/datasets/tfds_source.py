"""Real images: prepared TensorFlow Datasets data as uint8 arrays, and data sets resized from it once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from taskset.datasets import built, prepared
from taskset.datasets.info import IMAGES, ImageInfo, image_info
from taskset.datasets.prepared import Directory
from taskset.errors import DataNotPrepared, shown

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

Arrays: TypeAlias = dict[str, tuple[np.ndarray, np.ndarray]]  # {stored split: (images, labels)}

# How data sets are resized (`taskset.datasets.resizing`). A change needs a new version: files of another one are rebuilt.
RESIZED: dict[str, Any] = {"version": 2, "method": "cubic, a = -0.75", "antialias": False}
_READ = 500  # images decoded at a time


def read_images(name: str, data_dir: Directory | None = None) -> Arrays:
    """{stored split: (uint8 images [n, height, width, channels], int32 labels [n])} of a real data set, in stored order.

    Raises `UnknownName`, `DataNotPrepared` (also for data that another version built, and for damaged data).
    """
    info = image_info(name)
    _require(info, data_dir)
    return _read_resized(info, data_dir) if info.resized else _read_stored(info, data_dir)


def version(name: str, data_dir: Directory | None = None) -> str:
    """The name and version of the TFDS data set that `read_images` reads, e.g. `"mnist 3.0.1"`. Raises `DataNotPrepared`."""
    info = image_info(name)
    _require(info, data_dir)
    if info.resized:
        return _built_record(info, data_dir)["made_from"]
    return _stored(info, data_dir)


def status(data_dir: Directory | None = None) -> list[prepared.DataStatus]:
    """The `DataStatus` of every image data set."""
    return [status_of(name, data_dir) for name in IMAGES]


def prepare(name: str, data_dir: Directory | None = None) -> None:
    """Download an image data set with TFDS and, for a resized one, build it. Does nothing if it is prepared already.

    Raises `UnknownName`, `DataNotPrepared` (for damaged data), `StoreError` (if the download fails, or files can't be written).
    """
    info = image_info(name)
    if status_of(info.name, data_dir).prepared:
        return
    if info.resized:
        prepared.require_writable(prepared.cache_dir(data_dir))
    damage = prepared.damage(info.tfds, data_dir)
    if damage:  # TFDS would take damaged files for prepared ones
        raise prepared.not_prepared(info.name, data_dir, info.download, damage)
    if prepared.stored_version(info.tfds, data_dir) is None:
        prepared.download(info.tfds, data_dir)
    if info.resized:
        _build_resized(info, data_dir)


def status_of(name: str, data_dir: Directory | None = None) -> prepared.DataStatus:
    """The `DataStatus` of one image data set."""
    info = IMAGES[name]
    stored = prepared.stored_version(info.tfds, data_dir)
    download, damage = (0, None) if stored else (info.download, prepared.damage(info.tfds, data_dir))
    if not info.resized:
        where, note = None if stored is None else str(stored), damage or prepared.passed_over(info.tfds, data_dir)
        return prepared.DataStatus(info.name, stored is not None, where, download, note=note)
    place, note = prepared.built_dir(info.name, data_dir), ""
    record = built.read_record(place)
    problem = None if record is None else _problem(info, place, record)
    ready = record is not None and problem is None
    if problem:
        note = f"{problem}: prepare it again"
    elif not ready and (stored or damage):
        note = f"the original {damage}" if damage else "the original is prepared, but not resized"
    older = prepared.passed_over(info.tfds, data_dir, record["made_from"] if record is not None and ready else None)
    note = "; ".join(filter(None, (note, older)))
    kind = "" if note else "resized by this package from the original"
    return prepared.DataStatus(info.name, ready, str(place) if ready else None, 0 if ready else download, kind, note)


def _problem(info: ImageInfo, place: Path, record: built.Record) -> str | None:
    """Why built files can't be read, None if they can."""
    if any(record.get(field) != value for field, value in RESIZED.items()):
        return f"was made by version {record.get('version')!r:.40} of this package's resizing, {RESIZED['version']} is needed"
    try:
        built.check(place, record)
        built.text(record, "made_from")
    except built.Damaged as error:
        return f"is damaged ({error})"
    if record.get("name") != info.name:  # a directory that was moved, or copied under this name
        return f"has the files of {shown(record.get('name'))}"
    return None


def require(name: str, data_dir: Directory | None = None) -> None:
    """Raise `DataNotPrepared` unless the image data set `name` can be read. Reads no images."""
    _require(image_info(name), data_dir)


def _require(info: ImageInfo, data_dir: Directory | None) -> None:
    row = status_of(info.name, data_dir)
    if not row.prepared:
        place = prepared.built_dir(info.name, data_dir)
        record = built.read_record(place) if info.resized else None
        why = (record is not None and _problem(info, place, record)) or prepared.damage(info.tfds, data_dir) or "is not prepared"
        raise prepared.not_prepared(info.name, data_dir, row.download, why)


def _place(info: ImageInfo, data_dir: Directory | None) -> Path:
    """The directory of a TFDS data set that is prepared."""
    place = prepared.stored_version(info.tfds, data_dir)
    assert place is not None
    return place


def _built_record(info: ImageInfo, data_dir: Directory | None) -> built.Record:
    """The record of a resized data set that is built."""
    record = built.read_record(prepared.built_dir(info.name, data_dir))
    assert record is not None
    return record


def _stored(info: ImageInfo, data_dir: Directory | None) -> str:
    return f"{info.tfds} {_place(info, data_dir).name}"


def _read_stored(info: ImageInfo, data_dir: Directory | None) -> Arrays:
    import tensorflow as tf

    place = _place(info, data_dir)
    try:
        builder = prepared.open_builder(place)
        return {split: _read_split(info, builder, split) for split, _ in info.sizes}
    except (tf.errors.OpError, AssertionError, ValueError, KeyError) as error:
        raise _damaged(info, data_dir, place, error) from None


def _damaged(info: ImageInfo, data_dir: Directory | None, place: Path, error: BaseException) -> DataNotPrepared:
    download = 0 if info.resized and prepared.stored_version(info.tfds, data_dir) not in (None, place) else info.download
    why = f"is damaged ({prepared.reason(error)}; delete {str(place)!r} first)"
    return prepared.not_prepared(info.name, data_dir, download, why)


def _read_split(info: ImageInfo, builder: tfds.core.DatasetBuilder, split: str) -> tuple[np.ndarray, np.ndarray]:
    import tensorflow as tf
    import tensorflow_datasets as tfds

    from taskset.datasets.resizing import resize

    size = builder.info.splits[split].num_examples
    images, labels = np.empty((size, *info.shape), np.uint8), np.empty(size, np.int32)
    # Files one after the other, without shuffling: the order in which the examples are stored.
    stored = builder.as_dataset(
        split=split,
        shuffle_files=False,
        read_config=tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False),
    )

    def example(features):
        image = features["image"]
        return (resize(image, info.shape[:2]) if info.resized else image), features[info.label]

    n = 0
    for image, label in stored.map(example, num_parallel_calls=tf.data.AUTOTUNE).batch(_READ).as_numpy_iterator():
        images[n : n + len(label)], labels[n : n + len(label)] = image, label
        n += len(label)
    if n != size:
        raise ValueError(f"{split} has {n} of {size} examples")
    return images, labels


def _read_resized(info: ImageInfo, data_dir: Directory | None) -> Arrays:
    place, record = prepared.built_dir(info.name, data_dir), _built_record(info, data_dir)

    def read(split: str, part: str, dtype: DTypeLike, shape: tuple[int, ...]) -> np.ndarray:
        size = record["sizes"][split]
        if type(size) is not int:
            raise built.Damaged(f"{built.RECORD} has {shown(size)} for the size of {split}")
        return np.array(built.open_array(place, record, f"{split}_{part}", dtype, (size, *shape)))

    try:
        return {s: (read(s, "image", np.uint8, info.shape), read(s, "label", np.int32, ())) for s, _ in info.sizes}
    except (OSError, KeyError, TypeError, built.Damaged) as error:
        raise _damaged(info, data_dir, place, error) from None


def _build_resized(info: ImageInfo, data_dir: Directory | None) -> None:
    splits = _read_stored(info, data_dir)
    arrays = {f"{split}_image": images for split, (images, _) in splits.items()}
    arrays |= {f"{split}_label": labels for split, (_, labels) in splits.items()}
    sizes = {split: len(labels) for split, (_, labels) in splits.items()}
    record = {**RESIZED, "name": info.name, "made_from": _stored(info, data_dir), "sizes": sizes}
    built.write(prepared.built_dir(info.name, data_dir), arrays, {}, record)
