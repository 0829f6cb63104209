"""Random fields and profiles: the textures and outlines that the images are made of."""

from statistics import NormalDist

import numpy as np


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """N(0, 1), float32."""
    return rng.standard_normal(shape, dtype=np.float32)


def per_image(values: np.ndarray) -> np.ndarray:
    """[n] -> [n, 1, 1, 1], for broadcasting over images [n, channels, height, width]."""
    return values[:, None, None, None]


def power_law_fields(
    rng: np.random.Generator, count: int, side: int, beta: float, channels: int = 1, rho: float = 1.0
) -> np.ndarray:
    """Gaussian fields on a torus whose amplitude falls as |k|^-beta, of unit variance: float32 [count, channels, side, side].

    A channel is sqrt(rho) L + sqrt(1 - rho) D_c, of which all channels share L. Natural images have beta
    about 1 (Field 1987).
    """
    k = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :])
    k[0, 0] = 1.0
    amplitude = k**-beta
    amplitude[0, 0] = 0.0

    def field(n: int) -> np.ndarray:
        # In float64: NumPy 1 has no other FFT, and the fields have to be the same under NumPy 2.
        spectrum = np.fft.rfft2(normal(rng, n, side, side).astype(np.float64)) * amplitude
        drawn = np.fft.irfft2(spectrum, s=(side, side)).astype(np.float32)
        return drawn / drawn.std(axis=(1, 2), keepdims=True)

    shared = np.sqrt(np.float32(rho)) * field(count)[:, None]
    if channels == 1:
        return shared / np.sqrt(np.float32(rho))
    return shared + np.sqrt(np.float32(1 - rho)) * field(count * channels).reshape(count, channels, side, side)


def windows(rng: np.random.Generator, fields: np.ndarray, count: int, height: int, width: int) -> np.ndarray:
    """Random windows of random fields: float32 [count, channels, height, width]."""
    drawn = np.empty((count, fields.shape[1], height, width), np.float32)
    which = rng.integers(0, len(fields), count)
    top = rng.integers(0, fields.shape[2] - height + 1, count)
    left = rng.integers(0, fields.shape[3] - width + 1, count)
    for i in range(count):
        drawn[i] = fields[which[i], :, top[i] : top[i] + height, left[i] : left[i] + width]
    return drawn


def smooth_profiles(rng: np.random.Generator, count: int, length: int, width: float) -> np.ndarray:
    """Noise along rows, smoothed by a Gaussian of `width` rows; each profile is standardised: float32 [count, length]."""
    rows = np.arange(length)
    kernel = np.exp(-0.5 * ((rows[:, None] - np.arange(-length, 2 * length)[None]) / width) ** 2).astype(np.float32)
    profiles = normal(rng, count, 3 * length) @ kernel.T
    return (profiles - profiles.mean(axis=1, keepdims=True)) / profiles.std(axis=1, keepdims=True)


def spread_normal(rng: np.random.Generator, count: int, dimensions: int) -> np.ndarray:
    """`count` draws of N(0, 1) per dimension, one from each of `count` equally likely intervals: float32 [count, dimensions].

    A Latin hypercube (McKay et al. 1979): classes are spread evenly where independent draws would make some coincide.
    """
    quantile = np.vectorize(NormalDist().inv_cdf)
    levels = (np.arange(count)[:, None] + rng.uniform(0.02, 0.98, (count, dimensions))) / count
    return quantile(rng.permuted(levels, axis=0)).astype(np.float32)


def spread_pairs(rng: np.random.Generator, count: int) -> np.ndarray:
    """`count` points spread evenly over the unit square, in random order: float64 [count, 2].

    The additive recurrence with the powers of the plastic number, the real root of x^3 = x + 1 (Roberts 2018), randomly shifted.
    """
    plastic = 1.3247179572447460
    points = np.arange(1, count + 1)[:, None] * np.array([1 / plastic, 1 / plastic**2]) + rng.random(2)
    return rng.permutation(points % 1.0)
