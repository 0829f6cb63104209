"""Estimators of outer gradients: from a problem and theta to the gradient of the mean normalized loss.

`get("pes")` gives a class: `PES(problem, settings)`; `learned.estimators.base` says what they share.
"""

import importlib

from taskset.errors import unknown

# name, which is that of the module, too: class. A module is imported, and TensorFlow with it, when one is asked for.
_CLASSES = {
    "es_full": "ESFull",
    "es_truncated": "ESTruncated",
    "pes": "PES",
    "es_single": "ESSingle",
    "reparam": "Reparam",
    "combined": "Combined",
    "bptt": "BPTT",
}


def names():
    """The names of all estimators."""
    return list(_CLASSES)


def get(name):
    """The estimator class called `name`. Raises `UnknownName`."""
    if not isinstance(name, str) or name not in _CLASSES:
        raise unknown("estimator", name, names(), f"Allowed are {', '.join(names())}.")
    return getattr(importlib.import_module(f"learned.estimators.{name}"), _CLASSES[name])
