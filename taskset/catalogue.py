"""All tasks by name: their configs and facts, and the tasks themselves.

The package's samplers and fixed tasks are imported when a name is first looked up. Only building a task imports TensorFlow.
"""

from __future__ import annotations

import functools
import importlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from taskset import registry
from taskset.datasets.base import check_source
from taskset.errors import ConfigError, InfeasibleTask, TasksetError, calling, cut, nearest, shown, unknown
from taskset.execution import runtime
from taskset.patterns import matching
from taskset.registry import Config, Facts, Family

if TYPE_CHECKING:
    from taskset.datasets.prepared import Directory
    from taskset.tasks.base import Task

MOST_NUMBERS = 2 * 10**9  # in all parameters together, and in a batch: 8 GB of float32
MOST_ENTRIES = 100_000  # in a list of a config


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
    packaged = [name for name, describe in registered.items() if describe.__module__.startswith("taskset.")]
    known = set(packaged)
    return packaged + [name for name in registered if name not in known]


def family(name: str) -> Family:
    """The `Family` called `name`, whose builder may not be loaded yet. Raises `UnknownName`."""
    load()
    known = registry.known_families()
    if not isinstance(name, str) or name not in known:
        raise unknown("family", name, list(known), "python -m taskset list --families shows all.")
    return known[name]


def builder(name: str) -> Callable[..., Any]:
    """The builder of a family; imports TensorFlow. Raises `UnknownName`, and `ConfigError` for a family without a builder."""
    if family(name).build is None:
        importlib.import_module("taskset.tasks.builders")
    build = family(name).build
    if build is None:
        raise ConfigError(f"family {name!r} has no builder: register one with @taskset.register_builder({name!r})")
    return build


def list_tasks(pattern: str | None = None) -> list[str]:
    """Task names: the fixed ones and seeds 0 .. 999 of each family; `pattern` is a glob (`"mlp_family_seed1?"`).

    Seeds beyond 999 are included if the pattern spells them out in digits and ranges: `"mlp_family_seed100[0-2]"`.
    """
    load()
    names = fixed_tasks() + [f"{f}_seed{s}" for f in families() for s in range(registry.SEEDS)]
    return names if pattern is None else matching(pattern, names, families())


def no_match(pattern: str | None) -> str:
    """The error message for a glob that matches no task."""
    whole = cut(str(pattern))
    head = whole.rpartition("_seed")[0] or whole.strip("*?")
    near = nearest(head, families(), 1)
    guess = f"; did you mean {near[0]}_seed..?" if near and f"{near[0]}_seed" not in whole else ""
    return (
        f"no task matches {shown(pattern)}{guess}: python -m taskset list shows what there is; "
        f"* and ? stand for seeds 0 .. {registry.SEEDS - 1}, ranges such as seed100[0-2] for others, too"
    )


def is_glob(pattern: str) -> bool:
    """Whether a pattern may stand for several names."""
    return any(c in pattern for c in "*?[")


def match_tasks(patterns: Sequence[str]) -> list[str]:
    """Task names for names and globs, in order, each once.

    Raises: UnknownName for a name of no task, TasksetError for a glob without a match.
    """
    names: dict[str, None] = {}
    for pattern in patterns:
        if is_glob(pattern):
            found = list_tasks(pattern)
            if not found:
                raise TasksetError(no_match(pattern))
        else:
            resolve(pattern)
            found = [pattern]
        names.update(dict.fromkeys(found))
    return list(names)


def sample(family_name: str, seed: SupportsIndex) -> Config:
    """The config of one seed of a task family. Raises `UnknownName`, `ConfigError` for what is not a seed.

    A user's own sampler is called twice: one that draws from more than the seed would give a name several meanings.
    """
    draw = registry.known_families()[family_name].sample if family_name in families() else None
    if draw is None:
        raise unknown("family", family_name, families(), "python -m taskset list --families shows all.")
    number = registry.check_seed(family_name, seed)
    if not registry.is_own(draw):
        return draw(number)
    with calling(draw, f"a config of family {family_name!r} can't be made"):
        config, again = draw(number), draw(number)
    try:
        same = json.dumps(config, allow_nan=False) == json.dumps(again, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"the sampler of {family_name!r} returned {shown(config)} ({cut(str(error))}): allowed are JSON values; int(..) and "
            "float(..) make them of NumPy's numbers"
        ) from error
    if not same:
        raise ConfigError(
            f"the sampler of {family_name!r} gives another config for seed {number} each time: draw from the seed alone, as by "
            "numpy.random.RandomState(seed)"
        )
    return config


def resolve(name: str) -> tuple[str, Config]:
    """(family, config) of any task name. Raises `UnknownName`."""
    load()
    fixed = registry.known_fixed()
    if isinstance(name, str) and name in fixed:
        family_name, config = fixed[name]()
        return family_name, config
    parsed = registry.parse(name)
    if parsed and parsed[0] in families():
        return parsed[0], sample(*parsed)
    known = fixed_tasks() + [f"{f}_seed{parsed[1]}" for f in families()] if parsed else list_tasks()
    raise unknown("task", name, known, "python -m taskset list shows what there is.")


