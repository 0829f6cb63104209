"""All tasks by name.

names            the families and the tasks that there are
globs            tasks by globs of their names
configs          the config that a name stands for; whether a config fits its family's schema
feasibility      what a config says without being built: facts, whether it can run, its number of parameters
building         the tasks themselves
"""

from taskset.catalogue.building import builder, get_task, make_task, published_start
from taskset.catalogue.configs import check_config, family_of, get_config, own_config, resolve, sample
from taskset.catalogue.feasibility import facts, feasible, infeasible_reason, num_params
from taskset.catalogue.globs import is_glob, list_tasks, match_tasks, no_match
from taskset.catalogue.names import families, family, fixed_tasks, is_task, load

__all__ = [
    "builder",
    "check_config",
    "facts",
    "families",
    "family",
    "family_of",
    "feasible",
    "fixed_tasks",
    "get_config",
    "get_task",
    "infeasible_reason",
    "is_glob",
    "is_task",
    "list_tasks",
    "load",
    "make_task",
    "match_tasks",
    "no_match",
    "num_params",
    "own_config",
    "published_start",
    "resolve",
    "sample",
]
