"""What was measured of the tasks that have names: how they start, and what a training step costs. No TensorFlow.

starts.json is written by tools/conformance.py, costs.json by tools/costs.py.
"""

import functools
import json
from importlib import resources

from taskset import catalogue, registry
from taskset.execution.work import work

FIXED = "fixed tasks"  # the group of all fixed tasks in starts.json
NON_FINITE = ("non-finite loss", "non-finite gradient")


@functools.cache
def _read(file):
    return json.loads(resources.files("taskset.execution").joinpath(file).read_text())


def _group(name):
    """(group in starts.json, what stands for the task in its lists); None for a task that was not examined."""
    groups, parsed = _read("starts.json")["groups"], registry.parse(name)
    if parsed and parsed[0] in groups and parsed[1] < groups[parsed[0]]["tasks"]:
        return groups[parsed[0]], parsed[1]
    if name in catalogue.fixed_tasks() and FIXED in groups:
        return groups[FIXED], name
    return None


def start(name):
    """How a task starts: "finite", "non-finite loss", "non-finite gradient"; None where it was not examined.

    Measured once, as `start_condition()` says; another seed of `init` may start otherwise.
    """
    found = _group(name)
    if found is None:
        return None
    group, key = found
    return next((kind for kind in NON_FINITE if key in group.get(kind, ())), "finite")


def start_condition():
    """With which parameters and data `start` was measured."""
    return _read("starts.json")["condition"]


def milliseconds(name):
    """(milliseconds a training step, "measured" or "estimated"): on one core of the machine that `cost_condition(name)` names.

    Estimated from the counts of `taskset.execution.work` with the family's weights; docs/families.md says how well. None for
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
def measured_milliseconds():
    """{task: milliseconds a training step} of all tasks whose cost was measured."""
    costs = _read("costs.json")
    return {name: ms for part in (costs["milliseconds"], *costs["further"].values()) for name, ms in part.items()}


def estimate(weights, counts):
    """Milliseconds: the constant plus the sum of weights times counts."""
    return weights["constant"] + sum(weights.get(kind, 0.0) * count for kind, count in counts.items())


def cost_condition(name):
    """Machine, versions and date of what `milliseconds` says of a task: measured by itself, or with the survey of its family."""
    costs = _read("costs.json")
    return next((condition for condition, ms in costs["further"].items() if name in ms), costs["condition"])
