"""How named tasks start: whether the first loss and its gradients are finite, by tools/conformance.py. No TensorFlow."""

import functools
import json
from importlib import resources
from typing import Any

from taskset import catalogue, registry

FIXED = "fixed tasks"  # the group of all fixed tasks in starts.json
NON_FINITE = ("non-finite loss", "non-finite gradient")


@functools.cache
def _read() -> dict[str, Any]:
    return json.loads(resources.files("taskset.execution").joinpath("starts.json").read_text())


def _group(name: str) -> tuple[dict[str, Any], int | str] | None:
    """(group in starts.json, the task's seed or name in its lists); None for a task that was not examined."""
    groups, parsed = _read()["groups"], registry.parse(name)
    if parsed and parsed[0] in groups and parsed[1] < groups[parsed[0]]["tasks"]:
        return groups[parsed[0]], parsed[1]
    if FIXED in groups and name in catalogue.fixed_tasks()[: groups[FIXED]["tasks"]]:  # others were registered since
        return groups[FIXED], name
    return None


def start(name: str) -> str | None:
    """How a task starts: "finite", "non-finite loss", "non-finite gradient"; None where it was not examined.

    Measured once, under `start_condition()`; another seed of `init` may start otherwise.
    """
    found = _group(name)
    if found is None:
        return None
    group, key = found
    return next((kind for kind in NON_FINITE if key in group.get(kind, ())), "finite")


def start_condition() -> str:
    """The parameters and data with which `start` was measured."""
    return _read()["condition"]
