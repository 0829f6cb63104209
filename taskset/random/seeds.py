"""Seeds: every random draw in the package is named by (seed, purpose).

The name makes NumPy generators for what is drawn on the host (the order of examples, text windows), and the keys with which
`taskset.random.stateless` draws on the device.
"""

import zlib
from typing import SupportsIndex

import numpy as np

from taskset.errors import ConfigError, integer, shown, whole_number

LIMIT = 2**31  # seeds are less than this: they have to fit the int32 of a key


def check(seed: SupportsIndex, of: str = "", also: str = "") -> int:
    """`seed` as an int; any kind of integer will do (Python's, NumPy's, an eager tensor).

    of: whose seed it is; also: a remark; both for the error message.
    Raises: ConfigError for a value that is not an integer (a bool, a float such as 1.0) or not in 0 .. LIMIT - 1.
    """
    number = integer(seed)
    if number is None or not 0 <= number < LIMIT:
        whose = f" of {of}" if of else ""
        raise ConfigError(f"seed {shown(seed)}{whose}: allowed is an integer 0 <= seed < 2**31{also}")
    return number


def check_step(step: SupportsIndex, name: str = "start") -> int:
    """`step` as an int, checked as a seed is. name: of the argument, for the error message."""
    number = integer(step)
    if number is None or not 0 <= number < LIMIT:
        raise ConfigError(f"{name} {shown(step)}: allowed is an integer 0 <= {name} < 2**31")
    return number


def first_seeds(count: int) -> tuple[int, ...]:
    """The seeds 0, 1, .. of so many runs: those of the baselines. Raises `ConfigError` for a number that is none, or below 1."""
    return tuple(range(whole_number("seeds", count, note=", the number of runs")))


def stream(seed: int, *purpose: str | SupportsIndex) -> int:
    """A non-negative 31-bit integer for (seed, purpose): `stream(3, "order", "train", 7)`.

    A CRC-32 of the words: it names the stream and is not random itself. Integers of any kind are those of Python.
    Raises: ConfigError for a purpose with anything but texts and integers.
    """
    return zlib.crc32(repr((int(seed), *map(_word, purpose))).encode()) & 0x7FFFFFFF


def _word(part: str | SupportsIndex) -> str | int:
    """Part of a purpose in Python's own type: NumPy's have another `repr`, and another one in each of its versions."""
    if isinstance(part, str):
        return str.__str__(part)
    number = integer(part)
    if number is None:
        raise ConfigError(f"purpose {shown(part)} of a random draw: allowed are texts and integers")
    return number


def batch_seed(seed: int, split: str) -> int:
    """Of a run's seed: the integer that, with a batch's number, seeds what `Task.prepare` draws, such as augmentation.

    `taskset.datasets` draws which examples are in a batch, with `generator`. No seed depends on a task's name.
    """
    return stream(seed, "batch", split)


def loss_seed(seed: int, split: str) -> int:
    """Of a run's seed: the integer that, with a batch's number, seeds what the loss draws in training."""
    return stream(seed, "loss", split)


def evaluation_seed(seed: int, split: str) -> int:
    """As `loss_seed`, in an evaluation."""
    return stream(seed, "loss", "evaluate", split)


def generator(seed: int, *purpose: str | SupportsIndex) -> np.random.Generator:
    """An independent `numpy.random.Generator` (PCG64) for (seed, purpose). Raises: as `stream`."""
    return np.random.Generator(np.random.PCG64([int(seed), stream(seed, *purpose)]))
