"""The names of all families and tasks.

The package's samplers and fixed tasks are imported when a name is first looked up.
"""

import functools
import importlib

from taskset import registry
from taskset.errors import unknown
from taskset.registry import Family


@functools.cache
def load() -> None:
    """Register the package's own samplers and fixed tasks. Imports no TensorFlow."""
    importlib.import_module("taskset.samplers")
    importlib.import_module("taskset.tasks.fixed")


def families() -> list[str]:
    """The names of all task families that can be sampled, sorted."""
    load()
    return sorted(name for name, f in registry.known_families().items() if f.sample)


def fixed_tasks() -> list[str]:
    """The names of all fixed tasks: those of the package in the published order, then the user's own."""
    load()
    registered = registry.known_fixed()
    packaged = [name for name, describe in registered.items() if registry.package_of(describe) == "taskset"]
    known = set(packaged)
    return packaged + [name for name in registered if name not in known]


def listed_tasks() -> list[str]:
    """The names of the fixed tasks, then those of seeds 0 .. 999 of each family that can be sampled."""
    return fixed_tasks() + [f"{f}_seed{s}" for f in families() for s in range(registry.SEEDS)]


def family(name: str) -> Family:
    """The `Family` called `name`, whose builder may not be loaded yet. Raises `UnknownName`."""
    load()
    known = registry.known_families()
    if not isinstance(name, str) or name not in known:
        raise unknown("family", name, list(known), "python -m taskset list --families shows all.")
    return known[name]


def is_task(name: str) -> bool:
    """Whether there is a task of this name."""
    load()
    parsed = registry.parse(name)
    return isinstance(name, str) and (name in registry.known_fixed() or bool(parsed and parsed[0] in families()))
