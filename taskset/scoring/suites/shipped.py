"""Suites that come with a package as files, each version written once: NAME_VERSION.json. No TensorFlow.

What they are made from, `taskset.scoring.suites.tiers` and `.written` say; `python -m tools.write_suites` writes them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TypeVar

from taskset.errors import ConfigError
from taskset.scoring.suites.suite import Suite
from taskset.scoring.suites.suite_file import load


@dataclass(frozen=True)
class Named:
    """A version of a suite: NAME:VERSION."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"


AnyNamed = TypeVar("AnyNamed", bound=Named)


def newest(text: object, known: Iterable[AnyNamed]) -> AnyNamed | None:
    """Of `known`, the one called `text`, which is "NAME:VERSION" or, for the newest version, "NAME"; None where there is none."""
    return max((one for one in known if text in (one.name, str(one))), key=lambda one: one.version, default=None)


@dataclass(frozen=True)
class Shipped(Named):
    """A version whose tasks and scales stand in a file. package: where the file is; horizon, source: of the tasks."""

    package: str = field(kw_only=True)
    horizon: int = field(default=2000, kw_only=True)
    source: str = field(default="synthetic", kw_only=True)

    @property
    def path(self) -> Path:
        """Where its file is, or will be."""
        return Path(str(resources.files(self.package).joinpath(f"{self.name.replace('-', '_')}_{self.version}.json")))

    def suite(self, baselines: str | Path | None = None, baselines_version: str | None = None) -> Suite:
        """The `Suite` in the file; its scales are its own. Raises `ConfigError` where baselines are named."""
        refuse_baselines(self, baselines, baselines_version)
        return load(self.path)


def refuse_baselines(what: object, baselines: object, baselines_version: object) -> None:
    """Raise `ConfigError` where baselines, or a version of them, are named for a suite with scales of its own."""
    if baselines is not None or baselines_version is not None:
        raise ConfigError(
            f"baselines with {what}: allowed with the name of a rule only; scales of other suites are in their files"
        )
