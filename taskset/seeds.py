"""Seeds: every random draw in the package is named by (seed, what it is for).

Two kinds of draws are made from that name: NumPy generators for what the host decides (the order of examples, text windows), and
the integer halves of the keys that `taskset.stateless` draws with on the device.
"""

import zlib

import numpy as np


def stream(seed, *purpose):
    """A non-negative 31-bit integer for (seed, purpose): `stream(3, "order", "train", 7)`.

    CRC-32 of the words: names the stream, and is not meant to be random itself.
    """
    return zlib.crc32(repr((int(seed), *purpose)).encode()) & 0x7FFFFFFF


def generator(seed, *purpose):
    """An independent `numpy.random.Generator` (PCG64) for (seed, purpose)."""
    return np.random.Generator(np.random.PCG64([int(seed), stream(seed, *purpose)]))
