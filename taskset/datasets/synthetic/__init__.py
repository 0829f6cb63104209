"""Synthetic stand-ins for the real data sets: made from (name, seed), nothing stored, nothing downloaded. NumPy only."""

from taskset.datasets.info import image_info

# Part of the metadata of every result: another version makes other images. The source's name stays "synthetic".
VERSION = 1


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
