"""Names <-> samplers, builders and fixed tasks.

A task family is made of up to four registered functions, each under the family's name:

- a sampler, `seed -> config` (JSON values only), which makes the names `{family}_seed{seed}` exist;
- a JSON schema of its configs (an argument of `register_sampler`), by which users' own configs are checked;
- facts, `config -> Facts`: what can be said of a config without building it (its data, its parameter shapes, why it can't run);
- a builder, `(config, data) -> Model`, in TensorFlow.

Only the builders import TensorFlow; they are loaded when the first task is built. A fixed task is a name for one (family,
config).
"""

import fnmatch
import functools
import importlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from taskset.errors import ConfigError, InfeasibleTask, unknown

SEEDS = 1000  # the published seeds of a family: 0 .. 999; any other non-negative seed works as well


@dataclass(frozen=True)
class Facts:
    """What a config says before anything is built.

    data: the data specification (`taskset.datasets`), None for a task without data.
    parameter_shapes: {path: shape}, None where only building tells.
    infeasible: the config field and the reason why this config can't run; None if it can.
    """

    data: object = None
    parameter_shapes: dict | None = None
    infeasible: str | None = None

    @property
    def convolutional(self):
        """Whether a parameter is a filter of two dimensions: [height, width, channels in, channels out]."""
        return any(len(shape) == 4 for shape in (self.parameter_shapes or {}).values())


@dataclass(frozen=True)
class Family:
    """The functions registered under one family name; those not (yet) registered are None."""

    name: str
    sample: Callable | None = None
    schema: dict | None = None
    facts: Callable | None = None
    build: Callable | None = None


_families: dict[str, Family] = {}
_fixed: dict[str, Callable] = {}


def _register(family, **functions):
    known = _families.get(family, Family(family))
    for part in functions:
        if functions[part] is not None and getattr(known, part) is not None:
            raise ConfigError(f"family {family!r} has its {part} registered already")
    _families[family] = replace(known, **{k: v for k, v in functions.items() if v is not None})


def register_sampler(family, schema=None):
    """Decorator: `sample(seed) -> config` of a task family, with the JSON schema of its configs."""

    def register(sample):
        _register(family, sample=sample, schema=schema)
        return sample

    return register


def register_schema(family, schema):
    """The JSON schema of a family that has no sampler (its configs come from fixed tasks and users)."""
    _register(family, schema=schema)


def register_facts(family):
    """Decorator: `facts(config) -> Facts`. Raise nothing: what can't run says so in `Facts.infeasible`."""

    def register(facts):
        _register(family, facts=facts)
        return facts

    return register


def register_builder(family):
    """Decorator: `build(config, data) -> Model`; `data` is `Facts.data` of the config."""

    def register(build):
        _register(family, build=build)
        return build

    return register


def register_fixed(name):
    """Decorator: a function without arguments that returns (family, config), under the task's name."""

    def register(describe):
        _load()  # the published tasks stand first, whoever registers before they are asked for
        if name in _fixed:
            raise ConfigError(f"fixed task {name!r} is registered already")
        _fixed[name] = describe
        return describe

    return register


@functools.cache
def _load():
    """Import the package's own samplers and fixed tasks (no TensorFlow)."""
    importlib.import_module("taskset.samplers")
    importlib.import_module("taskset.tasks.fixed")


def families():
    """The names of all task families that can be sampled, sorted."""
    _load()
    return sorted(name for name, f in _families.items() if f.sample)


def fixed_tasks():
    """The names of all fixed tasks, in the published order."""
    _load()
    return list(_fixed)


def family(name):
    """The `Family` called `name`, with its builder not necessarily loaded."""
    _load()
    if name not in _families:
        raise unknown("family", name, list(_families), "python -m taskset list --families shows all.")
    return _families[name]


def builder(name):
    """The builder of a family; imports TensorFlow."""
    if family(name).build is None:
        importlib.import_module("taskset.tasks.builders")
    build = family(name).build
    if build is None:
        raise ConfigError(f"family {name!r} has no builder: register one with @taskset.register_builder({name!r})")
    return build


def parse(name):
    """`"mlp_family_seed3"` -> `("mlp_family", 3)`; None if it is no name of a sampled task."""
    match = re.fullmatch(r"(.+)_seed(0|[1-9]\d*)", name)
    return (match[1], int(match[2])) if match else None


def list_tasks(pattern=None):
    """Task names: the fixed ones and seeds 0 .. 999 of each family; `pattern` is a glob (`"mlp_family_seed1?"`)."""
    _load()
    names = fixed_tasks() + [f"{f}_seed{s}" for f in families() for s in range(SEEDS)]
    return names if pattern is None else fnmatch.filter(names, pattern)


def check_seed(family_name, seed):
    """Raise `ConfigError` unless `seed` is an integer that configs of the family can be sampled from."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**31:
        raise ConfigError(
            f"seed {seed!r} of {family_name}: allowed is an integer 0 <= seed < 2**31; the published ones are 0 .. {SEEDS - 1}"
        )


def sample(family_name, seed):
    """The config of one seed of a task family, without its family name."""
    if family_name not in families():
        raise unknown("family", family_name, families(), "python -m taskset list --families shows all.")
    check_seed(family_name, seed)
    return _families[family_name].sample(seed)


def resolve(name):
    """(family, config) of any task name."""
    _load()
    if name in _fixed:
        family_name, config = _fixed[name]()
        return family_name, config
    parsed = parse(name)
    if parsed and parsed[0] in families():
        return parsed[0], sample(*parsed)
    raise unknown("task", name, list_tasks(), "python -m taskset list shows all.")


def get_config(name):
    """The config of a task, as published: `[config, family]` (a JSON value)."""
    family_name, config = resolve(name)
    return [config, family_name]


def check_config(family_name, config):
    """Raise `ConfigError` unless `config` fits the family's schema: names the field and what is allowed."""
    schema = family(family_name).schema
    if schema is None:
        return
    from taskset.schema import explain  # jsonschema takes 0.1 s to import

    problem = explain(schema, config)
    if problem:
        raise ConfigError(f"{family_name} config: {problem}")


def facts(family_name, config):
    """The `Facts` of a config (`Facts()` for a family that registered none)."""
    describe = family(family_name).facts
    return describe(config) if describe else Facts()


def infeasible_reason(name):
    """Why the task can't run, naming the config field; None if it can. Builds nothing, loads no data."""
    return facts(*resolve(name)).infeasible


def feasible(name):
    """Whether the task can run. Builds nothing, loads no data."""
    return infeasible_reason(name) is None


def num_params(name):
    """How many parameters the task has, by its facts; None where it can't run or only building tells. Builds nothing."""
    described = facts(*resolve(name))
    if described.infeasible or described.parameter_shapes is None:
        return None
    return sum(math.prod(shape) for shape in described.parameter_shapes.values())


def require_feasible(name, described):
    """Raise `InfeasibleTask` if `described` (`Facts`) can't run."""
    if described.infeasible:
        raise InfeasibleTask(f"task {name!r} can't run: {described.infeasible}. taskset.feasible(name) tells beforehand.")
