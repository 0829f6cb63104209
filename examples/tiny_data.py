"""8x8 images and text of the package's synthetic data sets, for outer training elsewhere: python -m examples.tiny_data OUT.npz"""

import sys

import numpy as np

from taskset.catalogue import get_task
from taskset.datasets.images import ImageData

SETS = (
    "mnist",
    "fashion_mnist",
    "cifar10",
    "cifar100",
    "food101_32x32",
    "coil100_32x32",
    "imagenet_resized/32x32",
    "colorectal_histology_32x32",
)
TEXT_SEEDS = (0, 1, 4, 5)
COUNT, LETTERS = 2000, 40000


def small(images):
    """[n, h, w, c] -> uint8 [n, 8, 8]: gray, the middle, means of square blocks."""
    gray = images.astype(np.float32).mean(-1)
    side = gray.shape[1] // 8 * 8
    cut = (gray.shape[1] - side) // 2
    gray = gray[:, cut : cut + side, cut : cut + side]
    return gray.reshape(len(gray), 8, side // 8, 8, side // 8).mean((2, 4)).round().astype(np.uint8)


def main(path):
    """Write images uint8 [sets, COUNT, 8, 8], labels int32 [sets, COUNT] below 10 and text int32 [sets, LETTERS] below 64."""
    images, labels = [], []
    for name in SETS:
        opened = ImageData(name, 1).open("synthetic", None)
        cut = opened.cuts["train"]
        rows = slice(cut.rows.start, cut.rows.start + COUNT)
        found = opened.images[cut.stored][rows]
        if len(found) < COUNT:
            found = np.resize(found, (COUNT, *found.shape[1:]))
        of = np.resize(opened.labels[cut.stored][rows].astype(np.int64), COUNT) % 10
        images.append(small(found))
        labels.append(of.astype(np.int32))
        print(name, found.shape, np.bincount(of, minlength=10))
    text = []
    for seed in TEXT_SEEDS:  # amazon reviews, wikipedia, lm1b
        task = get_task(f"char_rnn_language_model_family_seed{seed}", source="synthetic")
        tokens = np.concatenate([task.raw_batches("train", 0, start, 1)["tokens"].ravel() for start in range(8)])
        text.append((np.resize(tokens, LETTERS) % 64).astype(np.int32))
        print(task.config["dataset"][0], tokens.shape)
    np.savez_compressed(path, images=np.stack(images), labels=np.stack(labels), text=np.stack(text))


if __name__ == "__main__":
    main(sys.argv[1])
