"""The command line: `python -m taskset list | show | sample | train | baseline | normalize | plot | data`.

Each command is a thin layer over the function it names. Errors that a user can mend are one line on stderr and exit status 2.
Heavy modules (TensorFlow, pandas) are imported by the commands that need them.
"""

import contextlib
import json
import math
import os
import re
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from taskset import catalogue, patterns, plugins
from taskset.cli import data, score
from taskset.cli.data import DataDir
from taskset.cli.tables import show_table
from taskset.datasets.base import SPLITS
from taskset.errors import OutdatedBaselines, TasksetError, nearest, shown, unknown
from taskset.execution import costs, modes
from taskset.execution.runtime import start_tensorflow
from taskset.samplers.optimizers import FIXED_FAMILIES, all_optimizers, by_seed, get_optimizer_config, opt_list_names
from taskset.version import __version__


def is_script(name):
    """Whether this process is the console script of that name: shells complete for scripts, not for `python -m`."""
    return Path(sys.argv[0]).stem == name


app = typer.Typer(
    add_completion=is_script("taskset"),
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="TaskSet: small training tasks by name, and their baselines.",
)
app.add_typer(data.app, name="data")
app.command("score")(score.score)


def show_version(asked: bool):
    """Print the version and end, where `--version` asks for it."""
    if asked:
        print(f"taskset {__version__}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show the version and exit.", show_default=False)
]


@app.callback()
def callback(version: Version = False):
    """Small training tasks by name, and their baselines."""


out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Source = Annotated[str, typer.Option(help="tfds: the real data in a TFDS directory; synthetic: generated, needs no download.")]
Modules = Annotated[list[str] | None, typer.Option("--import", help="Module or .py file that registers families of your own.")]
Mode = Annotated[str | None, typer.Option(help="xla_loop, graph_loop or eager_loop; default: the fastest.", show_default=False)]
FiniteStart = Annotated[bool, typer.Option("--finite-start", help="Without tasks known to start at a non-finite loss.")]
MaxParams = Annotated[int | None, typer.Option(help="Only tasks of at most so many parameters.", show_default=False)]
MaxMs = Annotated[
    float | None,
    typer.Option(help="Only tasks whose step takes at most so long on one core: measured or estimated.", show_default=False),
]


# Typer has Click inside or beside it, depending on its version; their common error class is reached through a public one.
_UsageError = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


def main(commands=app, name="python -m taskset"):
    """Run a command line; the process's exit status says how it went."""
    script = name.removeprefix("python -m ")
    try:
        with _notes():
            status = commands(standalone_mode=False, prog_name=script if is_script(script) else name)
    except TasksetError as error:
        status = _fail(str(error))
    except typer.Exit as ended:
        status = ended.exit_code
    except (typer.Abort, KeyboardInterrupt):
        status = 130
    except _UsageError as error:  # a missing argument, an option that isn't there
        status = _fail(error.format_message())
    except BrokenPipeError:  # `.. | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    sys.exit(status if isinstance(status, int) else 0)


@contextlib.contextmanager
def _notes():
    """What was left out for its version is said in one line, without a place in the package's source."""
    with warnings.catch_warnings():
        other = warnings.showwarning

        def show(message, category, *place, **where):
            if issubclass(category, OutdatedBaselines):
                err.print(f"note: {message}", markup=False)
            else:
                other(message, category, *place, **where)

        warnings.showwarning = show
        yield


def _fail(message):
    err.print(f"error: {message}", markup=False)
    return 2


