"""The outer training of a recipe: weights are kept at the start and after each of the equal parts of its hours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from learned.outer_training import checkpoint
from learned.recipes.base import Recipe
from learned.types import Line
from taskset.scoring.suites.suite import Suite


class Kept(NamedTuple):
    """Weights that were kept after a part of the hours (0: at the start), at an outer step, after seconds of training."""

    part: int
    step: int
    seconds: float


def weights_path(directory: Path, part: int) -> Path:
    """Where the weights lie that were kept after a part; 0: at the start."""
    return directory / f"part-{part}.npz"


def train(
    recipe: Recipe,
    suite: Suite,
    directory: Path,
    hours: float,
    say: Callable[[str], None],
    *,
    workers: int = 2,
    data_dir: str | None = None,
) -> list[Kept]:
    """Train until the hours are spent; returns what was kept. Interrupted, the same call resumes at the last checkpoint."""
    from learned.outer_training.session import open_trainer

    paths = [weights_path(directory, part) for part in range(recipe.parts + 1)]
    if not paths[-1].exists():
        lines: list[Line] = []
        with open_trainer(suite, recipe.options, directory, workers=workers, data_dir=data_dir, memory=recipe.memory) as trainer:

            def report(line: Line) -> None:
                lines.append(line)
                if line["step"] % recipe.save_every == 0:
                    say(summary(lines, trainer.plan.seconds))
                    lines.clear()

            keep_at = {path: hours * (part / recipe.parts) for part, path in enumerate(paths)}
            trainer.train_for(hours, recipe.save_every, report=report, keep_at=keep_at)
    return [read_kept(directory, part) for part in range(recipe.parts + 1)]


def read_kept(directory: Path, part: int) -> Kept:
    """What the weights that were kept after a part say of themselves. Raises `StoreError` where they can't be read."""
    found = checkpoint.load(weights_path(directory, part))
    return Kept(part, found.step, found.seconds if "seconds" in found.meta else 0.0)


def summary(lines: list[Line], seconds: float) -> str:
    """One line on the outer steps of `lines` (of the trainer's log): gradient norm, losses by family."""
    families: dict[str, list[float]] = {}
    for line in lines:
        for task in line["tasks"]:
            if task["loss"] is not None:
                families.setdefault(task["family"].removesuffix("_family"), []).append(task["loss"])
    each = ", ".join(f"{family} {sum(losses) / len(losses):.2f}" for family, losses in sorted(families.items()))
    norm = sum(line["gradient_norm"] for line in lines) / len(lines)
    lost = sum(line["non_finite_share"] for line in lines) / len(lines)
    return f"{seconds:6.0f} s, step {lines[-1]['step']}: |g| {norm:.3g}, not finite {lost:.1%}; {each}"
