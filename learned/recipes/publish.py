"""What a finished recipe puts into the repository: its section and pictures in docs/, and the weights that ship."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import learned
from learned.deploy import pretrained
from learned.recipes.base import Recipe
from taskset.errors import ConfigError
from taskset.files import copy_file

ROOT = Path(learned.__file__).resolve().parents[1]


def check(root: Path = ROOT) -> None:
    """Raise `ConfigError` unless the package runs from a checkout of its repository."""
    if not (root / "docs" / "learned.md").is_file():
        raise ConfigError(f"--publish writes into the repository, and {root} is none: leave it out, or run from a checkout")


def publish(recipe: Recipe, text: str, pictures: Sequence[Path], weights: Path, root: Path = ROOT) -> list[Path]:
    """Write the section `recipe.name` of docs/learned.md, the pictures and the weights; returns the paths written."""
    from taskset.files import documents

    document = root / "docs" / "learned.md"
    documents.write_section(recipe.name, text, document)
    targets = [root / "docs" / "pictures" / path.name for path in pictures]
    for path, target in zip(pictures, targets):
        copy_file(path, target)
    shipped = root / pretrained.ROOT.relative_to(ROOT) / f"{recipe.name}.npz"
    copy_file(weights, shipped)
    return [document, *targets, shipped]
