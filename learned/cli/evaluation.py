"""`python -m learned evaluate | compare`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from learned.evaluation import choice, runs
from taskset import plugins
from taskset.cli.main import DataDir, Modules, err, match_tasks, out
from taskset.cli.tables import show_table
from taskset.errors import ConfigError, unknown
from taskset.normalization.sweep.runner import Options
from taskset.scoring import named_suites, suites

NO_SPLIT = "all"


def evaluate(
    path: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="File, or a name of `python -m learned pretrained`.")],
    tasks: Annotated[list[str], typer.Option(help="Suite file, name of a suite, or task names and globs.")],
    output: Annotated[Path, typer.Option("--out", help="Directory of the curves, of this checkpoint alone.")],
    horizon: Annotated[int | None, typer.Option(min=1, help="Training steps; default: the suite's.", show_default=False)] = None,
    split: Annotated[str, typer.Option(help="Of a suite: train, valid, test or all.")] = "test",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each task, from seeds 0, 1, ..: those of baselines.")] = 3,
    source: Annotated[str | None, typer.Option(help="Of names: tfds or synthetic; a suite has its own.")] = None,
    batches: Annotated[int, typer.Option(min=1, help="Batches of each split in an evaluation, as in the baselines.")] = 50,
    evaluations: Annotated[int, typer.Option(min=1, help="Intervals between evaluations.")] = 50,
    name: Annotated[
        str | None, typer.Option(help="In the column optimizer; default: OPTIMIZER_ESTIMATOR_STEP.", show_default=False)
    ] = None,
    data_dir: DataDir = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    modules: Modules = None,
):
    """Train tasks with a learned optimizer from a checkpoint and write curves. Interrupted, the same command goes on."""
    plugins.load(modules or [])
    names, source, horizon = _tasks(tasks, split, source, horizon)
    contestant = runs.contestant(path, name)
    options = Options((contestant.name,), source, horizon, tuple(range(seeds)), batches, evaluations)
    waiting = runs.plan(contestant, names, options, output)
    out.print(
        f"{contestant.name}: {len(names)} tasks, {len(names) - len(waiting)} finished before; {seeds} seeds x {horizon} steps",
        markup=False,
    )
    progress = _with_progress(contestant, waiting, options, output, data_dir, workers, tuple(modules or ()))
    for task, told in progress.failed.items():
        err.print(f"failed {task}: {told}", markup=False)
    out.print(f"curves: {output}", markup=False)
    return 1 if progress.failed else 0


def _tasks(given, split, source, horizon):
    """(names, source, horizon) of the tasks asked for."""
    if len(given) == 1 and (given[0].endswith(".json") or named_suites.is_rule(given[0])):
        suite = named_suites.find(given[0])
        if split not in (*suites.SPLITS, NO_SPLIT):
            raise unknown("split", split, [*suites.SPLITS, NO_SPLIT], f"Allowed are {', '.join(suites.SPLITS)} and {NO_SPLIT}.")
        if source not in (None, suite.source):
            raise ConfigError(f"source {source!r}: that of the suite is {suite.source!r}; leave --source out")
        if horizon is not None and horizon > suite.horizon:
            raise ConfigError(
                f"horizon {horizon} is longer than the suite's normalizers', {suite.horizon}: give a shorter one, or name the "
                "tasks themselves and compare with baselines that are as long"
            )
        entries = [entry for entry in suite.tasks if split in (entry.split, NO_SPLIT)]
        if not entries:
            raise ConfigError(f"suite {suite.name!r} has no task in its split {split}: choose another --split")
        return [entry.task for entry in entries], suite.source, horizon or suite.horizon
    if horizon is None:
        raise ConfigError("how many steps? give --horizon; only suites say it themselves")
    return match_tasks(given), source or "synthetic", horizon


def _with_progress(contestant, waiting, options, output, data_dir, workers, modules):
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=err) as bar:
        line = bar.add_task("", total=len(waiting))

        def report(progress):
            done = len(progress.finished) + len(progress.failed) + sum(progress.working.values())
            bar.update(line, completed=round(done, 2), description=" ".join(progress.working))

        return runs.run(contestant, waiting, options, output, data_dir, min(workers, max(len(waiting), 1)), modules, report)


def choose(
    directory: Annotated[Path, typer.Argument(metavar="DIRECTORY", help="The --out of a training with --keep-every.")],
    tasks: Annotated[
        str | None, typer.Option(help="Suite whose valid tasks decide; default: that of the training.", show_default=False)
    ] = None,
    horizon: Annotated[int | None, typer.Option(min=1, help="Training steps; default: the suite's.", show_default=False)] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each task, from seeds 0, 1, ...")] = 3,
    batches: Annotated[int, typer.Option(min=1, help="Batches of each split in an evaluation.")] = 5,
    evaluations: Annotated[int, typer.Option(min=1, help="Intervals between evaluations.")] = 10,
    data_dir: DataDir = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    modules: Modules = None,
):
    """Choose among kept weights by their mean normalized train loss on the suite's valid tasks. Interrupted, it resumes."""
    plugins.load(modules or [])
    suite = named_suites.find(tasks) if tasks else None

    def report(name, progress):
        done = len(progress.finished)
        if not progress.working:
            err.print(f"{name}: {done} tasks", markup=False)

    given = horizon, seeds, evaluations, batches, data_dir, workers, tuple(modules or ())
    found = choice.choose(directory, suite, *given, report)
    for one in found:
        out.print(f"{Path(one.weights).name}: {one.score:.4f}, {one.diverged} of {one.runs} runs diverged", markup=False)
    out.print(f"{directory / 'chosen.npz'}: outer step {found[0].step}", markup=False)


def compare(
    results: Annotated[list[Path], typer.Argument(help="Directories made by `evaluate`.")],
    baselines: Annotated[
        Path | None,
        typer.Option(help="Results of `python -m taskset baseline`; default: those of the package.", show_default=False),
    ] = None,
    view: Annotated[str, typer.Option(help="Of a curve: end, mean or lowest.")] = "end",
    horizon: Annotated[
        int | None,
        typer.Option(help="Of the normalizers; default: the shortest that is long enough.", show_default=False),
    ] = None,
    version: Annotated[
        str | None,
        typer.Option(help="Results and baselines as this version of the package computed them, such as 0.1.", show_default=False),
    ] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the table here, too.", show_default=False)] = None,
    modules: Modules = None,
):
    """A table of learned and hand-designed optimizers, by the trials that each takes."""
    plugins.load(modules or [])
    from taskset.normalization.store import write_text
    from taskset.scoring import report
    from taskset.scoring.comparison import compare as compared

    found = compared(results, baselines, view, horizon, version)
    out.print(report.heading(found), markup=False)
    header, *rows = report.rows(found)
    shown = Table(box=None, pad_edge=False)
    for i, column in enumerate(header):
        shown.add_column(column, justify="left" if i in (0, 2) else "right")
    for row in rows:
        shown.add_row(*(cell.replace("[", r"\[") for cell in row))
    show_table(shown, out)
    for line in [*report.speed_ups(found), *found.notes]:
        out.print(line, markup=False)
    if markdown:
        write_text(report.markdown(found), markdown)
