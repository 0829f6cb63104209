"""Handwriting-like images: pen strokes through a few control points (stands in for mnist)."""

import numpy as np

from taskset.datasets.info import ImageInfo
from taskset.datasets.synthetic.fields import normal

SIZE = 28
POINTS = 5  # control points of a stroke
STEPS = 28  # points drawn along a stroke
STYLES = 3


class Strokes:
    """Each class is one or two strokes in three styles; images vary by their points, an affine map, and the pen.

    draw(rng, labels) gives float32 [n, 1, 28, 28] in [0, 1].
    """

    label_noise = 0.0

    def __init__(self, rng: np.random.Generator, info: ImageInfo) -> None:
        shape = (info.num_classes, 1, 2, POINTS, 2)
        # Axis 0 is down the image: characters are taller than wide.
        strokes = rng.uniform(-0.36, 0.36, shape).astype(np.float32) * np.array([1.05, 0.85], np.float32)
        self.points = strokes + 0.06 * normal(rng, info.num_classes, STYLES, 2, POINTS, 2)
        self.second = rng.random((info.num_classes, STYLES)) < 0.5
        self.curve = _smooth_interpolation()

    def draw(self, rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
        """One image per label."""
        n = len(labels)
        style = rng.integers(0, STYLES, n)
        points = self.points[labels, style]
        points = points + 0.06 * normal(rng, *points.shape)
        pen = np.einsum("tp,nspc->nstc", self.curve, points)
        present = np.ones((n, 2), np.float32)
        present[:, 1] = self.second[labels, style]
        ink = _splat(_affine(rng, pen.reshape(n, -1, 2)), np.repeat(present, STEPS, axis=1))
        image = _blur(ink, 0.68 * np.exp(0.15 * normal(rng, n)))
        image = image * (5.5 * np.exp(0.15 * normal(rng, n)))[:, None, None] - np.float32(0.25)
        return np.clip(image, 0, 1)[:, None]


def _smooth_interpolation():
    """Control points -> points along the stroke: linear, smoothed along it by a Gaussian of .05. [STEPS, POINTS]."""
    t = np.linspace(0, 1, STEPS)
    knots = np.linspace(0, 1, POINTS)
    linear = np.maximum(0, 1 - np.abs(t[:, None] - knots) * (POINTS - 1))
    weights = np.exp(-0.5 * ((t[:, None] - t) / 0.05) ** 2)
    return (weights / weights.sum(axis=1, keepdims=True) @ linear).astype(np.float32)


def _affine(rng, points):
    """Random scale, shear, rotation and shift of each image's points [n, m, 2], to pixel coordinates inside the image."""
    n = len(points)
    scaled = points * np.exp(0.1 * normal(rng, n, 1, 2))
    down, across = scaled[..., 0], scaled[..., 1]
    across = across + 0.15 * normal(rng, n, 1) * down
    angle = 0.2 * normal(rng, n, 1)
    turned = np.stack([np.cos(angle) * down + np.sin(angle) * across, np.cos(angle) * across - np.sin(angle) * down], axis=-1)
    return np.clip((turned + 0.03 * normal(rng, n, 1, 2) + 0.5) * SIZE, 2, SIZE - 3)


def _splat(points, weights):
    """Each point [n, m, 2] with its weight [n, m] shared out among the four pixels around it: float32 [n, SIZE, SIZE]."""
    n = len(points)
    corner = np.floor(points).astype(np.int64)
    part = points - corner
    first = (np.arange(n)[:, None] * SIZE + corner[..., 0]) * SIZE + corner[..., 1]
    image = np.zeros(n * SIZE * SIZE)
    for down in (0, 1):
        for across in (0, 1):
            share = (part[..., 0] if down else 1 - part[..., 0]) * (part[..., 1] if across else 1 - part[..., 1])
            image += np.bincount((first + down * SIZE + across).ravel(), (share * weights).ravel(), len(image))
    return image.reshape(n, SIZE, SIZE).astype(np.float32)


def _blur(images, widths):
    """A Gaussian of each image's own width, five taps along each axis."""
    taps = np.exp(-0.5 * (np.arange(-2, 3) / widths[:, None]) ** 2).astype(np.float32)
    taps /= taps.sum(axis=1, keepdims=True)
    for axis in (1, 2):
        images = sum(taps[:, i, None, None] * np.roll(images, i - 2, axis) for i in range(5))
    return images
