"""What the tables of fixed tasks are made of."""

import re
from typing import Any

from taskset.samplers.parts import MNIST_LIKE

# Sonnet's default: a truncated normal of standard deviation 1 / sqrt(fan-in).
DEFAULT = ["lecun_normal", None]
# TensorFlow 1's default for any variable, and so for modules without a default of their own.
GLOROT_UNIFORM = ["glorot_uniform", None]


def parsed(pattern: re.Pattern[str], name: str) -> dict[str, Any]:
    """{group: text, None where it is absent} of a task's name that follows `pattern`."""
    match = pattern.fullmatch(name)
    if match is None:
        raise ValueError(f"fixed task name {name!r} does not follow {pattern.pattern}")
    return match.groupdict()


def images(name: str, batch_size: int, valid_size: int = 3000) -> list[Any]:
    """The `dataset` entry of a config: all training images, not augmented."""
    classes = {"num_classes": 10} if name in MNIST_LIKE else {}
    return [name, {"bs": batch_size, "num_train": None, **classes, "just_train": False, "valid_size": valid_size}, None]


def flow(dataset: list[Any], hidden_units: list[int], num_bijectors: int, w_init: list[Any]) -> dict[str, Any]:
    """The config of a normalizing flow with ReLUs."""
    return {
        "activation": "relu",
        "w_init": w_init,
        "dataset": dataset,
        "hidden_units": hidden_units,
        "num_bijectors": num_bijectors,
    }
