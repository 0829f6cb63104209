"""Which code made a result."""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from taskset import registry
from taskset.execution import code_digest


@functools.cache
def git_commit() -> str:
    """The commit of the checkout that this package is run from, followed by "+changes" where files of it were edited since.

    "" where the package isn't run from a checkout: one installed inside somebody's repository isn't part of it.
    """
    package = Path(__file__).resolve().parents[2]

    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", str(package), *arguments], capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "version.py")
        return git("rev-parse", "HEAD") + ("+changes" if git("status", "--porcelain", "--untracked-files=no", "--", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def own_code(family: str, optimizers: Iterable[str]) -> dict[str, str]:
    """{what: digest of its code} of what a user registered: the family's model and data, an optimizer with its hyperparameters.

    What is the package's own is left out, and code that can't be known.
    """
    found: dict[str, str | None] = {}
    build, facts = registry.own_builder(family), registry.own_facts(family)
    if build is not None:
        found[f"family {family}"] = code_digest.of_code(build)
    if facts is not None:
        found[f"data of family {family}"] = code_digest.of_code(facts)
    for name in optimizers:
        own = registry.own_optimizer(name)
        if own is not None:
            found[f"optimizer {name}"] = own_optimizer_code(own)
    return {what: digest for what, digest in found.items() if digest is not None}


def own_optimizer_code(own: registry.OwnOptimizer) -> str | None:
    """The digest of a registered optimizer: of its code, and of its hyperparameters as they are."""
    digest = code_digest.of_code(own.build)
    return digest and f"{digest} {json.dumps(own.hyperparameters, sort_keys=True, default=str)}"


def changed_code(there: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """What is in both {what: digest} with other code, sorted."""
    return sorted(what for what in {*there} & {*here} if code_digest.differs(there[what], here[what]))