@app.command("list")
def list_command(
    pattern: Annotated[str | None, typer.Argument(help="Glob, such as 'mlp_family_seed1?'.")] = None,
    families: Annotated[bool, typer.Option("--families", help="Family names only.")] = False,
    family: Annotated[str | None, typer.Option(help="Tasks of this family only.", show_default=False)] = None,
    feasible: Annotated[bool, typer.Option("--feasible", help="Only tasks that can run.")] = False,
    finite_start: FiniteStart = False,
    max_params: MaxParams = None,
    max_ms: MaxMs = None,
    optimizers: Annotated[bool, typer.Option("--optimizers", help="Optimizer names instead of tasks.")] = False,
    modules: Modules = None,
):
    """Names of tasks: the fixed ones and seeds 0 .. 999 of each family."""
    plugins.load(modules or [])
    if families:
        names = catalogue.families()
    elif optimizers:
        names = patterns.matching(pattern or "*", all_optimizers(), by_seed())
    else:
        if family is not None:
            catalogue.family(family)  # an unknown one is an error, not an empty list
        names = catalogue.list_tasks(pattern)
        if family is not None:
            names = [name for name in names if catalogue.resolve(name)[0] == family]
        if feasible:
            names = [name for name in names if catalogue.feasible(name)]
        if finite_start:
            names = [name for name in names if costs.start(name) not in costs.NON_FINITE]
        if max_params is not None:
            names = [name for name in names if (size := catalogue.num_params(name)) is not None and size <= max_params]
        if max_ms is not None:
            names = [name for name in names if (cost := costs.milliseconds(name)) is not None and cost[0] <= max_ms]
    if not names:
        if not (families or optimizers or family or feasible or finite_start or max_params is not None or max_ms is not None):
            raise TasksetError(catalogue.no_match(pattern).replace("no task", "nothing", 1))
        raise TasksetError(
            f"nothing matches {shown(pattern) if pattern else 'all that is asked for'}: python -m taskset list shows all"
        )
    print("\n".join(names))


@app.command()
def sample(
    family: Annotated[str, typer.Argument(help="Task family.")],
    seed: Annotated[int, typer.Argument(help="Seed; the published ones are 0 .. 999.")],
    modules: Modules = None,
):
    """The config of one seed of a family, as JSON."""
    plugins.load(modules or [])
    print(json.dumps(catalogue.sample(family, seed), indent=1))


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Task name.")],
    modules: Modules = None,
):
    """A task's config, data, parameters with shapes and distributions at the start; whether it can run, what a step costs."""
    plugins.load(modules or [])
    family, config = catalogue.resolve(name)
    facts = catalogue.facts(family, config)
    out.print(f"[bold]{name}[/bold]  (family {family})")
    print(json.dumps(config, indent=1))
    out.print("\n[bold]data[/bold]      " + (str(facts.data).replace("[", r"\[") if facts.data is not None else "none"))
    if facts.infeasible:
        out.print("[bold]feasible[/bold]  no: " + facts.infeasible)
        return
    out.print("[bold]feasible[/bold]  yes")
    start, cost = costs.start(name), costs.milliseconds(name)
    if start:
        out.print(f"[bold]start[/bold]     {start} ({costs.start_condition()})")
    if cost:
        out.print(f"[bold]step[/bold]      {cost[0]:.3g} ms {cost[1]} ({costs.cost_condition(name)})")
    if told := modes.described(facts):
        out.print(f"[bold]executed[/bold]  {told}")
    start_tensorflow()
    from taskset.catalogue import get_task

    task = get_task(name, source="synthetic")  # building tells what parameters are drawn from; no data is read
    table = Table(box=None, pad_edge=False)
    for column in ("parameter", "shape"):
        table.add_column(column)
    table.add_column("size", justify="right")
    table.add_column("starts from")
    for path, shape in task.parameter_shapes.items():
        start = str(task.parameter_starts[path])
        table.add_row(path, " x ".join(map(str, shape)) or "scalar", f"{math.prod(shape):,}", start)
    table.add_row("total", "", f"{task.num_params:,}", "", style="bold")
    show_table(table, out)


@app.command()
def train(
    name: Annotated[str, typer.Argument(help="Task name.")],
    optimizer: Annotated[str, typer.Option(help="Optimizer name: adam_lr_-3.00, nadamw_grid_seed7, ..")] = "adam_lr_-3.00",
    steps: Annotated[int, typer.Option(min=1, max=2**31 - 1, help="Training steps.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Fixes the start, the batches and every other draw.")] = 0,
    source: Source = "tfds",
    data_dir: DataDir = None,
    mode: Mode = None,
    batches: Annotated[int, typer.Option(min=1, help="Batches of each split in the evaluations at the start and the end.")] = 10,
    modules: Modules = None,
):
    """Train one task with one optimizer and print its losses."""
    plugins.load(modules or [])
    get_optimizer_config(optimizer)  # a misspelt name is told before TensorFlow starts
    catalogue.resolve(name)
    start_tensorflow()
    from taskset.catalogue import get_task
    from taskset.cli.progress import train_report
    from taskset.optimizers import get_optimizer

    train_report(get_task(name, source, data_dir), get_optimizer(optimizer), steps, seed, mode, batches, out)


