"""The image data sets: what their names in configs stand for. No TensorFlow, no files.

Split sizes and download sizes are those of the TensorFlow Datasets catalogue (version 4.9).
"""

from dataclasses import dataclass

from taskset.errors import unknown


@dataclass(frozen=True)
class ImageInfo:
    """One image data set.

    name: as configs write it.
    shape: (height, width, channels) in pixels.
    num_classes: labels are 0 .. num_classes - 1.
    tfds: name of the builder and its config in TensorFlow Datasets.
    sizes: examples in each of the real splits, a subset of train, validation, test.
    valid_size: examples in each split that has to be cut off the train split, for sampled families.
    download: size of the download in bytes.
    resized: whether it is made from the TFDS set by resizing its images.
    label: the TFDS feature that is the label.
    """

    name: str
    shape: tuple[int, int, int]
    num_classes: int
    tfds: str
    sizes: tuple[tuple[str, int], ...]
    valid_size: int
    download: int
    resized: bool = False
    label: str = "label"


_MNIST = (("train", 60_000), ("test", 10_000))
_CIFAR = (("train", 50_000), ("test", 10_000))
_FOOD = (("train", 75_750), ("validation", 25_250))
_SUN = (("train", 76_127), ("validation", 10_875), ("test", 21_750))
_COIL = (("train", 7_200),)
_TILES = (("train", 5_000),)
_IMAGENET = (("train", 1_281_167), ("validation", 50_000))

_ALL = (
    ImageInfo("mnist", (28, 28, 1), 10, "mnist", _MNIST, 5000, 11_594_722),
    ImageInfo("fashion_mnist", (28, 28, 1), 10, "fashion_mnist", _MNIST, 5000, 30_878_645),
    ImageInfo("cifar10", (32, 32, 3), 10, "cifar10", _CIFAR, 5000, 170_052_171),
    ImageInfo("cifar100", (32, 32, 3), 100, "cifar100", _CIFAR, 5000, 168_513_733),
    ImageInfo("food101_32x32", (32, 32, 3), 101, "food101", _FOOD, 5000, 4_996_278_331, resized=True),
    ImageInfo("food101_64x64", (64, 64, 3), 101, "food101", _FOOD, 5000, 4_996_278_331, resized=True),
    # The release's label was the object; TFDS 2.0.0 calls it object_id and keeps "label" for nothing.
    ImageInfo("coil100_32x32", (32, 32, 3), 100, "coil100", _COIL, 800, 130_688_843, resized=True, label="object_id"),
    ImageInfo("deep_weeds_32x32", (32, 32, 3), 9, "deep_weeds", (("train", 17_509),), 2000, 492_114_945, resized=True),
    ImageInfo("sun397_32x32", (32, 32, 3), 397, "sun397/tfds", _SUN, 5000, 39_095_590_629, resized=True),
    # In no sampled family; the cut is that of the one fixed task that reads it.
    ImageInfo("colorectal_histology_32x32", (32, 32, 3), 8, "colorectal_histology", _TILES, 700, 258_098_431, resized=True),
    ImageInfo("imagenet_resized/16x16", (16, 16, 3), 1000, "imagenet_resized/16x16", _IMAGENET, 5000, 968_192_137),
    ImageInfo("imagenet_resized/32x32", (32, 32, 3), 1000, "imagenet_resized/32x32", _IMAGENET, 5000, 3_720_132_947),
)

IMAGES = {info.name: info for info in _ALL}


def image_info(name: str) -> ImageInfo:
    """The `ImageInfo` called `name`. Raises `UnknownName`."""
    if not isinstance(name, str) or name not in IMAGES:
        raise unknown("image data set", name, list(IMAGES), "python -m taskset data status shows all.")
    return IMAGES[name]
