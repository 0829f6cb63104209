"""Tasks from their names and from configs. Only building a task imports TensorFlow."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from taskset import registry
from taskset.catalogue.configs import check_config, check_lengths, resolve
from taskset.catalogue.feasibility import facts, require_feasible
from taskset.catalogue.names import family, is_task
from taskset.datasets.base import check_source
from taskset.errors import ConfigError, calling, cut, shown
from taskset.execution import runtime
from taskset.registry import Config

if TYPE_CHECKING:
    from taskset.datasets.prepared import Directory
    from taskset.tasks.base import Task


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


def builder(name: str) -> Callable[..., Any]:
    """The builder of a family; imports TensorFlow. Raises `UnknownName`, and `ConfigError` for a family without a builder."""
    if family(name).build is None:
        importlib.import_module("taskset.tasks.builders")
    build = family(name).build
    if build is None:
        raise ConfigError(f"family {name!r} has no builder: register one with @taskset.register_builder({name!r})")
    return build


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


def published_start(name: str) -> tuple[float, float] | None:
    """The point (x, y) from which the release started a TwoD task in every replica; None for all other tasks.

    Runs of this package start from another point for each seed. To compare one with a published curve, start it from
    `{"x": tf.constant(point)}`.

    Raises: UnknownName.
    """
    resolve(name)
    from taskset.tasks.fixed import two_d  # whose tables are registered by now, in their order

    return two_d.PUBLISHED_STARTS.get(name)
