"""Choosing among the weights that a training has kept: the best ones on the suite's validation tasks.

    DIRECTORY/weights-*.npz          what is chosen from (`--keep-every`)
    DIRECTORY/choice/NAME/           curves of each (`learned.evaluation.runs`)
    DIRECTORY/choice.json            the scores, best first
    DIRECTORY/chosen.npz             a copy of the best weights

The score is the mean over tasks and seeds of the mean normalized loss over a run, with the suite's own scales, of the split by
whose scales the training's objective is normalized: the train loss for the objective `train`, the validation loss for `valid`.
That is what outer training makes small (but for what an objective adds to it), on tasks that it doesn't train on. Test tasks are
not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from learned.evaluation import runs
from learned.outer_training import checkpoint
from learned.outer_training.checkpoint import Checkpoint
from learned.outer_training.identity import KEPT, made_with, require_same_training
from taskset.errors import ConfigError, StoreError, whole_number
from taskset.files import copy_file, settle, write_text
from taskset.jobs.pool import Progress
from taskset.normalization.store import load_curves
from taskset.normalization.sweep import marked
from taskset.normalization.sweep.options import SweepOptions
from taskset.random.seeds import first_seeds
from taskset.scoring import run_scores
from taskset.scoring.suites.suite import Entry, Suite, from_json

VIEW = run_scores.mean  # of a curve


@dataclass(frozen=True)
class Score:
    """weights: the file; step: outer steps; score: mean normalized loss; diverged: runs that did, of `runs`."""

    weights: str
    step: int
    score: float
    diverged: int
    runs: int


def kept_weights(directory: Path) -> list[Path]:
    """The weights that a training kept, in the order of their steps. Raises `StoreError` where there are none."""
    found = sorted(directory.glob(KEPT))
    if not found:
        raise StoreError(f"{directory} has no {KEPT}: give the folder of a training that kept some (--keep-every)")
    return found


def _first_of_one_training(kept: Sequence[Path]) -> Checkpoint:
    """The first of the weights. Raises `StoreError` unless all are of one training."""
    first, *others = map(checkpoint.load, kept)
    for other in others:
        require_same_training(other, made_with(first), f"move the files of one training elsewhere; {kept[0].name} is of another")
    return first


def choose(
    directory: Path,
    suite: Suite | None = None,
    *,
    horizon: int | None = None,
    seeds: int = 3,
    batches: int = 5,
    evaluations: int = 10,
    data_dir: str | None = None,
    workers: int = 1,
    modules: Sequence[str] = (),
    report: Callable[[str, Progress], None] = lambda name, progress: None,
) -> list[Score]:
    """The scores of all kept weights, best first; writes choice.json and chosen.npz. Interrupted, the same call resumes.

    suite: None: the one that the training was made with; horizon: steps of a run, None: the suite's; seeds: runs of each task;
    batches, evaluations: of a run. report: called with the name of the weights that are evaluated, and how far they are.
    Of equal scores the earlier weights are better. Raises `ConfigError` where the suite has no measured task to validate on.
    """
    kept = kept_weights(directory)
    first = _first_of_one_training(kept)
    suite = suite or from_json(first.value("suite", dict), str(kept[0]))
    horizon = _horizon(suite, horizon)
    from learned.outer_training import objectives  # imports TensorFlow, which the help of `choose` needs no more than this file

    split = objectives.get(first.value("options", str, "objective")).scale_split
    entries = [entry for entry in suite.of_split("valid") if split in entry.scales]
    if not entries:
        raise ConfigError(f"suite {suite.name!r} has no measured task in its split valid: give another one with --tasks")
    names = tuple(path.stem for path in kept)
    whole = SweepOptions(names, suite.source, horizon, first_seeds(seeds), batches, evaluations)
    asked = {name: value for name, value in whole.as_json().items() if name != "optimizers"}
    settle(directory / "choice" / "asked.json", asked, "choice", "ask for the same, or delete that directory to choose anew")
    found = []
    for path in kept:
        judged = runs.named_checkpoint(path, path.stem)
        options = replace(whole, optimizers=(judged.name,))
        root = directory / "choice" / judged.name
        waiting = marked.plan(judged, [entry.task for entry in entries], options, root)
        if waiting:
            done = runs.run(
                judged,
                waiting,
                options,
                root,
                data_dir=data_dir,
                workers=min(workers, len(waiting)),
                modules=tuple(modules),
                report=_named(report, path),
            )
            done.require_done(path.name, "choose again, or take the task out of the suite")
        found.append(_score(path, root, entries, split))
    found.sort(key=lambda one: (one.score, one.step))
    copy_file(found[0].weights, directory / "chosen.npz")
    write_text(json.dumps([vars(one) for one in found], indent=1) + "\n", directory / "choice.json")
    return found


def _horizon(suite: Suite, asked: int | None) -> int:
    if asked is None:
        return suite.horizon
    return whole_number("horizon", asked, most=suite.horizon, note=", the suite's")


def _named(report, path):
    return lambda progress: report(path.stem, progress)


def _score(path: Path, root: Path, entries: list[Entry], split: str) -> Score:
    curves = load_curves(root=root)
    steps = run_scores.common_steps([curves], int(curves["step"].max()))
    scales = {(entry.task, split): entry.scales[split] for entry in entries}
    table = run_scores.scores(curves, scales, steps, VIEW)
    # Of each task the mean over its seeds first: a task counts once, however many seeds it has.
    score = float(table.groupby("task")["score"].mean().mean())
    return Score(str(path), checkpoint.load(path).step, score, int(table["diverged"].sum()), len(table))
