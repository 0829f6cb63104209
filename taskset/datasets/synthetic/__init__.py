"""Synthetic stand-ins for the real data sets: made from (name, seed), nothing stored, nothing downloaded. NumPy only.

They are meant to be learnable, and hard in the ways in which the real data sets are: optimizers rank on them as on the real data.
Image data sets are of three kinds: `strokes` (mnist), `silhouettes` (fashion_mnist), `scenes` (all colour images).

The same NumPy on the same kind of processor makes arrays that are equal bit for bit. Elsewhere sines and exponentials may differ
in the last bit, and single pixels by 1 of 255.
"""

import zlib
from typing import Protocol

import numpy as np

from taskset.datasets.info import ImageInfo, image_info

# Part of the metadata of every result: another version makes other images. The source is "synthetic" in every version.
VERSION = 1
CHUNK = 100  # images drawn at a time: they fit in the processor's cache, which makes this several times as fast


class Images(Protocol):
    """A kind of images, as the classes that `make_images` chooses from.

    label_noise: the share of labels that are redrawn.
    """

    label_noise: float

    def __init__(self, rng: np.random.Generator, info: ImageInfo) -> None:
        """Draw what the images of a class have in common."""

    def draw(self, rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
        """One image per label: float32 [n, channels, height, width] in [0, 1]."""


def sizes(name: str) -> dict[str, int]:
    """{stored split: examples} of the stand-in for an image data set: the real sizes up to caps, so that it is made in seconds.

    Caps (train, each other split): 60,000 and 10,000; for 64x64 pixels 20,000 and 5,000; for a thousand classes 50,000 and
    10,000.
    """
    info = image_info(name)
    train, held_out = 60_000, 10_000
    if info.shape[0] > 32:
        train, held_out = 20_000, 5_000
    if info.num_classes >= 1000:
        train, held_out = 50_000, 10_000
    return {split: min(size, train if split == "train" else held_out) for split, size in info.sizes}


def make_images(name: str, seed: int = 0) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """{stored split: (uint8 images [n, height, width, channels], int32 labels [n])} of the stand-in for `name`.

    Labels are balanced over all splits together; then 3% of them are redrawn, except for mnist.
    """
    from taskset.datasets.synthetic import scenes, silhouettes, strokes

    info = image_info(name)
    kinds: dict[str, type[Images]] = {"mnist": strokes.Strokes, "fashion_mnist": silhouettes.Silhouettes}
    rng = np.random.Generator(np.random.PCG64([zlib.crc32(name.encode()), seed]))
    kind = kinds.get(name, scenes.Scenes)(rng, info)
    total = sum(sizes(name).values())
    labels = rng.permutation(np.arange(total) % info.num_classes).astype(np.int32)
    images = np.empty((total, *info.shape), np.uint8)
    for start in range(0, total, CHUNK):
        drawn = kind.draw(rng, labels[start : start + CHUNK])
        images[start : start + CHUNK] = np.moveaxis(drawn * np.float32(255) + np.float32(0.5), 1, -1)
    redrawn = np.flatnonzero(rng.random(total) < kind.label_noise)
    labels[redrawn] = rng.integers(0, info.num_classes, len(redrawn))
    return _split(name, images, labels)


def _split(name: str, images: np.ndarray, labels: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    parts, start = {}, 0
    for split, size in sizes(name).items():
        parts[split] = (images[start : start + size], labels[start : start + size])
        start += size
    return parts
