"""`python -m taskset score`: where an optimizer stands."""

import functools
import textwrap
from pathlib import Path
from typing import Annotated

import typer

from taskset import plugins
from taskset.cli import bars
from taskset.cli.options import (
    MOST_BATCHES,
    MOST_SEEDS,
    Address,
    DataDir,
    EngineName,
    Modules,
    View,
    Workers,
    err,
    out,
    refuse_others,
)
from taskset.errors import ConfigError, argument
from taskset.execution.runtime import start_tensorflow
from taskset.jobs import engines
from taskset.normalization.sweep.options import BATCHES, SEEDS
from taskset.samplers import opt_list
from taskset.scoring import trial_sets


def score(
    context: typer.Context,
    optimizer: Annotated[
        str | None,
        typer.Argument(help="FILE.py:NAME, MODULE:NAME, optimizer name, or checkpoint.", show_default=False),
    ] = None,
    suite: Annotated[
        str, typer.Option(help="1m, 1h or 1d (time on one core), the name of another suite, or a .json file.")
    ] = "1m",
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Directory of the results; default: scores/NAME-SUITE.", show_default=False)
    ] = None,
    hyperparameters: Annotated[
        str | None,
        typer.Option(
            help="Numbers as in lr=0.01,momentum=0.9; JSON object or list of objects; .json file; or a sampler FILE.py:NAME.",
            show_default=False,
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="Sets of hyperparameters to draw from a sampler, or to take from a list.", show_default=False),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name in tables and curves; default: the optimizer's.", show_default=False)
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=MOST_SEEDS, help="Runs of each trial on each task.")] = SEEDS,
    horizon: Annotated[
        int | None,
        typer.Option(
            "--horizon", "--steps", min=1, help="Training steps, at most the suite's, which is the default.", show_default=False
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="Tasks of the suite: train, valid, test or all.")] = "all",
    batches: Annotated[int, typer.Option(min=1, max=MOST_BATCHES, help="Batches of each data split in an evaluation.")] = BATCHES,
    view: View = "end",
    data_dir: DataDir = None,
    workers: Workers = None,
    engine: EngineName = "local",
    address: Address = None,
    baselines: Annotated[
        Path | None,
        typer.Option(
            help="Directory of the baselines to compare with, from which a suite that is a rule is made; for a suite in a file "
            "give those that it was made with. Default: the package's.",
            show_default=False,
        ),
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="SCORE SCORE",
            help="Compare two scores, folders or scores.json files; run nothing.",
            show_default=False,
        ),
    ] = None,
    modules: Modules = None,
) -> None:
    """Run an optimizer on a suite, and show where it stands.

    It may be of any framework. The same command resumes an interrupted run.
    """
    if compare is not None:
        from taskset.scoring import score_file

        refuse_others(context, "--compare")
        for text in score_file.differences(*map(score_file.read, compare)):
            out.print(textwrap.fill(text, 80, break_on_hyphens=False, subsequent_indent="  "), markup=False)
        return
    if optimizer is None:
        raise ConfigError("which optimizer? Give FILE.py:NAME, MODULE:NAME, the name of an optimizer, or a checkpoint")
    given = None if hyperparameters is None else trial_sets.written(hyperparameters)
    sampler = hyperparameters if given is None else None
    plugins.load(modules or [])
    from taskset.scoring import candidates, earlier_trials, optimizer_code, standing_table
    from taskset.scoring import score as scoring

    named = name or candidates.name_of(optimizer, trials)
    out_dir = out_dir or Path("scores") / f"{named}-{Path(suite).stem.replace(':', '_')}"
    if sampler is None and opt_list.length_of(optimizer) is None:  # not what a sampler draws, nor the list's own
        earlier_trials.check_same(out_dir, named, trial_sets.checked(given, trials, named)[0])
    start_tensorflow(threads=1)  # as in workers: a suite's cost is that of one core
    sets = given if sampler is None else optimizer_code.sampler_of(sampler)
    candidate = candidates.candidate(optimizer, sets, trials, name)  # a misspelt name is said before a cluster is looked for
    with engines.opened(engine, address) as opened, bars.jobs(err, err) as report:
        found = scoring.score(
            candidate, suite, out_dir, seeds=seeds, horizon=horizon, split=split, batches=batches, view=view, data_dir=data_dir,
            workers=workers, modules=tuple(modules or ()), report=report, engine=opened, baselines=baselines,
            planned=functools.partial(err.print, markup=False),
        )  # fmt: skip
    for text in [*standing_table.terminal(found), "", *_next(out_dir, baselines)]:
        out.print(text, markup=False)


def _next(out_dir: Path, baselines: Path | None) -> list[str]:
    """What was written, and what to do with it."""
    beside = "" if baselines is None else f" {argument(baselines)}"
    place = argument(out_dir)
    return [
        f"written to {out_dir}:",
        "curves, scores.json, scores.md, scores.tex, profile.pdf, profile.png",
        "see the curves of every task in a browser:",
        f"  python -m taskset report {place}{beside}",
        "compare with another score on the same suite, task by task:",
        f"  python -m taskset score --compare {place} scores/OTHER",
    ]