def own_config(name: str) -> Config | None:
    """The config of a task that a user registered; None for the package's own, which change by versions only."""
    load()
    fixed = registry.known_fixed()
    describes = fixed[name] if name in fixed else registry.known_families()[family_of(name)].sample
    return resolve(name)[1] if registry.is_own(describes) else None


def family_of(name: str) -> str:
    """The family of any task name; draws no config where the name has the family. Raises `UnknownName`."""
    load()
    parsed = None if isinstance(name, str) and name in registry.known_fixed() else registry.parse(name)
    return parsed[0] if parsed and parsed[0] in families() else resolve(name)[0]


def is_task(name: str) -> bool:
    """Whether there is a task of this name."""
    load()
    parsed = registry.parse(name)
    return isinstance(name, str) and (name in registry.known_fixed() or bool(parsed and parsed[0] in families()))


def get_config(name: str) -> list[Any]:
    """The config of a task in the published form, `[config, family]` (a JSON value). Raises `UnknownName`."""
    family_name, config = resolve(name)
    return [config, family_name]


def check_config(family_name: str, config: Config) -> None:
    """Raise `ConfigError` unless `config` fits the family's schema: it names the field and what is allowed."""
    schema = family(family_name).schema
    check_lengths(family_name, config)
    if schema is None:
        return
    from taskset.schema import explain  # jsonschema takes 0.1 s to import

    problem = explain(schema, config)
    if problem:
        raise ConfigError(f"{family_name} config: {problem}")


def check_lengths(family_name: str, value: Config, path: str = "") -> None:
    """Raise `ConfigError` for lists that are too long for any model, before more time is spent on them."""
    if isinstance(value, (list, tuple, dict)) and len(value) > MOST_ENTRIES:
        raise ConfigError(
            f"{family_name} config: {cut(path) or 'the config'} has {len(value):,} entries; allowed are at most {MOST_ENTRIES:,}"
        )
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ():
        if isinstance(inner, (list, tuple, dict)):
            check_lengths(family_name, inner, f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}".lstrip("."))


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


def published_start(name: str) -> tuple[float, float] | None:
    """The point (x, y) from which the release started a TwoD task in every replica; None for all other tasks.

    Runs of this package start from another point for each seed. To compare one with a published curve, start it from
    `{"x": tf.constant(point)}`.

    Raises: UnknownName.
    """
    resolve(name)
    from taskset.tasks.fixed import two_d  # whose tables are registered by now, in their order

    return two_d.PUBLISHED_STARTS.get(name)


def get_task(name: str, source: str = "tfds", data_dir: Directory | None = None) -> Task:
    """The task called `name`.

    source: "tfds" for the real data in a TFDS directory, "synthetic" for a generated stand-in; tasks without data ignore it.
    data_dir: the TFDS directory; None means the environment variable TFDS_DATA_DIR, else TFDS's own default.

    Raises: UnknownName, InfeasibleTask, DataNotPrepared.
    """
    return _build(name, *resolve(name), source, data_dir)


def make_task(
    family: str, config: Config, source: str = "tfds", data_dir: Directory | None = None, name: str | None = None
) -> Task:
    """A task from your own config, checked against the family's schema.

    config: JSON values; NumPy numbers and tuples are converted. source, data_dir: as for `get_task`. name: of the task; by
    default made of family and config.

    Raises: UnknownName, ConfigError (names the field and what is allowed), InfeasibleTask, DataNotPrepared.
    """
    config = _as_json(family, config)
    check_config(family, config)
    return _build(name or f"{family}({json.dumps(config)})", family, config, source, data_dir)


def _rebuilt(name, family, config, source, data_dir):
    """The task that a pickle describes."""
    known = resolve(name) if is_task(name) else None
    return get_task(name, source, data_dir) if known == (family, config) else make_task(family, config, source, data_dir, name)


def _as_json(family, config):
    check_lengths(family, config)
    try:
        return json.loads(json.dumps(config, default=_plain))
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{family} config: allowed are JSON values ({cut(str(error), 200)})") from error


def _plain(value):
    """A NumPy number as a Python number."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"not {shown(value)}")


def _build(name, family, config, source, data_dir):
    check_source(source)
    described = facts(family, config)
    require_feasible(name, described)
    if described.data is not None and described.data.needs_source:
        described.data.check(source, data_dir)
    build = builder(family)
    runtime.start_tensorflow()
    from taskset.tasks.base import Task  # imports TensorFlow

    with calling(build, f"task {shown(name)} can't be built"):
        task = Task(name, family, config, build(config, described.data), source, data_dir, rebuild=_rebuilt)
    if registry.is_own(build) and described.parameter_shapes:
        said, has = ({path: tuple(shape) for path, shape in one.parameter_shapes.items()} for one in (described, task))
        if said != has:
            raise ConfigError(
                f"the facts of family {family!r} say parameters {shown(said)}, and task {shown(name)} has {shown(has)}: leave "
                "parameter_shapes out, or say what it has"
            )
    return task
