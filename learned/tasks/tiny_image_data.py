"""Images of 8x8 pixels, of the package's image sets: the data of the tiny tasks and of the digits. No TensorFlow here.

The images are gray, cut to a multiple of 8 pixels in the middle and averaged over squares; the label is the set's, modulo 10.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from learned.types import Arrays
from taskset.datasets.base import BatchShapes, EpochOrder, RawBatch
from taskset.datasets.images import ImageData

if TYPE_CHECKING:
    import tensorflow as tf

    from taskset.datasets.prepared import Directory
    from taskset.random.stateless import Key

SETS = (
    "mnist", "fashion_mnist", "cifar10", "cifar100", "food101_32x32", "coil100_32x32", "deep_weeds_32x32", "sun397_32x32",
    "colorectal_histology_32x32", "imagenet_resized/16x16",  # not its 32x32, which hold the same pictures
)  # fmt: skip
SIDE, CLASSES = 8, 10
SIZES = {"train": 1000, "valid_inner": 300, "valid_outer": 300, "test": 500}


@dataclass(frozen=True)
class TinyImages:
    """The first images of each split of a set, as few as SIZES says (`taskset.datasets.base.DataSpec`).

    Prepared batches: "image" float32 [batch, 8, 8, 1] in [0, 1], "label" int32 [batch], 0 .. 9.
    """

    name: str
    batch_size: int

    needs_source = True
    num_classes = CLASSES
    image_shape = (SIDE, SIDE, 1)

    @property
    def batch(self) -> BatchShapes:
        """{name: (shape, dtype)} of a prepared batch."""
        return {"image": ((self.batch_size, *self.image_shape), "float32"), "label": ((self.batch_size,), "int32")}

    def check(self, source: str, data_dir: Directory | None = None) -> None:
        """Raise `DataNotPrepared` where the set is not there."""
        ImageData(self.name, 1).check(source, data_dir)

    def open(self, source: str, data_dir: Directory | None = None) -> TinyBatches:
        """Make the arrays from the set of that source."""
        return TinyBatches(self.batch_size, *_arrays(self.name, source, None if data_dir is None else os.fspath(data_dir)))

    def prepare(self, raw: Mapping[str, tf.Tensor], key: Key) -> dict[str, tf.Tensor]:
        """The raw batch itself."""
        return dict(raw)


class TinyBatches:
    """The opened data (`taskset.datasets.base.RawBatches`)."""

    def __init__(self, batch_size: int, images: Arrays, labels: Arrays, origin: dict[str, Any]) -> None:
        self.images, self.labels, self.origin = images, labels, origin
        self._orders = {
            split: EpochOrder(range(len(rows)), batch_size, f"{origin['name']}, {split}") for split, rows in labels.items()
        }

    def __call__(self, split: str, seed: int, start: int, count: int) -> RawBatch:
        rows = self._orders[split](seed, split, start, count)
        return {"image": self.images[split][rows], "label": self.labels[split][rows]}


@functools.lru_cache(maxsize=len(SETS))
def _arrays(name, source, data_dir):
    whole = ImageData(name, 1).open(source, data_dir)
    images, labels = {}, {}
    for split, size in SIZES.items():
        cut = whole.cuts[split]
        rows = slice(cut.rows.start, cut.rows.start + size)
        images[split] = shrink(whole.images[cut.stored][rows])
        labels[split] = (whole.labels[cut.stored][rows] % CLASSES).astype(np.int32)
    return images, labels, whole.origin


def shrink(images: np.ndarray) -> np.ndarray:
    """uint8 [n, height, width, channels] -> float32 [n, 8, 8, 1] in [0, 1]."""
    height, width = (SIDE * (n // SIDE) for n in images.shape[1:3])
    top, left = (images.shape[1] - height) // 2, (images.shape[2] - width) // 2
    inside = images[:, top : top + height, left : left + width].astype(np.float32) / 255
    squares = inside.mean(axis=3).reshape(-1, SIDE, height // SIDE, SIDE, width // SIDE)
    return squares.mean(axis=(2, 4))[..., None]
