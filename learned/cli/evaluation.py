"""`python -m learned evaluate | compare | choose`."""

from pathlib import Path
from typing import Annotated

import typer

from learned.evaluation import choice, runs
from taskset import plugins
from taskset.catalogue import match_tasks
from taskset.cli import bars
from taskset.cli.options import (
    MOST_BATCHES,
    MOST_EVALUATIONS,
    MOST_SEEDS,
    Address,
    Baselines,
    DataDir,
    EngineName,
    Modules,
    View,
    Workers,
    err,
    out,
)
from taskset.errors import counted
from taskset.files import write_text
from taskset.jobs import engines
from taskset.normalization.sweep.options import COMMANDS_BATCHES, EVALUATIONS
from taskset.scoring.suites import by_name

Horizon = Annotated[
    int | None,
    typer.Option("--horizon", "--steps", min=1, help="Training steps; default: those of the suite.", show_default=False),
]


def evaluate(
    path: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="Checkpoint file, or a name of `python -m learned pretrained`.")
    ],
    tasks: Annotated[list[str], typer.Option(help="Suite file, name of a suite, or task names and globs.")],
    output: Annotated[Path, typer.Option("--out", help="Directory for the curves of this checkpoint.")],
    horizon: Horizon = None,
    split: Annotated[str, typer.Option(help="Tasks of the suite to train: train, valid, test or all.")] = "test",
    seeds: Annotated[
        int, typer.Option(min=1, max=MOST_SEEDS, help="Runs of each task, from seeds 0, 1, .. as in the baselines.")
    ] = 3,
    source: Annotated[
        str | None, typer.Option(help="Source of the data of named tasks: tfds or synthetic. A suite has its own.")
    ] = None,
    batches: Annotated[
        int,
        typer.Option(min=1, max=MOST_BATCHES, help="Batches of a split in an evaluation; give what the baselines have."),
    ] = COMMANDS_BATCHES,
    evaluations: Annotated[
        int, typer.Option(min=1, max=MOST_EVALUATIONS, help="Number of intervals between evaluations.")
    ] = EVALUATIONS,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the checkpoint in the results; default: OPTIMIZER_ESTIMATOR_STEP.", show_default=False),
    ] = None,
    data_dir: DataDir = None,
    workers: Workers = None,
    engine: EngineName = "local",
    address: Address = None,
    modules: Modules = None,
) -> int:
    """Train tasks with a checkpoint's optimizer; write the curves.

    If interrupted, run the same command again to resume.
    """
    plugins.load(modules or [])
    given = _given(tasks)
    asked = runs.prepared(
        path, given, output, split=split, source=source, horizon=horizon, seeds=seeds, batches=batches, evaluations=evaluations,
        name=name,
    )  # fmt: skip
    done = len(asked.tasks) - len(asked.waiting)
    out.print(
        f"{asked.judged.name}: {counted(len(asked.tasks), 'task')}, {done} finished before; "
        f"{counted(seeds, 'seed')} x {counted(asked.options.steps, 'step')}",
        markup=False,
    )
    with engines.opened(engine, address) as opened, bars.jobs(err, err, total=len(asked.waiting)) as report:
        progress = runs.run(
            asked.judged, asked.waiting, asked.options, output, data_dir=data_dir, workers=workers,
            modules=tuple(modules or ()), report=report, engine=opened,
        )  # fmt: skip
    out.print(f"curves: {output}", markup=False)
    return 1 if progress.failed else 0


def _given(texts):
    """A `Suite`, where a single text is a suite's file or name, else task names."""
    if len(texts) == 1 and (texts[0].endswith(".json") or by_name.is_name(texts[0])):
        return by_name.get_suite(texts[0])
    return match_tasks(texts)


def choose(
    directory: Annotated[Path, typer.Argument(metavar="DIRECTORY", help="The --out of a training with --keep-every.")],
    tasks: Annotated[
        str | None, typer.Option(help="Suite whose valid tasks decide; default: that of the training.", show_default=False)
    ] = None,
    horizon: Horizon = None,
    seeds: Annotated[int, typer.Option(min=1, max=MOST_SEEDS, help="Runs of each task, from seeds 0, 1, ..")] = 3,
    batches: Annotated[int, typer.Option(min=1, max=MOST_BATCHES, help="Batches of each split in an evaluation.")] = 5,
    evaluations: Annotated[int, typer.Option(min=1, max=MOST_EVALUATIONS, help="Number of intervals between evaluations.")] = 10,
    data_dir: DataDir = None,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1,
    modules: Modules = None,
) -> None:
    """Choose the best of the weights that a training kept.

    It is that with the lowest mean normalized loss of the training's objective on the suite's valid tasks. The same command
    resumes an interrupted run.
    """
    plugins.load(modules or [])
    suite = by_name.get_suite(tasks) if tasks else None

    def report(name, progress):
        done = len(progress.finished)
        if not progress.working:
            err.print(f"{name}: {counted(done, 'task')}", markup=False)

    found = choice.choose(
        directory, suite, horizon=horizon, seeds=seeds, batches=batches, evaluations=evaluations, data_dir=data_dir,
        workers=workers, modules=tuple(modules or ()), report=report,
    )  # fmt: skip
    for one in found:
        out.print(
            f"{Path(one.weights).name}: {one.score:.4f}, {one.diverged} of {counted(one.runs, 'run')} diverged", markup=False
        )
    out.print(f"{directory / 'chosen.npz'}: outer step {found[0].step}", markup=False)


def compare(
    results: Annotated[list[Path], typer.Argument(help="Directories written by `evaluate`.")],
    baselines: Baselines = None,
    view: View = "end",
    horizon: Annotated[
        int | None,
        typer.Option(help="Horizon of the normalizers; default: the shortest that is long enough.", show_default=False),
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(help="Results and baselines as this version of the package computed them, such as 0.1.", show_default=False),
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Markdown file to write the table to as well.", show_default=False)
    ] = None,
    modules: Modules = None,
) -> None:
    """Compare learned and hand-designed optimizers in a table.

    They stand there by the number of trials that each takes.
    """
    plugins.load(modules or [])
    from taskset.scoring import comparison_table
    from taskset.scoring.comparison import compare as compared

    found = compared(results, baselines, view, horizon, version)
    for line in comparison_table.terminal(found):
        out.print(line, markup=False)
    if markdown:
        write_text(comparison_table.markdown(found), markdown)
