"""Photograph-like images: a textured object in front of a textured background (stands in for every colour data set)."""

import numpy as np

from taskset.datasets.info import ImageInfo
from taskset.datasets.synthetic.fields import normal, per_image, power_law_fields, spread_normal, spread_pairs, windows

OUTLINES = 3  # per class
GRATINGS = 2
ANGLES = 256  # of an outline's table

# Channel means and standard deviations. Those of cifar are the published ones; the others are estimates, to about .03.
STATISTICS = {
    "cifar10": ((0.491, 0.482, 0.447), (0.247, 0.243, 0.262)),
    "cifar100": ((0.507, 0.487, 0.441), (0.267, 0.256, 0.276)),
    "food101_32x32": ((0.545, 0.443, 0.344), (0.271, 0.273, 0.278)),
    "food101_64x64": ((0.545, 0.443, 0.344), (0.271, 0.273, 0.278)),
    "coil100_32x32": ((0.31, 0.26, 0.21), (0.27, 0.23, 0.20)),
    "deep_weeds_32x32": ((0.38, 0.39, 0.38), (0.22, 0.22, 0.22)),
    "sun397_32x32": ((0.476, 0.460, 0.425), (0.26, 0.26, 0.28)),
    "colorectal_histology_32x32": ((0.65, 0.47, 0.58), (0.26, 0.33, 0.26)),
    "imagenet_resized/16x16": ((0.481, 0.458, 0.408), (0.25, 0.24, 0.26)),
    "imagenet_resized/32x32": ((0.481, 0.458, 0.408), (0.260, 0.253, 0.268)),
}


class Scenes:
    """Each class has three outlines, tints of object and background, a slope of light and two gratings; all vary by image.

    draw(rng, labels) gives float32 [n, 3, height, width] in [0, 1]. Contrast is calibrated to
    the standard deviation of the real data set.
    """

    label_noise = 0.03

    def __init__(self, rng: np.random.Generator, info: ImageInfo) -> None:
        self.size = info.shape[0]
        classes = info.num_classes
        mean, std = STATISTICS[info.name]
        self.mean, self.std = (np.array(x, np.float32)[:, None, None] for x in (mean, std))
        self.outlines = _outlines(rng, classes)
        # The scales were chosen so that small networks are as accurate as on cifar10 (tools/synthetic/accuracy.py).
        # A tint is c (.4 N_c + N): mostly light or dark, a little coloured.
        self.object_tint = 0.38 * (spread_normal(rng, classes, 4) @ _TINT)
        self.ground_tint = 0.42 * (spread_normal(rng, classes, 4) @ _TINT)
        self.slope = 0.4 * spread_normal(rng, classes, 1)[:, 0]
        gratings = spread_pairs(rng, classes * GRATINGS).reshape(classes, GRATINGS, 2)
        self.frequency = (0.12 + 0.26 * gratings[..., 0]).astype(np.float32)
        self.direction = (np.pi * gratings[..., 1]).astype(np.float32)
        self.fields = power_law_fields(rng, max(16, 131_072 // self.size**2), 4 * self.size, 1.25, channels=3, rho=0.92)
        self.gain = np.float32(1.0)
        self._calibrate(rng, classes)

    def _calibrate(self, rng, classes):
        for _ in range(4):
            images = np.concatenate([self.draw(rng, rng.integers(0, classes, 100)) for _ in range(10)])
            self.gain *= np.float32(self.std.mean() / images.std(axis=(0, 2, 3)).mean())

    def draw(self, rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
        """One image per label."""
        n, size = len(labels), self.size
        half = np.float32((size - 1) / 2)
        grid = np.arange(size, dtype=np.float32) - half
        across, down = grid[None, None, :], grid[None, :, None]

        ground = 0.75 * windows(rng, self.fields, n, size, size) + self._tint(rng, self.ground_tint[labels])
        ground += 0.3 * (self.slope[labels] + normal(rng, n))[:, None, None, None] * (down / half)
        object_ = 0.55 * windows(rng, self.fields, n, size, size) + self._tint(rng, self.object_tint[labels])
        object_ += per_image(0.55 * normal(rng, n)) + 0.40 * self._grating(rng, labels, across, down)[:, None]
        image = ground + self._mask(rng, labels, across, down)[:, None] * (object_ - ground)

        image *= per_image(0.95 * np.exp(0.25 * normal(rng, n)))
        image += per_image(0.28 * normal(rng, n))
        image += 0.08 * normal(rng, n, 3, size, size)
        flip = rng.random(n) < 0.5
        image[flip] = image[flip, :, :, ::-1]
        return np.clip(self.mean + self.gain * self.std * image, 0, 1)

    def _tint(self, rng, tint):
        return (tint + 0.25 * normal(rng, *tint.shape))[:, :, None, None]

    def _grating(self, rng, labels, across, down):
        n = len(labels)
        which = rng.integers(0, GRATINGS, n)
        frequency = 2 * np.pi * self.frequency[labels, which] * np.exp(0.13 * normal(rng, n))
        direction = self.direction[labels, which] + 0.25 * normal(rng, n)
        phase = rng.uniform(0, 2 * np.pi, n).astype(np.float32)[:, None, None]
        along = (frequency * np.cos(direction))[:, None, None] * across + (frequency * np.sin(direction))[:, None, None] * down
        return np.sin(along + phase)

    def _mask(self, rng, labels, across, down):
        """1 inside the object, 0 outside, linear over the pixel between: [n, size, size]."""
        n, scale = len(labels), np.float32(self.size / 32)
        outline = self.outlines[labels, rng.integers(0, OUTLINES, n)] * (9 * scale * np.exp(0.2 * normal(rng, n)))[:, None]
        shift = 2.5 * scale * normal(rng, 2, n)[:, :, None, None]
        x, y = across - shift[0], down - shift[1]
        turn = np.arctan2(y, x) + (0.25 * normal(rng, n))[:, None, None]
        entry = (turn * np.float32(ANGLES / (2 * np.pi))).astype(np.int32) & (ANGLES - 1)
        radius = np.take(outline.ravel(), entry + (np.arange(n, dtype=np.int32) * ANGLES)[:, None, None])
        return np.clip(radius - np.hypot(x, y) + np.float32(0.5), 0, 1)


_TINT = np.concatenate([0.4 * np.eye(3), np.ones((1, 3))]).astype(np.float32)


def _outlines(rng, classes):
    """r(t) = clip(1 + sum_j .32 j^-.7 N cos(j t + phase), .25, 2) at ANGLES angles: float32 [classes, OUTLINES, ANGLES]."""
    j = np.arange(1, 6, dtype=np.float32)
    weight = 0.32 * j**-0.7 * normal(rng, classes, OUTLINES, 5)
    phase = rng.uniform(0, 2 * np.pi, (classes, OUTLINES, 5)).astype(np.float32)
    t = np.arange(ANGLES) * (2 * np.pi / ANGLES)
    waves = np.cos(j[:, None] * t + phase[..., None])
    return np.clip(1 + np.einsum("kojt,koj->kot", waves, weight), 0.25, 2).astype(np.float32)
