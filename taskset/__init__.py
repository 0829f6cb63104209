"""TaskSet for today: thousands of small training tasks by name, with their baselines.

    import taskset
    task = taskset.get_task("quadratic_family_seed12")
    params = task.init(seed=0)
    loss, gradients = task.value_and_gradients(params, next(task.batches("train", seed=0)), seed=0)

The names below are loaded on first use: importing the package loads neither TensorFlow nor pandas. Importing it also keeps
TensorFlow from printing its start-up messages, whenever that is imported (`taskset.execution.runtime`).
"""

import importlib
from typing import Any

from taskset import moved
from taskset.execution import runtime
from taskset.version import __version__

moved.serve_old_names()
runtime.watch()

_WHERE = {
    "taskset.catalogue": (
        "families",
        "fixed_tasks",
        "list_tasks",
        "sample",
        "get_config",
        "feasible",
        "infeasible_reason",
        "get_task",
        "make_task",
        "published_start",
    ),
    "taskset.registry": (
        "register_sampler",
        "register_schema",
        "register_facts",
        "register_builder",
        "register_fixed",
        "Facts",
    ),
    "taskset.samplers.optimizers": ("optimizer_families", "get_optimizer_config", "register_optimizer"),
    "taskset.optimizers": ("get_optimizer", "opt_list"),
    "taskset.tasks.base": ("Model", "Task"),
    "taskset.normalization.store": ("load_curves", "load_tasks", "load_optimizers", "load_sweeps", "load_normalizers"),
    "taskset.normalization.normalizer": ("normalizer", "normalize_curves"),
    "taskset.scoring.suites.by_name": ("get_suite", "list_suites"),
    "taskset.scoring.score": ("score",),
    "taskset.errors": ("TasksetError",),
}
_MODULE_OF = {name: module for module, names in _WHERE.items() for name in names}
__all__ = ["__version__"]
__all__ += list(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'taskset' has no attribute {name!r}; it has: {', '.join(sorted(__all__))}")
    value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
