"""Sets of hyperparameters, one for each trial: given by a user in one of several forms, kept as JSON values."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from taskset.errors import ConfigError, calling, cut, shown, system, whole_number
from taskset.random import seeds

Hyperparameters: TypeAlias = dict[str, Any]  # {name: JSON value} of a trial
Sampler: TypeAlias = Callable[[np.random.Generator], Hyperparameters]
Given: TypeAlias = Hyperparameters | Sequence[Hyperparameters] | Sampler  # as a user gives them

MOST = 10000  # trials


def checked(hyperparameters: Given | None, trials: int | None, name: str) -> tuple[list[Hyperparameters], bool]:
    """(a list of hyperparameters, whether they were drawn): a dict, a list of dicts, or `trials` draws of a sampler.

    trials: of a list, the first so many. Raises `ConfigError`.
    """
    if trials is not None:
        trials = whole_number("trials", trials, most=MOST)
    sets: Given
    if callable(hyperparameters):
        sets = [_drawn(hyperparameters, trial, name) for trial in range(trials or 1)]
    else:
        sets = [hyperparameters or {}] if isinstance(hyperparameters, (dict, type(None))) else hyperparameters
    if not isinstance(sets, list) or not sets or not all(isinstance(one, dict) for one in sets):
        raise ConfigError(
            f"hyperparameters of {name!r}: {shown(sets)}; allowed are a dict, a list of dicts, and a function of them"
        )
    if trials is not None and trials > len(sets):
        raise ConfigError(f"trials {trials} of {name!r}: sets of hyperparameters given: {len(sets)}; give a sampler to draw more")
    return [_as_json(one, name) for one in sets[:trials]], callable(hyperparameters)


def written(text: str) -> Hyperparameters | list[Hyperparameters] | None:
    """The hyperparameters that a text has: JSON, the name of a .json file, or NAME=VALUE,..; None for a sampler, FILE.py:NAME.

    Raises `ConfigError` for any other text.
    """
    if text.lstrip().startswith(("{", "[")):
        return _json(text, "hyperparameters")
    if text.endswith(".json"):
        try:
            return _json(Path(text).read_text(encoding="utf-8"), text)
        except (OSError, UnicodeDecodeError) as error:
            why = system(error) if isinstance(error, OSError) else "it is no text"
            raise ConfigError(f"can't read {text}: {why}; give a .json file, JSON, or FILE.py:SAMPLER") from error
    if ":" in text:
        return None
    pairs = [part.partition("=")[::2] for part in text.split(",")]
    values = {name.strip(): _number(value) for name, value in pairs}
    if len(values) < len(pairs) or not all(name.isidentifier() for name in values) or None in values.values():
        raise ConfigError(
            f"hyperparameters {shown(text)}: allowed are numbers (learning_rate=0.01,momentum=0.9), JSON "
            "('{\"learning_rate\": 0.01}'), a .json file, FILE.py:SAMPLER"
        )
    return values


def _number(text: str) -> int | float | None:
    """The number that a text is, an int where it is written as one; None for any other text."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return None


def _json(text: str, where: str) -> Hyperparameters | list[Hyperparameters]:
    allowed = "give an object or a list of objects, or numbers: learning_rate=0.01"
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where}: no valid JSON ({cut(str(error))}); {allowed}") from error
    if not isinstance(found, (dict, list)):
        raise ConfigError(f"{where}: {cut(text)} is no set of hyperparameters; {allowed}")
    return found


def _drawn(sampler: Sampler, trial: int, name: str) -> Hyperparameters:
    """What a user's sampler draws for a trial; its own errors as one line."""
    with calling(sampler, f"the sampler of hyperparameters of {name!r} failed"):
        return sampler(seeds.generator(0, "score", trial))


def _as_json(values: Mapping[str, Any], name: str) -> Hyperparameters:
    """Hyperparameters as they come back from a file: arrays and tuples are lists, NumPy's numbers are Python's.

    The optimizer gets them like this, too: a trial is the same whether Python, a file or a worker gives it, and results are
    compared with what a file says of them when they are resumed. Raises `ConfigError` for what no file could hold.
    """
    try:
        return json.loads(json.dumps(values, allow_nan=False, default=_listed))
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"hyperparameters {shown(values)} of {name!r}: allowed are JSON values, finite numbers ({cut(str(error))}); make "
            "what else it needs in a function that returns the optimizer"
        ) from error


def _listed(value: object) -> Any:
    """What JSON has for an array, or a number of NumPy's."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__} is none")
