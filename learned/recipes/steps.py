"""The steps that all recipes share.

1. suite       tasks that were measured and are cheap enough, a few of each family: to train on, and held out
2. screening   every training task makes a few estimates; those that fail or take too long are left out
3. training    for the given hours; weights are kept at the start and after each part of them
4. judgement   all kept weights train the held-out tasks; tables beside Adam, pictures, a report

Each step leaves its files in the directory: recipe.json and baselines.json (what was asked for), proposed.json, screening.json,
suite.json, training/, evaluation/, report.md. Interrupted at any moment, the same call resumes.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

from learned.outer_training import time_plan
from learned.recipes import budget, judgement, publish, screening
from learned.recipes.base import Recipe
from learned.types import PathLike
from taskset.errors import ConfigError, unknown
from taskset.files import settle, write_text
from taskset.scoring import suites
from taskset.scoring.suites.suite import Suite

STEPS = ("suite", "screening", "training", "judgement")
RECORD = "recipe.json"
BASELINES = "baselines.json"  # beside it: directories of version 0.2.1 and before have none, and go on with what they are given


def run(
    recipe: Recipe,
    out: PathLike,
    *,
    hours: float = 2.0,
    workers: int = 2,
    baselines: PathLike | None = None,
    judged_by: PathLike | None = None,
    data_dir: str | None = None,
    note: str = "",
    publishing: bool = False,
    until: str = STEPS[-1],
    say: Callable[[str], None] = print,
) -> None:
    """Make what the recipe describes in the directory `out`, or resume where an earlier call stopped.

    hours: of outer training, evaluation not included. baselines: those that the suite is made from and judged by; None: the
    package's. judged_by: others to judge by, of as many seeds as the recipe's judgement. note: a sentence on the conditions of
    the run, for the report. publishing: write the report into docs/ and the weights among those that ship. until: the last of
    STEPS to take. say: called with each line of progress.

    Raises `StoreError` where `out` was begun with another recipe, other hours or other baselines, `ConfigError` where an
    argument is not allowed.
    """
    if until not in STEPS:
        raise unknown("step", until, list(STEPS), f"Allowed are {', '.join(STEPS)}.")
    _check_needless(until, {"--judged-by": judged_by is not None, "--note": bool(note), "--publish": publishing})
    time_plan.check_hours(hours)
    if publishing:
        publish.check()
    out = Path(out)
    settle(out / RECORD, {**recipe.as_json(), "hours": float(hours)}, "recipe or budget")
    chosen = {"baselines": "the package's" if baselines is None else str(Path(baselines).resolve())}
    begun = (out / "proposed.json").exists()  # of one that an earlier version began nobody knows from what
    if (out / BASELINES).exists():
        settle(out / BASELINES, chosen, "choice of baselines")
    proposed = _made(out / "proposed.json", lambda: screening.proposed(recipe, baselines))
    if not begun:
        settle(out / BASELINES, chosen, "choice of baselines")  # only now: they could be read
    say(f"proposed: {judgement.counts(proposed)}")
    if until == "suite":
        return

    def screened():
        costs = screening.screen(proposed, recipe.options, out / "screening.json", data_dir, say)
        return screening.screened(recipe, proposed, costs)

    suite = _made(out / "suite.json", screened)
    say(f"suite: {judgement.counts(suite)}")
    if until == "screening":
        return
    kept = budget.train(recipe, suite, out / "training", hours, say, workers=workers, data_dir=data_dir)
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    say(f"training: {kept[-1].step} outer steps in {kept[-1].seconds / 3600:.2f} hours; largest worker {largest:.0f} MiB")
    if until == "training":
        return
    judges = judged_by or baselines
    roots = judgement.evaluate(recipe, suite, kept, out, judges, say, workers=workers, data_dir=data_dir)
    found = judgement.judge(recipe, kept, roots, out, judges)
    text = judgement.report(recipe, suite, kept, found, workers, note)
    write_text(text + "\n", out / "report.md")
    say(text)
    if publishing:
        pictures = [judgement.picture(recipe, out, view) for view in judgement.VIEWS]
        weights = budget.weights_path(out / "training", recipe.parts)
        for path in publish.publish(recipe, text, pictures, weights):
            say(f"published {path}")


def _check_needless(until: str, given: dict[str, bool]) -> None:
    """Raise `ConfigError` where options of the judgement are given to a call that ends before it."""
    needless = [option for option, is_given in given.items() if is_given]
    if needless and until != STEPS[-1]:
        raise ConfigError(
            f"{', '.join(needless)} with --until {until}: allowed where a recipe is judged; leave out --until, or these"
        )


def _made(path: Path, make: Callable[[], Suite]) -> Suite:
    """The suite in a file, made before where there is none."""
    if not path.exists():
        suites.save(make(), path)
    return suites.load(path)
