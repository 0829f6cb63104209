"""Synthetic stand-ins for the real data sets: made from (name, seed), nothing stored, nothing downloaded. NumPy only.

They are to be learnable and hard in the way the real sets are: optimizers rank on them as on the real data. Of what kind each
image set is: `strokes` (mnist), `silhouettes` (fashion_mnist), `scenes` (all colour sets).

Made twice by the same NumPy on the same kind of processor, the arrays are equal bit for bit. Elsewhere sines and exponentials
may differ in the last bit, and single pixels by 1 of 255.
"""

import zlib

import numpy as np

from taskset.datasets.info import image_info

# Part of the metadata of every result: another version makes other images. The source's name stays "synthetic".
VERSION = 1
CHUNK = 100  # images at a time: what fits in a processor's cache is generated several times as fast as the whole


def sizes(name):
    """{stored split: examples} of the stand-in of an image data set: the real sizes up to caps that keep generating in seconds.

    Caps (train, each other split): 60,000 and 10,000; of 64x64 pixels 20,000 and 5,000; of a thousand classes 50,000 and 10,000.
    """
    info = image_info(name)
    train, held_out = 60_000, 10_000
    if info.shape[0] > 32:
        train, held_out = 20_000, 5_000
    if info.num_classes >= 1000:
        train, held_out = 50_000, 10_000
    return {split: min(size, train if split == "train" else held_out) for split, size in info.sizes}


def make_images(name, seed=0, chunk=CHUNK):
    """{stored split: (uint8 images [n, height, width, channels], int32 labels [n])} of the stand-in for `name`.

    Labels are balanced over all splits together; those of 3% of the images of colour and fashion sets are then redrawn.
    """
    from taskset.datasets.synthetic import scenes, silhouettes, strokes

    info = image_info(name)
    kinds = {"mnist": strokes.Strokes, "fashion_mnist": silhouettes.Silhouettes}
    rng = np.random.Generator(np.random.PCG64([zlib.crc32(name.encode()), seed]))
    kind = kinds.get(name, scenes.Scenes)(rng, info)
    total = sum(sizes(name).values())
    labels = rng.permutation(np.arange(total) % info.num_classes).astype(np.int32)
    images = np.empty((total, *info.shape), np.uint8)
    for start in range(0, total, chunk):
        drawn = kind.draw(rng, labels[start : start + chunk])
        images[start : start + chunk] = np.moveaxis(drawn * np.float32(255) + np.float32(0.5), 1, -1)
    redrawn = np.flatnonzero(rng.random(total) < kind.label_noise)
    labels[redrawn] = rng.integers(0, info.num_classes, len(redrawn))
    return _split(name, images, labels)


def _split(name, images, labels):
    parts, start = {}, 0
    for split, size in sizes(name).items():
        parts[split] = (images[start : start + size], labels[start : start + size])
        start += size
    return parts
