"""`python -m taskset train | baseline | normalize | plot`: one run, sweeps of many, and what is made of their curves."""

from pathlib import Path
from typing import Annotated

import typer

from taskset import catalogue, plugins
from taskset.catalogue import match_tasks
from taskset.cli.optimizer_patterns import check_optimizer, match_optimizers
from taskset.cli.options import (
    MOST_BATCHES,
    MOST_EVALUATIONS,
    MOST_SEEDS,
    Address,
    DataDir,
    EngineName,
    Mode,
    Modules,
    Results,
    Source,
    TaskName,
    err,
    out,
)
from taskset.datasets.base import check_source, check_split
from taskset.execution import modes
from taskset.execution.runtime import start_tensorflow
from taskset.normalization.sweep.options import COMMANDS_BATCHES, EVALUATIONS
from taskset.random.seeds import first_seeds


def train(
    name: TaskName,
    optimizer: Annotated[str, typer.Option(help="Optimizer name: adam_lr_-3.00, nadamw_grid_seed7, ..")] = "adam_lr_-3.00",
    steps: Annotated[int, typer.Option(min=1, max=2**31 - 1, help="Number of training steps.")] = 1000,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="Seed of the initial parameters, the batches and every other draw.")
    ] = 0,
    source: Source = "tfds",
    data_dir: DataDir = None,
    mode: Mode = None,
    batches: Annotated[
        int,
        typer.Option(min=1, max=MOST_BATCHES, help="Number of batches of each split in an evaluation."),
    ] = 10,
    modules: Modules = None,
) -> None:
    """Train one task with one optimizer, and print its losses.

    Nothing is kept: `baseline` writes curves to files, of one optimizer and one seed as well.
    """
    plugins.load(modules or [])
    modes.check(mode)
    catalogue.resolve(name)  # a misspelt name is reported before TensorFlow starts
    check_optimizer(optimizer)
    start_tensorflow()
    from taskset.cli.progress import train_report
    from taskset.optimizers import get_optimizer

    train_report(catalogue.get_task(name, source, data_dir), get_optimizer(optimizer), steps, seed, mode, batches, out)


def baseline(
    patterns: Annotated[list[str], typer.Argument(help="Task names or globs.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Directory of the results.")],
    source: Source = "tfds",
    steps: Annotated[int, typer.Option(min=1, max=2**31 - 1, help="Number of training steps of each run (the horizon).")] = 10000,
    seeds: Annotated[int, typer.Option(min=1, max=MOST_SEEDS, help="Number of runs of each optimizer, with seeds 0, 1, ..")] = 5,
    optimizers: Annotated[
        list[str] | None,
        typer.Option(
            "--optimizer", help="Optimizer name or glob, or opt_list:N. May be repeated. Default: the 17 of 'adam_lr_*'."
        ),
    ] = None,
    batches: Annotated[
        int, typer.Option(min=1, max=MOST_BATCHES, help="Number of batches of each split in an evaluation.")
    ] = COMMANDS_BATCHES,
    evaluations: Annotated[
        int, typer.Option(min=1, max=MOST_EVALUATIONS, help="Number of intervals between evaluations.")
    ] = EVALUATIONS,
    data_dir: DataDir = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Number of worker processes. Default: one per core, of a cluster one per core of it.", show_default=False
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            help="i/n: run only the i-th of n parts of the tasks, for n machines or the jobs of an array.", show_default=False
        ),
    ] = None,
    max_hours: Annotated[
        float | None,
        typer.Option(
            min=0, help="Begin no task that is expected to end later than this many hours from now.", show_default=False
        ),
    ] = None,
    engine: EngineName = "local",
    address: Address = None,
    mode: Mode = None,
    modules: Modules = None,
) -> int:
    """Sweep optimizers over tasks. It can be interrupted at any moment: the same command resumes it."""
    plugins.load(modules or [])
    modes.check(mode)
    from taskset.cli.progress import show_sweep
    from taskset.jobs import engines
    from taskset.normalization.sweep.options import SweepOptions

    check_source(source)
    names = match_optimizers(optimizers or ["adam_lr_*"])
    options = SweepOptions(tuple(names), source, steps, first_seeds(seeds), batches, evaluations)
    tasks = match_tasks(patterns)
    if shard is not None:
        from taskset.normalization.sweep.planning import in_shard, parse_shard

        tasks = in_shard(tasks, parse_shard(shard))
        if not any(map(catalogue.feasible, tasks)):  # nothing to do is no failure of a job of an array
            print(f"no task that can run falls to shard {shard}")
            return 0
    with engines.opened(engine, address) as opened:
        how = {"data_dir": data_dir, "workers": workers, "mode": mode, "modules": modules or [], "max_hours": max_hours}
        found = show_sweep(tasks, options, out_dir, out, err, **how, engine=opened)
    return 1 if found.progress.failed else 0


def normalize(
    directory: Results,
    split: Annotated[str, typer.Option(help="Split to show. Normalizers of all four splits are written.")] = "train",
    modules: Modules = None,
) -> None:
    """Compute normalizers from a baseline's curves, and show them.

    They are written to normalizers.parquet, with the tables of tasks and optimizers.
    """
    plugins.load(modules or [])
    check_split(split)
    from taskset.cli.progress import print_normalizers
    from taskset.normalization.tables import write_tables

    print_normalizers(write_tables(directory), split, out)
    print(f"written: {directory / 'normalizers.parquet'}, tasks.parquet, optimizers.parquet")


def plot(
    directory: Results,
    task: Annotated[list[str], typer.Option(help="Task name. May be repeated: all tasks are drawn in one picture.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Picture file, .png, .svg or .pdf. Default: DIRECTORY/plots/TASK.png, TASK-and-2-more.png of three.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Draw the curves of tasks, and their losses by learning rate."""
    from taskset.normalization.plot import plot_tasks

    more = f"-and-{len(task) - 1}-more" if len(task) > 1 else ""
    output = output or directory / "plots" / f"{Path(task[0]).name}{more}.png"
    plot_tasks(directory, task, output)
    print(f"written: {output}")
