"""The config that a task's name stands for, and whether a config fits its family's schema."""

from __future__ import annotations

import json
from typing import Any, SupportsIndex

from taskset import registry
from taskset.catalogue.names import families, family, fixed_tasks, listed_tasks, load
from taskset.errors import ConfigError, calling, cut, shown, unknown
from taskset.registry import Config

MOST_ENTRIES = 100_000  # in a list of a config


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
    known = fixed_tasks() + [f"{f}_seed{parsed[1]}" for f in families()] if parsed else listed_tasks()
    raise unknown("task", name, known, "python -m taskset list shows what there is.")


def get_config(name: str) -> list[Any]:
    """The config of a task in the published form, `[config, family]` (a JSON value). Raises `UnknownName`."""
    family_name, config = resolve(name)
    return [config, family_name]


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
