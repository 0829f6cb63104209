"""Kept weights on the held-out tasks of a recipe's suite, beside Adam: curves, tables, pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from learned.recipes.base import Recipe
from learned.recipes.budget import Kept, weights_path
from learned.types import PathLike
from taskset.errors import ConfigError, counted
from taskset.files import write_picture
from taskset.normalization import store
from taskset.normalization.store import layout
from taskset.scoring import run_scores
from taskset.scoring.comparison import Comparison, compare
from taskset.scoring.suites.suite import Suite

VIEWS = ("mean", "end")


def grid(recipe: Recipe, baselines: PathLike | None) -> tuple[int, int]:
    """(evaluations, batches) of runs of `recipe.length` steps, so that they are evaluated at steps that the baselines have, too.

    Raises `ConfigError` where there is no such number.
    """
    root = Path(baselines or store.packaged_root())
    if (root / layout.SWEEP).exists():
        made = store.read_options(root)
        horizon, evaluations, batches = made["steps"], made["evaluations"], made["batches"]
    else:
        sweeps = store.load_sweeps(root)
        rows = sweeps[sweeps["horizon"] == recipe.horizon]
        if rows.empty:
            raise ConfigError(f"no baselines of horizon {recipe.horizon} in {root}: name others with --baselines")
        row = rows.iloc[0]
        horizon, evaluations, batches = row["horizon"], row["evaluations"], row["batches"]
    step = int(horizon) // int(evaluations)
    fitting = [interval for interval in range(step, recipe.length + 1, step) if recipe.length % interval == 0]
    if not fitting:
        raise ConfigError(f"the baselines have an evaluation every {step} steps, none at {recipe.length}: take another length")
    return recipe.length // fitting[0], int(batches)


def evaluate(
    recipe: Recipe,
    suite: Suite,
    kept: Sequence[Kept],
    out: Path,
    baselines: PathLike | None,
    say: Callable[[str], None],
    *,
    workers: int = 2,
    data_dir: str | None = None,
) -> list[Path]:
    """Curves of all kept weights on the held-out tasks, `part-N` below OUT/evaluation; returns these directories.

    Raises `TasksetError` where a task failed; the same call tries it again.
    """
    from learned.evaluation import runs

    evaluations, batches = grid(recipe, baselines)
    roots = []
    for part, step, _ in kept:
        root = out / "evaluation" / f"part-{part}"
        name = f"{recipe.name}_step{step}_part{part}"
        say(f"evaluation of {name}")
        progress = runs.evaluate(
            weights_path(out / "training", part),
            suite,
            root,
            split="test",
            horizon=recipe.length,
            seeds=recipe.seeds,
            batches=batches,
            evaluations=evaluations,
            name=name,
            data_dir=data_dir,
            workers=workers,
        )
        progress.require_done(name)
        roots.append(root)
    return roots


def judge(recipe: Recipe, kept: Sequence[Kept], roots: Sequence[Path], out: Path, baselines: PathLike | None) -> list[Comparison]:
    """The comparison by each of VIEWS; pictures NAME_VIEW.png in `out`."""
    found = [compare(roots, baselines, view, recipe.horizon) for view in VIEWS]
    for comparison in found:
        draw(recipe, comparison, kept, picture(recipe, out, comparison.view))
    return found


def picture(recipe: Recipe, directory: Path, view: str) -> Path:
    """The path of the picture of a view."""
    return directory / f"{recipe.name}_{view}.png"


def draw(recipe: Recipe, found: Comparison, kept: Sequence[Kept], path: Path) -> None:
    """Mean normalized train loss over the held-out tasks against hours of training."""
    from matplotlib.figure import Figure

    table = found.table[found.table["split"] == "train"]
    ours, theirs = table.iloc[: len(kept)], table.iloc[len(kept) :]
    hours = [one.seconds / 3600 for one in kept]
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    spread = [ours["mean"] - ours["mean low"], ours["mean high"] - ours["mean"]]
    label = f"{recipe.options.optimizer} by {recipe.options.estimator}, 1 run (bars: 95% interval over tasks)"
    axes.errorbar(hours, ours["mean"], yerr=spread, fmt="o-", capsize=3, label=label)
    for (_, row), style in zip(theirs.iterrows(), ("--", "-.", ":")):
        axes.axhline(row["mean"], color="black", linestyle=style, linewidth=1, label=f"{row['title']} ({row['trials']})")
    axes.set(
        xlabel="hours of outer training", ylabel=f"normalized train loss,\n{run_scores.IN_WORDS[found.view]}, held-out tasks"
    )
    axes.legend(fontsize=7)
    write_picture(figure, path, dpi=130)


def by_family(found: Comparison, learned: Sequence[str], suite: Suite) -> tuple[list[str], list[list[Any]]]:
    """(header, rows): mean scores of the train loss over the held-out tasks of each family.

    Of the first and the last of the `learned` weights (titles in the table), and of the two rivals after them.
    """
    rows, train = found.rivals, found.per_task.loc["train"]
    chosen = [rows[0], rows[len(learned) - 1], *rows[len(learned) : len(learned) + 2]]
    families: dict[str, list[str]] = {}
    for task in rows[0].chosen:
        families.setdefault(suite.entry(task).family, []).append(task)
    lines = []
    for family, tasks in sorted(families.items()):
        scores = [sum(float(train[row.chosen[task]][task]) for task in tasks) / len(tasks) for row in chosen]
        lines.append([family, len(tasks), *(f"{score:.3f}" for score in scores)])
    return ["family", "tasks", *(row.title for row in chosen)], lines


def report(recipe: Recipe, suite: Suite, kept: Sequence[Kept], found: Sequence[Comparison], workers: int, note: str) -> str:
    """The judgement as Markdown: a picture and a table for each view, the losses by family, and the conditions of the run."""
    from taskset.files import documents
    from taskset.scoring import comparison_table

    parts = []
    for comparison in found:
        learned = list(comparison.table["title"].unique()[: len(kept)])
        first = comparison is found[0]
        # Speed-ups are the same in every view: those of the last weights, once.
        shown = comparison.speedups["title"].eq(learned[-1]) & first
        shorter = dataclasses.replace(comparison, speedups=comparison.speedups[shown])
        name = picture(recipe, Path("pictures"), comparison.view)
        parts += [f"![{comparison.view} loss against hours]({name})", comparison_table.markdown(shorter)]
        if first:
            parts.append("Train loss, of each family the mean over its held-out tasks:")
            parts.append(documents.table(*by_family(comparison, learned, suite)))
    hours = ", ".join(f"{one.step} after {one.seconds / 3600:.2f} h" for one in kept)
    run = f"Outer steps: {hours}, by {counted(workers, 'worker')}. Suite: {counts(suite)}. {note}".strip()
    parts.append(f"{run} {documents.conditions('tensorflow', 'numpy')}.")
    return "\n\n".join(part.strip() for part in parts)


def counts(suite: Suite) -> str:
    """How many tasks of how many families there are to train on and held out, as text."""
    parts = {split: suite.of_split(split) for split in ("train", "test")}
    families = {split: len({entry.family for entry in part}) for split, part in parts.items()}
    return ", ".join(
        f"{split} {counted(len(part), 'task')} of {counted(families[split], 'family', 'families')}"
        for split, part in parts.items()
    )
