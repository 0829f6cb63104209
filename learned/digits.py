"""Digits of 8x8 pixels and small MLPs on them: the quickest task on which a learned optimizer shows something.

The images are those of mnist (or of its synthetic stand-in): two rows and columns cut off each side, then means of 3x3 pixels.
Only building a task imports TensorFlow.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from taskset.datasets.base import EpochOrder
from taskset.datasets.images import ImageData
from taskset.registry import Facts, register_builder, register_facts, register_fixed, register_schema
from taskset.samplers import shapes

if TYPE_CHECKING:
    from taskset.tasks.base import Model

SIZES = {"train": 1000, "valid_inner": 300, "valid_outer": 300, "test": 500}
FAMILY = "digits_mlp"


@dataclass(frozen=True)
class DigitsData:
    """The first images of each split of mnist, as few as SIZES says (`taskset.datasets.base.DataSpec`).

    Prepared batches: "image" float32 [batch, 8, 8, 1] in [0, 1], "label" int32 [batch].
    """

    batch_size: int

    needs_source = True
    num_classes = 10
    image_shape = (8, 8, 1)

    @property
    def batch(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """{name: (shape, dtype)} of a prepared batch."""
        return {"image": ((self.batch_size, *self.image_shape), "float32"), "label": ((self.batch_size,), "int32")}

    def check(self, source: str, data_dir: str | PathLike[str] | None = None) -> None:
        """Raise `DataNotPrepared` where mnist is not there."""
        ImageData("mnist", self.batch_size).check(source, data_dir)

    def open(self, source: str, data_dir: str | PathLike[str] | None = None) -> DigitBatches:
        """Make the arrays from mnist of that source."""
        return DigitBatches(self.batch_size, *_arrays(source, None if data_dir is None else str(data_dir)))

    def prepare(self, raw: dict[str, Any], key: Any) -> dict[str, Any]:
        """The raw batch itself."""
        return dict(raw)


class DigitBatches:
    """The opened data (`taskset.datasets.base.RawBatches`)."""

    def __init__(self, batch_size: int, images: dict[str, np.ndarray], labels: dict[str, np.ndarray], origin: Any) -> None:
        self.images, self.labels, self.origin = images, labels, origin
        self._orders = {split: EpochOrder(range(size), batch_size) for split, size in SIZES.items()}

    def __call__(self, split: str, seed: int, start: int, count: int) -> dict[str, np.ndarray]:
        rows = self._orders[split](seed, split, start, count)
        return {"image": self.images[split][rows], "label": self.labels[split][rows]}


@functools.lru_cache(maxsize=2)
def _arrays(source, data_dir):
    whole = ImageData("mnist", 1).open(source, data_dir)
    images, labels = {}, {}
    for split, size in SIZES.items():
        cut = whole.cuts[split]
        rows = slice(cut.rows.start, cut.rows.start + size)
        images[split], labels[split] = shrink(whole.images[cut.stored][rows]), whole.labels[cut.stored][rows].astype(np.int32)
    return images, labels, whole.origin


def shrink(images: np.ndarray) -> np.ndarray:
    """uint8 [n, 28, 28, 1] -> float32 [n, 8, 8, 1] in [0, 1]."""
    inside = images[:, 2:26, 2:26].astype(np.float32) / 255
    return inside.reshape(-1, 8, 3, 8, 3, 1).mean(axis=(2, 4))


register_schema(
    FAMILY,
    {
        "type": "object",
        "properties": {
            "layer_sizes": {"type": "array", "items": {"type": "integer", "minimum": 1}},
            "bs": {"type": "integer", "minimum": 1, "maximum": min(SIZES.values())},
        },
        "required": ["layer_sizes", "bs"],
        "additionalProperties": False,
    },
)


@register_facts(FAMILY)
def facts(config: dict[str, Any]) -> Facts:
    """The data and parameter shapes of a config."""
    data = DigitsData(config["bs"])
    return Facts(data, shapes.mlp("mlp", 64, [*config["layer_sizes"], data.num_classes]))


@register_builder(FAMILY)
def build(config: dict[str, Any], data: DigitsData) -> Model:
    """Flatten; an MLP of ReLUs with `layer_sizes` and a linear layer to the ten classes; cross-entropy in nats."""
    import sonnet as snt

    from taskset.tasks import base, initializers
    from taskset.tasks.images import classification

    def loss(batch, key):
        sizes = [*config["layer_sizes"], data.num_classes]
        w_init = initializers.from_config(["he_normal", None])
        logits = snt.nets.MLP(sizes, w_init=w_init, name="mlp")(snt.flatten(batch["image"]))
        return classification(logits, batch["label"])

    return base.Model(loss, data)


@register_fixed("Digits_mlp32_bs128")
def digits_mlp32_bs128() -> tuple[str, dict[str, Any]]:
    """A 64-32-10 MLP at batch size 128."""
    return FAMILY, {"layer_sizes": [32], "bs": 128}
