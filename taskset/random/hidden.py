"""Draws from the global random states of Python and NumPy, found by what they move: no other run repeats them."""

import contextlib
import random
import threading
from collections.abc import Iterator

import numpy as np

from taskset.errors import ConfigError

REPEATABLE = "tf.random.stateless_normal(shape, seed=[0, step])"  # what errors advise for code that knows the step


@contextlib.contextmanager
def none_drawn(who: str, instead: str = REPEATABLE) -> Iterator[None]:
    """Around code that is to draw nothing from the global random states.

    who: whose code it is, for the error; instead: what it may call. Raises: ConfigError where it drew, which while a function
    is traced it does once only, for all steps.
    """
    before = random.getstate(), _numpy_state()
    yield
    moved = [name for name, was, now in zip(("Python", "NumPy"), before, (random.getstate(), _numpy_state())) if was != now]
    if moved:
        other = " (or another thread of this process does: then run it without)" if threading.active_count() > 1 else ""
        raise ConfigError(
            f"{who} draws from {moved[0]}'s global random state{other}, which no other run repeats: allowed are functions like "
            f"{instead}"
        )


def _numpy_state() -> tuple[bytes, int]:
    _, words, place, *_ = np.random.get_state()
    return np.asarray(words).tobytes(), int(place)
