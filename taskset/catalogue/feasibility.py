"""What a config says of its task without being built: its facts, whether it can run, and how large it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from taskset import registry
from taskset.catalogue.configs import resolve
from taskset.catalogue.names import family
from taskset.errors import ConfigError, InfeasibleTask, calling, shown
from taskset.registry import Config, Facts

MOST_NUMBERS = 2 * 10**9  # in all parameters together, and in a batch: 8 GB of float32


def facts(family_name: str, config: Config) -> Facts:
    """The `Facts` of a config (`Facts()` if the family registered none); what takes too much memory is infeasible."""
    describe = family(family_name).facts
    if describe is None:
        described = Facts()
    else:
        described = _own_facts(family_name, describe, config) if registry.is_own(describe) else describe(config)
    reason = described.infeasible or _too_large(described)
    return described if reason == described.infeasible else replace(described, infeasible=reason)


def _own_facts(family_name: str, describe: Callable[[Config], Facts], config: Config) -> Facts:
    """Those that a user's function returns."""
    with calling(describe, f"the facts of family {family_name!r} can't be made"):
        described = describe(config)
    if not isinstance(described, Facts):
        raise ConfigError(f"the facts of family {family_name!r} are {shown(described)}: allowed is taskset.Facts(data=.., ..)")
    lacking = [part for part in ("needs_source", "batch") if described.data is not None and not hasattr(described.data, part)]
    if lacking:
        raise ConfigError(
            f"the data of family {family_name!r} is {shown(described.data)}, which has no {' and no '.join(lacking)}: allowed is "
            "a taskset.datasets.base.DataSpec, such as taskset.datasets.in_memory.InMemoryData"
        )
    return described


def _too_large(described: Facts) -> str | None:
    """Why parameters or batch would take too much memory; None if neither does."""
    batch = {} if described.data is None else described.data.batch
    for what, shapes in (
        ("the parameters are", (described.parameter_shapes or {}).values()),
        ("a batch is", [shape for shape, _ in batch.values()]),
    ):
        size = sum(math.prod(shape) for shape in shapes)
        if size > MOST_NUMBERS:
            return f"{what} {size:.3g} numbers; allowed are at most {MOST_NUMBERS:.3g}: make the config's sizes smaller"
    return None


def infeasible_reason(name: str) -> str | None:
    """Why the task can't run, naming the config field; None if it can. Builds nothing, loads no data. Raises `UnknownName`."""
    return facts(*resolve(name)).infeasible


def feasible(name: str) -> bool:
    """Whether the task can run. Builds nothing and loads no data. Raises `UnknownName`."""
    return infeasible_reason(name) is None


def num_params(name: str) -> int | None:
    """The number of the task's parameters, by its facts; None if it can't run or its facts don't say. Builds nothing."""
    described = facts(*resolve(name))
    return None if described.infeasible else described.num_params


def require_feasible(name: str, described: Facts) -> None:
    """Raise `InfeasibleTask` if a task with these facts can't run."""
    if described.infeasible:
        raise InfeasibleTask(f"task {shown(name)} can't run: {described.infeasible}. taskset.feasible(name) says so beforehand.")
