"""Outer training within a budget of hours, divided into phases; weights are kept at the start and after each phase."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from learned.recipes.base import Recipe
from learned.types import Line
from taskset.files import read_json, readable, write_text
from taskset.scoring.suites.suite import Suite

Kept = tuple[int, int, float]  # (phase, outer step, seconds of training) of weights that were kept
PROGRESS = "progress.json"


def weights_path(directory: Path, phase: int) -> Path:
    """Where the weights lie that were kept after `phase`; 0: at the start."""
    return directory / f"phase-{phase}.npz"


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

    path = directory / PROGRESS
    progress: dict[str, Any] = {"seconds": 0.0, "kept": []}
    if path.exists():
        progress = read_progress(path, recipe)
    clock = Clock(progress, path, 3600 * hours, recipe, say)
    if clock.phase <= recipe.phases:
        with open_trainer(suite, recipe.options, directory, workers=workers, data_dir=data_dir, memory=recipe.memory) as trainer:
            while clock.phase <= recipe.phases:
                clock.start()
                trainer.train_until(lambda: clock.over(trainer.step), recipe.save_every, report=clock)
                trainer.keep(weights_path(directory, clock.phase))
                clock.keep(trainer.step)
    return clock.kept


def read_progress(path: Path, recipe: Recipe) -> dict[str, Any]:
    """The progress of a training, as `Clock` keeps it. Raises `StoreError` where the file is damaged or is of something else."""
    with readable(path, "restore it, or begin again in another --out"):
        progress = read_json(path)
        seconds, kept = progress["seconds"], [(phase, step, spent) for phase, step, spent in progress["kept"]]
        if [phase for phase, _, _ in kept] != list(range(len(kept))) or len(kept) > recipe.phases + 1:
            raise ValueError("its phases don't follow each other")
        if not all(type(step) is int and 0 <= step < 2**31 for _, step, _ in kept):
            raise ValueError("a step is no integer of at least 0")
        if not all(type(spent) in (int, float) and 0 <= spent < math.inf for *_, spent in [*kept, (seconds,)]):
            raise ValueError("the seconds are no number of at least 0")
    return {"seconds": seconds, "kept": kept}


class Clock:
    """Counts the seconds of training across restarts and reports progress.

    progress: {"seconds": spent, "kept": [(phase, outer step, seconds)]}, written to `path` with every checkpoint.
    """

    def __init__(self, progress: dict[str, Any], path: Path, budget: float, recipe: Recipe, say: Callable[[str], None]) -> None:
        self.progress, self.path, self.budget, self.recipe, self.say = progress, path, budget, recipe, say
        self.lines: list[Line] = []
        self.last = time.monotonic()

    @property
    def phase(self) -> int:
        """The phase after which weights are kept next; 0: the start."""
        return len(self.progress["kept"])

    @property
    def kept(self) -> list[Kept]:
        """What was kept so far."""
        return [(phase, step, seconds) for phase, step, seconds in self.progress["kept"]]

    def over(self, step: int) -> bool:
        """Whether the time of the phase is spent, at an outer step; a phase after the start has at least one."""
        begun = self.progress["kept"][-1][1] if self.progress["kept"] else -1
        return step > begun and self.progress["seconds"] >= self.phase * self.budget / self.recipe.phases

    def start(self) -> None:
        """Count from now on."""
        self.last = time.monotonic()

    def keep(self, step: int) -> None:
        """Record that weights were kept at an outer step."""
        self.progress["kept"].append((self.phase, step, self.progress["seconds"]))
        self._write()

    def __call__(self, line: Line) -> None:
        """Called with each line of the trainer's log."""
        self.lines.append(line)
        now = time.monotonic()
        self.progress["seconds"] += now - self.last
        self.last = now
        if line["step"] % self.recipe.save_every == 0:
            self.say(summary(self.lines, self.progress["seconds"]))
            self.lines = []
            self._write()

    def _write(self):
        write_text(json.dumps(self.progress), self.path)


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
