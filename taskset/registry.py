"""Names <-> samplers, builders and fixed tasks.

A task family is made of up to four registered functions, each under the family's name:

- a sampler, `seed -> config` (JSON values only), which makes the names `{family}_seed{seed}` exist;
- a JSON schema of its configs (an argument of `register_sampler`), by which users' own configs are checked;
- facts, `config -> Facts`: what can be said of a config without building it (its data, its parameter shapes, why it can't run);
- a builder, `(config, data) -> Model`, in TensorFlow.

Only the builders import TensorFlow; they are loaded when the first task is built. A fixed task is a name for one (family,
config).
"""

import contextlib
import fnmatch
import functools
import importlib
import math
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

from taskset.errors import ConfigError, InfeasibleTask, cut, nearest, shown, unknown
from taskset.random import seeds

SEEDS = 1000  # the published seeds of a family: 0 .. 999; any other non-negative seed works as well
MOST_NUMBERS = 2 * 10**9  # of all parameters, and of a batch: in float32 they take 8 GB
MOST_ENTRIES = 100_000  # of a list in a config
MOST_MATCHES = 100_000  # names beyond the published seeds that a glob stands for


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


_PARTS = ("sample", "schema", "facts", "build")

_families: dict[str, Family] = {}
_fixed: dict[str, Callable] = {}


def check_name(kind, name):
    """Raise `ConfigError` unless `name` can be one of a `kind` ("family", "fixed task", ..): it becomes part of file names."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}", name) or parse(name):
        raise ConfigError(
            f"{kind} name {shown(name)}: allowed are up to 100 letters, digits and _ . + -, a letter or digit first, "
            "no _seedN at the end"
        )


def _same(known, given):
    """Whether `given` is what was registered before, made again: by a notebook's cell or a reloaded module.

    A function is known again by its module and its name, a schema by its content.
    """
    if not callable(given):
        return known == given
    places = [(getattr(f, "__module__", None), getattr(f, "__qualname__", "<")) for f in (known, given)]
    return known is given or (places[0] == places[1] and "<" not in places[0][1])  # lambdas all have one name


def _register(family, **functions):
    check_name("family", family)
    given = {part: function for part, function in functions.items() if function is not None}
    known = _families.get(family, Family(family))
    again = any(callable(f) and getattr(known, part) is not None and _same(getattr(known, part), f) for part, f in given.items())
    for part, function in given.items():
        before = getattr(known, part)
        if before is not None and not _same(before, function) and not (again and part == "schema"):
            raise ConfigError(f"family {family!r} has its {part} registered already, by another module: choose another name")
    _families[family] = replace(known, **given)


@contextlib.contextmanager
def all_or_nothing():
    """What is registered within is forgotten if an exception ends it, and so are the modules that registered it."""
    _load()  # stays, whatever happens
    families, fixed, modules = dict(_families), dict(_fixed), set(sys.modules)
    try:
        yield
    except BaseException:
        added = [_fixed.pop(name) for name in [*_fixed] if _fixed[name] is not fixed.get(name)]
        _fixed.update(fixed)
        for name, now in [*_families.items()]:
            then = families.get(name, Family(name))
            undone = {part: getattr(then, part) for part in _PARTS if _is_foreign(getattr(now, part), getattr(then, part))}
            added += [getattr(now, part) for part in undone]
            _families[name] = replace(now, **undone)
            if _families[name] == Family(name):
                del _families[name]
        for module in {getattr(function, "__module__", None) for function in added} - modules:
            sys.modules.pop(module, None)
        raise


def _is_foreign(now, then):
    """Whether something was registered in the place of `then`, and not by this package (whose builders come when needed)."""
    return now is not then and not getattr(now, "__module__", "").startswith("taskset.")


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
        check_name("fixed task", name)
        _load()  # the published tasks stand first, whoever registers before they are asked for
        if name in _fixed and not _same(_fixed[name], describe):
            raise ConfigError(f"fixed task {name!r} is registered already, by another module: choose another name")
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
    if not isinstance(name, str) or name not in _families:
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
    match = re.fullmatch(r"(.+)_seed(0|[1-9]\d{0,17})", name) if isinstance(name, str) else None
    return (match[1], int(match[2])) if match else None


def list_tasks(pattern=None):
    """Task names: the fixed ones and seeds 0 .. 999 of each family; `pattern` is a glob (`"mlp_family_seed1?"`).

    Seeds beyond 999 are in it where the pattern spells them out, in digits and ranges: `"mlp_family_seed100[0-2]"`.
    """
    _load()
    names = fixed_tasks() + [f"{f}_seed{s}" for f in families() for s in range(SEEDS)]
    return names if pattern is None else matching(pattern, names, families())


def matching(pattern, names, families):
    """Those of `names` that match a glob, then those of seeds beyond the published ones that it spells out."""
    if not isinstance(pattern, str):
        raise ConfigError(f"pattern {shown(pattern)}: allowed is a glob, such as 'mlp_family_seed1?'")
    head, _, tail = pattern.rpartition("_seed")
    found = [name for name in families if fnmatch.fnmatchcase(name, head)]
    return fnmatch.filter(names, pattern) + [f"{name}_seed{seed}" for name in found for seed in _seeds_beyond(pattern, tail)]


def _seeds_beyond(pattern, tail):
    """The seeds above the published ones that digits and ranges (`100[0-2]`) stand for."""
    places = re.findall(r"\d|\[!?[^]]+\]", tail)
    if "".join(places) != tail or len(places) < len(str(SEEDS)):
        return []
    digits = [[d for d in "0123456789" if fnmatch.fnmatchcase(d, place)] for place in places]
    if math.prod(map(len, digits)) > MOST_MATCHES:
        raise ConfigError(f"{shown(pattern)} stands for more than {MOST_MATCHES:,} seeds: name fewer")
    numbers = [""]
    for choices in digits:
        numbers = [number + d for number in numbers for d in choices]
    return [int(n) for n in numbers if n[0] != "0" and int(n) < seeds.LIMIT]


def no_match(pattern):
    """The line for a glob that matches no task."""
    head = cut(str(pattern)).rpartition("_seed")[0]
    near = nearest(head, families(), 1)
    guess = f"; did you mean {near[0]}_seed..?" if near and near[0] != head else ""
    return (
        f"no task matches {shown(pattern)}{guess}: python -m taskset list shows all; * and ? stand for seeds 0 .. {SEEDS - 1}, "
        "ranges such as seed100[0-2] for others, too"
    )


def check_seed(family_name, seed):
    """`seed` as an int. Raises `ConfigError` unless it is an integer that configs of the family can be sampled from."""
    return seeds.check(seed, family_name, f"; the published ones are 0 .. {SEEDS - 1}")


def sample(family_name, seed):
    """The config of one seed of a task family, without its family name."""
    if family_name not in families():
        raise unknown("family", family_name, families(), "python -m taskset list --families shows all.")
    return _families[family_name].sample(check_seed(family_name, seed))


def resolve(name):
    """(family, config) of any task name."""
    _load()
    if isinstance(name, str) and name in _fixed:
        family_name, config = _fixed[name]()
        return family_name, config
    parsed = parse(name)
    if parsed and parsed[0] in families():
        return parsed[0], sample(*parsed)
    known = fixed_tasks() + [f"{f}_seed{parsed[1]}" for f in families()] if parsed else list_tasks()
    raise unknown("task", name, known, "python -m taskset list shows all.")


def is_task(name):
    """Whether there is a task of this name."""
    _load()
    parsed = parse(name)
    return isinstance(name, str) and (name in _fixed or bool(parsed and parsed[0] in families()))


def get_config(name):
    """The config of a task, as published: `[config, family]` (a JSON value)."""
    family_name, config = resolve(name)
    return [config, family_name]


def check_config(family_name, config):
    """Raise `ConfigError` unless `config` fits the family's schema: names the field and what is allowed."""
    schema = family(family_name).schema
    check_lengths(family_name, config)
    if schema is None:
        return
    from taskset.schema import explain  # jsonschema takes 0.1 s to import

    problem = explain(schema, config)
    if problem:
        raise ConfigError(f"{family_name} config: {problem}")


