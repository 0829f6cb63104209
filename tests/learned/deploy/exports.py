"""Checkpoints to be exported, and what the optimizers made of them refuse."""

import numpy as np
import pytest

from learned import optimizers
from learned.outer_training import checkpoint
from tests.learned.rules import weights


def saved(path, name, **changes):
    """A checkpoint with perturbed weights; returns them."""
    optimizer = optimizers.get(name)
    theta = {w: array.astype(np.float32) for w, array in weights(optimizer).items()}
    meta = {"optimizer": name, "shapes": {w: list(a.shape) for w, a in theta.items()}, "step": 7, "slots": {}, **changes}
    arrays = {f"theta/{w}": a for w, a in theta.items()} | {"adam/x": np.zeros(3), "slot/0/since": np.zeros(2)}
    checkpoint.save(path, meta, arrays)
    return theta


def refused(message, function, error=ValueError):
    """`function()` raises an error of one line."""
    with pytest.raises(error, match=message) as caught:
        function()
    assert "\n" not in str(caught.value)
