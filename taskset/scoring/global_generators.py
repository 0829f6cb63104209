"""The global random generators of Python, NumPy and PyTorch, for code of others that draws from them."""

from __future__ import annotations

import random
import sys
from types import TracebackType
from typing import Any

import numpy as np


class GlobalGenerators:
    """States of the global generators that continue from one `with` block to the next; outside of it they are the user's."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._own: list[Any] | None = None

    def __enter__(self) -> None:
        self._users = _states()
        if self._own is None:
            _seed(self._seed)
        else:
            _restore(self._own)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self._own = _states()
        _restore(self._users)


def _states() -> list[Any]:
    torch = sys.modules.get("torch")
    return [random.getstate(), np.random.get_state(), torch.get_rng_state() if torch else None]


def _restore(states: list[Any]) -> None:
    random.setstate(states[0])
    np.random.set_state(states[1])
    if states[2] is not None:
        sys.modules["torch"].set_rng_state(states[2])


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.manual_seed(seed)  # the CPU's, where the parameters are
