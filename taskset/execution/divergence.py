"""When a run has diverged. No TensorFlow."""

import numpy as np
from numpy.typing import ArrayLike


def has_diverged(losses: ArrayLike) -> np.ndarray:
    """Whether an evaluation ends its run: the loss of one of the splits is not finite.

    losses: [.., splits]; returns bool [..].
    """
    return np.asarray(~np.isfinite(losses).all(axis=-1))
