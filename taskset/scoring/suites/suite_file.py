"""Suites (`taskset.scoring.suites.suite`) in JSON files. No TensorFlow."""

import json
import os
from pathlib import Path

from taskset.errors import ConfigError, StoreError, shown
from taskset.files import read_json, readable, write_text
from taskset.scoring.suites.suite import Suite, from_json


def load(path: str | Path) -> Suite:
    """The `Suite` of a JSON file, all its tasks measured."""
    suite = load_any(path)
    require_measured(suite)
    return suite


def load_any(path: str | Path) -> Suite:
    """The `Suite` of a JSON file, whether its tasks were measured or not."""
    if not isinstance(path, str | os.PathLike):
        raise StoreError(f"suite {shown(path)}: allowed is the name of a .json file")
    named = "" if Path(path).suffix == ".json" else ", or take one by its name: taskset.get_suite"
    with readable(path, f"make a suite with `python -m taskset suite`{named}"):
        values = read_json(path)
    return from_json(values, path)


def require_measured(suite: Suite) -> None:
    """Raise `ConfigError` where a task of the suite has not been measured."""
    waiting = suite.unmeasured
    if waiting:
        more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
        raise ConfigError(
            f"suite {suite.name!r}: task {waiting[0]!r}{more} has no normalizer; allowed are measured tasks: "
            "`python -m learned train --unmeasured measure` measures them first"
        )


def save(suite: Suite, path: str | Path) -> None:
    """Write a suite as JSON, whole or not at all. Raises `ConfigError` for a file not called .json, which no command reads."""
    if Path(path).suffix != ".json":
        raise ConfigError(f"{path}: a suite's file is called NAME.json")
    write_text(json.dumps(suite.as_json(), indent=1) + "\n", path)
