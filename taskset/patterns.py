"""Globs of names: the names that match, and seeds beyond the published ones that a glob spells out."""

import fnmatch
import math
import re
from collections.abc import Iterable

from taskset.errors import ConfigError, shown
from taskset.random import seeds
from taskset.registry import SEEDS

MOST_MATCHES = 100_000  # names beyond the published seeds that a glob may stand for


def natural(name: str) -> tuple[str | int, ...]:
    """A key that sorts "seed2" before "seed10"."""
    return tuple(int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name))


def matching(pattern: str, names: Iterable[str], families: Iterable[str]) -> list[str]:
    """Those of `names` that match a glob, then seeds of `families` beyond the published ones that it spells out.

    Raises `ConfigError` for what is not a string, and for a glob that spells out more than `MOST_MATCHES` seeds.
    """
    if not isinstance(pattern, str):
        raise ConfigError(f"pattern {shown(pattern)}: allowed is a glob, such as 'mlp_family_seed1?'")
    head, _, tail = pattern.rpartition("_seed")
    found = [name for name in families if fnmatch.fnmatchcase(name, head)]
    return fnmatch.filter(names, pattern) + [f"{name}_seed{seed}" for name in found for seed in _seeds_beyond(pattern, tail)]


def _seeds_beyond(pattern: str, tail: str) -> list[int]:
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
