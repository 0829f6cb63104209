"""Measurements of the named tasks: how they start, and how long a training step takes. No TensorFlow.

starts.json is written by tools/conformance.py, costs.json by tools/costs.py.
"""

import functools
import json
from importlib import resources
from typing import Any

from taskset import catalogue, registry
from taskset.execution.work import work

FIXED = "fixed tasks"  # the group of all fixed tasks in starts.json
NON_FINITE = ("non-finite loss", "non-finite gradient")


@functools.cache
def _read(file: str) -> dict[str, Any]:
    return json.loads(resources.files("taskset.execution").joinpath(file).read_text())


def _group(name: str) -> tuple[dict[str, Any], int | str] | None:
    """(group in starts.json, the task's seed or name in its lists); None for a task that was not examined."""
    groups, parsed = _read("starts.json")["groups"], registry.parse(name)
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
    return _read("starts.json")["condition"]


def milliseconds(name: str) -> tuple[float, str] | None:
    """(milliseconds per training step, "measured" or "estimated"), on one core of the machine that `cost_condition(name)` names.

    Estimated from the counts of `taskset.execution.work` with the family's weights; docs/families.md has their errors. None for
    tasks of other families, and for those that can't run.
    """
    if name in (measured := measured_milliseconds()):
        return measured[name], "measured"
    weights, (family, config) = _read("costs.json")["weights"], catalogue.resolve(name)
    if family not in weights:
        return None
    facts = catalogue.facts(family, config)
    if facts.infeasible:
        return None
    return estimate(weights[family], work(config, facts)), "estimated"


@functools.cache
def measured_milliseconds() -> dict[str, float]:
    """{task: milliseconds per training step} of all tasks whose cost was measured."""
    costs = _read("costs.json")
    return {name: ms for part in (costs["milliseconds"], *costs["further"].values()) for name, ms in part.items()}


def estimate(weights: dict[str, float], counts: dict[str, float]) -> float:
    """Milliseconds: the constant plus the sum of weights times counts."""
    return weights["constant"] + sum(weights.get(kind, 0.0) * count for kind, count in counts.items())


def cost_condition(name: str) -> str:
    """Machine, versions and date of a task's `milliseconds`: of its own measurement, or of the survey of its family."""
    costs = _read("costs.json")
    own = next((condition for condition, ms in costs["further"].items() if name in ms), None)
    family = costs["families"].get(catalogue.family_of(name), {})
    return own or family.get("condition", costs["condition"])
