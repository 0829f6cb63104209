"""Garment-like images: filled outlines that classes share in pairs (stands in for fashion_mnist)."""

import numpy as np

from taskset.datasets.info import ImageInfo
from taskset.datasets.synthetic.fields import normal, per_image, power_law_fields, smooth_profiles, windows

SIZE = 28
PROTOTYPES = 2  # per class
SHARED = 64  # width profiles that any image may take


class Silhouettes:
    """Classes 2g and 2g + 1 are similar, and images lie anywhere between the two, which is what makes the real data set hard.

    draw(rng, labels) gives float32 [n, 1, 28, 28] in [0, 1]. Width and brightness are calibrated to the share of zeros (.50) and
    the mean (.286) of the real data set.
    """

    label_noise = 0.03

    def __init__(self, rng: np.random.Generator, info: ImageInfo) -> None:
        classes, pairs = info.num_classes, (info.num_classes + 1) // 2
        pair = np.arange(classes) // 2

        def profile(shared, width, own, own_width, each):
            """A profile of the pair, one of the class, one of the prototype, with these weights: [classes, PROTOTYPES, SIZE]."""
            of_pair = shared * smooth_profiles(rng, pairs, SIZE, width)[pair]
            of_class = own * smooth_profiles(rng, classes, SIZE, own_width)
            of_prototype = each * smooth_profiles(rng, classes * PROTOTYPES, SIZE, own_width)
            return (of_pair + of_class)[:, None] + of_prototype.reshape(classes, PROTOTYPES, SIZE)

        self.width = 7.2 + profile(2.6, 3, 0.45, 2, 1.2)
        self.centre = (SIZE - 1) / 2 + profile(0.9, 4, 0.3, 4, 0.3)
        self.top = rng.integers(0, 2, classes) + rng.integers(0, 3, pairs)[pair]
        self.bottom = SIZE - 1 - rng.integers(0, 3, classes) - rng.integers(0, 3, pairs)[pair]
        self.level = 0.66 + 0.10 * normal(rng, pairs)[pair]
        self.texture = power_law_fields(rng, classes * PROTOTYPES, SIZE, 1.3).reshape(classes, PROTOTYPES, 1, SIZE, SIZE)
        self.shared = smooth_profiles(rng, SHARED, SIZE, 3)
        self.fields = power_law_fields(rng, 128, 4 * SIZE, 1.0)
        self.other = np.minimum(np.arange(classes) ^ 1, classes - 1)
        self.widen, self.gain = 0.0, 1.0
        self._calibrate(rng, classes)

    def _calibrate(self, rng, classes):
        for _ in range(6):
            images = self.draw(rng, np.arange(1000) % classes)
            self.widen += 14 * float((images == 0).mean() - 0.50)
            self.gain *= float(0.286 / images.mean()) ** 0.8

    def draw(self, rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
        """One image per label."""
        n = len(labels)
        mask = self._mask(rng, labels, (prototype := rng.integers(0, PROTOTYPES, n)))
        fill = per_image(self.level[labels] + 0.16 * normal(rng, n)) + 0.05 * self.texture[labels, prototype]
        fill = fill + 0.18 * windows(rng, self.fields, n, SIZE, SIZE) + 0.12 * normal(rng, n, 1, SIZE, SIZE)
        return np.clip(mask * _saturate(np.float32(self.gain) * fill), 0, 1).astype(np.float32)

    def _mask(self, rng, labels, prototype):
        n = len(labels)
        blend = np.minimum(0.45 * np.abs(normal(rng, n, 1)), 0.8)
        width = (1 - blend) * self.width[labels, prototype] + blend * self.width[self.other[labels], prototype]
        width = width * np.exp(0.16 * normal(rng, n, 1)) + 1.1 * normal(rng, n, 1)
        width = width + 1.3 * self.shared[rng.integers(0, SHARED, n)] + self.widen
        centre = self.centre[labels, prototype] + 0.8 * normal(rng, n, 1)
        row = np.arange(SIZE, dtype=np.float32)
        top = self.top[labels, None] + 1.5 * normal(rng, n, 1)
        bottom = self.bottom[labels, None] + 1.5 * normal(rng, n, 1)
        rows = _sigmoid(2 * (row - top)) * _sigmoid(2 * (bottom - row))
        inside = np.clip(width[..., None] - np.abs(row - centre[..., None]) + 0.5, 0, 1)
        return (inside * rows[..., None])[:, None].astype(np.float32)


def _saturate(x):
    """x, at least .05; above .7 it approaches 1 smoothly: few pixels of the real set are fully white."""
    return np.where(x > 0.7, 0.7 + 0.3 * np.tanh((x - 0.7) / 0.3), np.maximum(x, 0.05))


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))
