"""Image data: what a config says about it, its raw batches, and their preparation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from taskset.datasets import splits
from taskset.datasets.base import BatchShapes, EpochOrder, RawBatch, check_source
from taskset.datasets.given import RawShapes
from taskset.datasets.info import image_info
from taskset.errors import ConfigError

if TYPE_CHECKING:
    import tensorflow as tf

    from taskset.datasets.arrays import StoredImages
    from taskset.datasets.prepared import Directory

AUGMENTATION_FIELDS = (
    "crop_amount", "flip_left_right", "flip_up_down", "do_color_aug", "brightness", "saturation", "hue", "contrast",
)  # fmt: skip


@dataclass(frozen=True)
class ImageData:
    """An image classification data set in batches (`taskset.datasets.base.DataSpec`).

    name: a key of `taskset.datasets.info.IMAGES`.
    batch_size: examples per batch.
    num_train: the largest number of training examples; None takes all. The release read its option `just_train` only for
        language models, so image data has none.
    augmentation: None, or the fields of `AUGMENTATION_FIELDS` as a dict (kept as sorted pairs, so that the object hashes).
        The release augments all four splits; so does this.
    valid_size: size of each split cut off the training data; None is the set's own (`ImageInfo.valid_size`).

    Prepared batches: "image" float32 [batch, height, width, channels], in [0, 1] before augmentation; "label" int32 [batch].
    """

    name: str
    batch_size: int
    num_train: int | None = None
    augmentation: dict[str, Any] | tuple[tuple[str, Any], ...] | None = None
    valid_size: int | None = None

    needs_source = True

    def __post_init__(self) -> None:
        info = image_info(self.name)
        if self.augmentation is not None:
            object.__setattr__(self, "augmentation", _hashable(self.augmentation))
        if self.valid_size is None:
            object.__setattr__(self, "valid_size", info.valid_size)

    @property
    def augment(self) -> dict[str, Any] | None:
        """The augmentation as a dict; None if there is none."""
        return None if self.augmentation is None else dict(self.augmentation)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of a prepared image, after cropping."""
        height, width, channels = image_info(self.name).shape
        crop = self.augment["crop_amount"] if self.augment else 0
        return (height - crop, width - crop, channels)

    @property
    def num_classes(self) -> int:
        """Labels are 0 .. num_classes - 1."""
        return image_info(self.name).num_classes

    @property
    def batch(self) -> BatchShapes:
        """{name: (shape, dtype)} of a prepared batch."""
        return {"image": ((self.batch_size, *self.image_shape), "float32"), "label": ((self.batch_size,), "int32")}

    @property
    def raw(self) -> RawShapes:
        """{name: (shape, limit)} of a raw batch: pixels 0 .. 255 before cropping, and labels."""
        shape = (self.batch_size, *image_info(self.name).shape)
        return {"image": (shape, 256), "label": ((self.batch_size,), self.num_classes)}

    def cuts(self, sizes: Mapping[str, int]) -> dict[str, splits.Cut]:
        """{split: Cut} for stored splits of these sizes."""
        assert self.valid_size is not None  # set at the latest after `__init__`
        return splits.four_splits(sizes, self.valid_size, self.num_train)

    @property
    def infeasible(self) -> str | None:
        """Why no batch can be drawn, naming the config's field; None if batches can be drawn. The same for both sources."""
        if min(self.image_shape[:2]) < 1:
            return f"augmentation.crop_amount: nothing is left of images of {image_info(self.name).shape[:2]} pixels"
        from taskset.datasets.synthetic import sizes as synthetic_sizes

        for sizes in (dict(image_info(self.name).sizes), synthetic_sizes(self.name)):
            problem = splits.shortage(self.cuts(sizes), sizes, self.batch_size)
            if problem:
                return problem
        return None

    def check(self, source: str, data_dir: Directory | None = None) -> None:
        """Raise `DataNotPrepared` where `open` would; loads nothing."""
        if source == "tfds":
            from taskset.datasets.tfds_source import require

            require(self.name, data_dir)

    def open(self, source: str, data_dir: Directory | None = None) -> ImageBatches:
        """Load (`source="tfds"`) or generate (`"synthetic"`) the arrays.

        data_dir: where TFDS data was prepared; None means the environment variable TFDS_DATA_DIR, else TFDS's own default.
        Raises `UnknownName`, `DataNotPrepared`, `ConfigError`.
        """
        from taskset.datasets import arrays

        check_source(source)
        if self.infeasible:
            raise ConfigError(f"{self.name}: {self.infeasible}")
        return ImageBatches(self, arrays.load(self.name, source, data_dir))

    def prepare(self, raw: Mapping[str, tf.Tensor], key: tf.Tensor) -> dict[str, tf.Tensor]:
        """uint8 pixels / 255, then the augmentation with draws from `key`. TensorFlow, pure."""
        from taskset.datasets import augmentation

        return {
            "image": augmentation.augment(augmentation.to_unit(raw["image"]), key, self.augment),
            "label": augmentation.to_labels(raw["label"]),
        }


def _hashable(augmentation):
    fields = dict(augmentation)
    if sorted(fields) != sorted(AUGMENTATION_FIELDS):
        wrong = sorted(set(fields) ^ set(AUGMENTATION_FIELDS))
        raise ConfigError(f"augmentation: missing or unknown {', '.join(wrong)}; the fields are {', '.join(AUGMENTATION_FIELDS)}")
    return tuple(sorted(fields.items()))


class ImageBatches:
    """An opened image data set (`taskset.datasets.base.RawBatches`).

    images, labels: {stored split: uint8 [n, height, width, channels], int32 [n]}. cuts: {split: Cut}. Raises `ConfigError` where
    the stored splits are too small for the cuts, or for a batch.
    """

    def __init__(self, spec: ImageData, stored: StoredImages) -> None:
        self.images, self.labels = stored.images, stored.labels
        self.origin = stored.origin
        sizes = {split: len(labels) for split, labels in stored.labels.items()}
        self.cuts = spec.cuts(sizes)
        problem = splits.shortage(self.cuts, sizes, spec.batch_size)
        if problem:  # prepared data may have fewer images than the published set
            raise ConfigError(f"{spec.name}: {problem}")
        self._order = {split: EpochOrder(cut.rows, spec.batch_size) for split, cut in self.cuts.items()}

    def __call__(self, split: str, seed: int, start: int, count: int) -> RawBatch:
        """Batches from `start` on: "image" uint8 [count, batch, height, width, channels], "label" int32 [count, batch]."""
        rows = self._order[split](seed, split, start, count)
        stored = self.cuts[split].stored
        return {"image": self.images[stored][rows], "label": self.labels[stored][rows]}
