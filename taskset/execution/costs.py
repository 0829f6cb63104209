"""How long a training step of a named task takes, in costs.json, which tools/costs.py writes. No TensorFlow.

Where else there are costs: work.py counts what a step computes; `taskset.normalization.sweep.planning` adds up those of a sweep;
`taskset.scoring.step_cost` measures an optimizer's own; benchmarks/families.py measures tasks.
"""

import functools
import json
from importlib import resources
from typing import Any

from taskset import catalogue
from taskset.execution.work import work


@functools.cache
def _read() -> dict[str, Any]:
    return json.loads(resources.files("taskset.execution").joinpath("costs.json").read_text())


def milliseconds(name: str) -> tuple[float, str] | None:
    """(milliseconds per training step, "measured" or "estimated"), on one core of the machine that `cost_condition(name)` names.

    Estimated from the counts of `taskset.execution.work` with the family's weights; docs/families.md has their errors. None for
    tasks of other families, and for those that can't run.
    """
    if name in (measured := measured_milliseconds()):
        return measured[name], "measured"
    weights, (family, config) = _read()["weights"], catalogue.resolve(name)
    if family not in weights:
        return None
    facts = catalogue.facts(family, config)
    if facts.infeasible:
        return None
    return estimate(weights[family], work(config, facts)), "estimated"


@functools.cache
def measured_milliseconds() -> dict[str, float]:
    """{task: milliseconds per training step} of all tasks whose cost was measured."""
    costs = _read()
    return {name: ms for part in (costs["milliseconds"], *costs["further"].values()) for name, ms in part.items()}


def estimate(weights: dict[str, float], counts: dict[str, float]) -> float:
    """Milliseconds: the constant plus the sum of weights times counts."""
    return weights["constant"] + sum(weights.get(kind, 0.0) * count for kind, count in counts.items())


def cost_condition(name: str) -> str:
    """Machine, versions and date of a task's `milliseconds`: of its own measurement, or of the survey of its family."""
    costs = _read()
    own = next((condition for condition, ms in costs["further"].items() if name in ms), None)
    family = costs["families"].get(catalogue.family_of(name), {})
    return own or family.get("condition", costs["condition"])