@app.command()
def baseline(
    patterns: Annotated[list[str], typer.Argument(help="Task names or globs.")],
    out_dir: Annotated[Path, typer.Option("--out", help="Directory of the results.")],
    source: Source = "tfds",
    steps: Annotated[int, typer.Option(max=2**31 - 1, help="Training steps of each run (the horizon).")] = 10000,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each optimizer, from seeds 0, 1, ..")] = 5,
    optimizers: Annotated[
        list[str] | None, typer.Option("--optimizer", help="Names or globs; default: the 17 of 'adam_lr_*'.")
    ] = None,
    batches: Annotated[int, typer.Option(help="Batches of each split in an evaluation.")] = 50,
    evaluations: Annotated[int, typer.Option(help="Intervals between evaluations.")] = 50,
    data_dir: DataDir = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes; default: one a core.", show_default=False)] = None,
    shard: Annotated[
        str | None,
        typer.Option(help="i/n: the i-th of n parts of the tasks, for n machines or jobs of an array.", show_default=False),
    ] = None,
    max_hours: Annotated[
        float | None,
        typer.Option(min=0, help="Begin no task that would end later than so many hours from now.", show_default=False),
    ] = None,
    mode: Mode = None,
    modules: Modules = None,
):
    """Sweep optimizers over tasks. Interrupt it at any moment; the same command goes on where it stopped."""
    plugins.load(modules or [])
    modes.check(mode)
    from taskset.cli.progress import baseline_report
    from taskset.normalization.sweep.runner import Options

    names = match_optimizers(optimizers or ["adam_lr_*"])
    options = Options(tuple(names), source, steps, tuple(range(seeds)), batches, evaluations)
    tasks = match_tasks(patterns)
    if shard is not None:
        from taskset.normalization.sweep.planning import in_shard, parse_shard

        tasks = in_shard(tasks, parse_shard(shard))
        if not tasks:
            print(f"no task falls to shard {shard}")
            return 0
    return baseline_report(tasks, options, out_dir, data_dir, workers, mode, modules or [], out, err, max_hours)


def match_tasks(patterns):
    """Names for patterns, in order, each once; a pattern without a match is an error, with the nearest names."""
    names = {}
    for pattern in patterns:
        if any(c in pattern for c in "*?["):
            found = catalogue.list_tasks(pattern)
            if not found:
                raise TasksetError(catalogue.no_match(pattern))
            names.update(dict.fromkeys(found))
        else:
            catalogue.resolve(pattern)
            names[pattern] = None
    return list(names)


def match_optimizers(patterns):
    """Optimizer names for names, globs, and `opt_list:N` (the first N of the learned list), in order, each once."""
    names = {}
    for pattern in patterns:
        if re.fullmatch(r"opt_list:\d{1,9}", pattern):
            found = opt_list_names(int(pattern[9:]))
        elif any(c in pattern for c in "*?["):
            found = patterns.matching(pattern, all_optimizers(), by_seed())
            if not found:
                near = nearest(pattern.rstrip("*?"), [f"{name}_" for name in [*by_seed(), *FIXED_FAMILIES]], 1)
                guess = f"; did you mean '{near[0]}*'?" if near else ""
                raise TasksetError(f"no optimizer matches {shown(pattern)}{guess}: python -m taskset list --optimizers shows all")
        else:
            get_optimizer_config(pattern)
            found = [pattern]
        names.update(dict.fromkeys(found))
    return list(names)


@app.command()
def normalize(
    directory: Annotated[Path, typer.Argument(help="The --out of a baseline.")],
    split: Annotated[str, typer.Option(help="The split shown; all four are written.")] = "train",
):
    """Compute the normalizers from the curves, write them as normalizers.parquet, and show them."""
    if split not in SPLITS:
        raise unknown("split", split, SPLITS, f"Allowed are {', '.join(SPLITS)}.")
    from taskset.cli.progress import print_normalizers
    from taskset.normalization.tables import write_tables

    print_normalizers(write_tables(directory), split, out)
    print(f"written: {directory / 'normalizers.parquet'}, tasks.parquet, optimizers.parquet")


@app.command()
def plot(
    directory: Annotated[Path, typer.Argument(help="The --out of a baseline.")],
    task: Annotated[list[str], typer.Option(help="Task name; several are drawn in one picture.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="PNG; default: DIRECTORY/plots/TASK.png.", show_default=False)
    ] = None,
):
    """Draw a task's curves and its learning-rate profile as PNG."""
    from taskset.normalization.plot import plot_tasks

    output = output or directory / "plots" / f"{Path(task[0]).name}.png"
    plot_tasks(directory, task, output)
    print(f"written: {output}")
