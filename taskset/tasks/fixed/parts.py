"""What the tables of fixed tasks are made of."""

import copy

from taskset.registry import register_fixed
from taskset.samplers.parts import MNIST_LIKE

# Sonnet's default: a truncated normal of standard deviation 1 / sqrt(fan-in).
DEFAULT = ["lecun_normal", None]
# The default of TensorFlow 1 for any variable, and so of modules that came without one of their own.
GLOROT_UNIFORM = ["glorot_uniform", None]


def fixed(name, family, config):
    """Register a fixed task. Whoever asks for its config gets a copy."""
    register_fixed(name)(lambda: (family, copy.deepcopy(config)))


def images(name, batch_size, valid_size=3000):
    """The `dataset` entry of a config: all training images, not augmented."""
    classes = {"num_classes": 10} if name in MNIST_LIKE else {}
    return [name, {"bs": batch_size, "num_train": None, **classes, "just_train": False, "valid_size": valid_size}, None]


def flow(dataset, hidden_units, num_bijectors, w_init):
    """The config of a normalizing flow with ReLUs."""
    return {
        "activation": "relu",
        "w_init": w_init,
        "dataset": dataset,
        "hidden_units": hidden_units,
        "num_bijectors": num_bijectors,
    }