def check_lengths(family_name, value, path=""):
    """`ConfigError` for lists that no model is made of, before anything walks over them at length."""
    if isinstance(value, (list, tuple, dict)) and len(value) > MOST_ENTRIES:
        raise ConfigError(
            f"{family_name} config: {cut(path) or 'the config'} has {len(value):,} entries; allowed are at most {MOST_ENTRIES:,}"
        )
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    for key, inner in items:
        if isinstance(inner, (list, tuple, dict)):
            check_lengths(family_name, inner, f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}".lstrip("."))


def facts(family_name, config):
    """The `Facts` of a config (`Facts()` for a family that registered none); what takes too much memory can't run."""
    describe = family(family_name).facts
    described = describe(config) if describe else Facts()
    reason = described.infeasible or _too_large(described)
    return described if reason == described.infeasible else replace(described, infeasible=reason)


def _too_large(described):
    """Which of parameters and batch takes more memory than anyone means to give; None if neither does."""
    batch = {} if described.data is None else described.data.batch
    for what, shapes in (
        ("the parameters are", (described.parameter_shapes or {}).values()),
        ("a batch is", [shape for shape, _ in batch.values()]),
    ):
        size = sum(math.prod(shape) for shape in shapes)
        if size > MOST_NUMBERS:
            return f"{what} {size:.3g} numbers; allowed are at most {MOST_NUMBERS:.3g}: make the config's sizes smaller"
    return None


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
        raise InfeasibleTask(f"task {shown(name)} can't run: {described.infeasible}. taskset.feasible(name) tells beforehand.")
