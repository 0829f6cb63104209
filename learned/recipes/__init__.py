"""How pretrained optimizers are made, in one command: one file per recipe, `python -m learned recipe NAME --hours H --out DIR`.

    base          what a recipe is: its suite, training, budget and judgement
    steps         the steps that all recipes share, and how they are resumed
    NAME.py       a recipe: `RECIPE`

Imports no TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from taskset.errors import unknown

if TYPE_CHECKING:
    from learned.recipes.base import Recipe

_NAMES = ("mlp_pes",)  # a recipe is a file of this folder with the recipe's name


def names() -> list[str]:
    """The names of all recipes."""
    return list(_NAMES)


def get(name: str) -> Recipe:
    """The recipe called `name`. Raises `UnknownName`."""
    if not isinstance(name, str) or name not in _NAMES:
        raise unknown("recipe", name, names(), f"Allowed are {', '.join(names())}.")
    return importlib.import_module(f"learned.recipes.{name}").RECIPE
