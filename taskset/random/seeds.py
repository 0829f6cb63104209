"""Seeds: every random draw in the package is named by (seed, what it is for).

Two kinds of draws are made from that name: NumPy generators for what the host decides (the order of examples, text windows), and
the integer halves of the keys that `taskset.random.stateless` draws with on the device.
"""

import operator
import zlib

import numpy as np

from taskset.errors import ConfigError, shown

LIMIT = 2**31  # seeds are below it: the device's integers have 32 bits, one of them the sign


def check(seed, of="", also=""):
    """`seed` as an int, whatever kind of integer it is (Python's, NumPy's, a tensor that has a value).

    of: whose seed it is, and also: a remark, for the error's line.
    Raises: ConfigError for what is no integer (a bool, a float, also a whole one) and for integers outside 0 .. LIMIT - 1.
    """
    number = _index(seed)
    if not 0 <= number < LIMIT:
        whose = f" of {of}" if of else ""
        raise ConfigError(f"seed {shown(seed)}{whose}: allowed is an integer 0 <= seed < 2**31{also}")
    return number


def check_step(step, name="start"):
    """`step` as an int, as `check` does; name: of the argument."""
    number = _index(step)
    if not 0 <= number < LIMIT:
        raise ConfigError(f"{name} {shown(step)}: allowed is an integer 0 <= {name} < 2**31")
    return number


def _index(value):
    """The int that `value` is; -1 for what is none."""
    try:
        return -1 if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        return -1


def stream(seed, *purpose):
    """A non-negative 31-bit integer for (seed, purpose): `stream(3, "order", "train", 7)`.

    CRC-32 of the words: names the stream, and is not meant to be random itself.
    """
    return zlib.crc32(repr((int(seed), *purpose)).encode()) & 0x7FFFFFFF


def generator(seed, *purpose):
    """An independent `numpy.random.Generator` (PCG64) for (seed, purpose)."""
    return np.random.Generator(np.random.PCG64([int(seed), stream(seed, *purpose)]))
