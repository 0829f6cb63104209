"""The command line: `python -m learned suite | train | evaluate | choose | compare | export`.

Each command is a thin layer over the function it names. Errors that a user can mend are one line on stderr and exit status 2.
"""

import contextlib
import math
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

import learned
from learned.cli import evaluation
from learned.deploy import pretrained
from learned.outer_training.estimator_cache import MEMORY_MIB
from learned.outer_training.options import AUGMENTATIONS, DIFFERENCES, OBJECTIVES, Options
from taskset import plugins
from taskset.cli.main import DataDir, Modules, Source, Version, err, is_script, out
from taskset.cli.main import main as run
from taskset.datasets.sharing import shared_arrays
from taskset.errors import ConfigError
from taskset.execution.runtime import start_tensorflow, use_threads
from taskset.scoring import named_suites, suites

app = typer.Typer(
    add_completion=is_script("learned"),
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Learned optimizers: training them on suites of tasks.",
)
DEFAULT = Options("mlp")
DEVICES = {"mirrored": "gpu", "tpu": "tpu"}  # where a strategy is asked for alone

Baselines = Annotated[
    Path | None,
    typer.Option(help="Results of `python -m taskset baseline`; default: those of the package.", show_default=False),
]


def main():
    """Run the command line; the process's exit status says how it went."""
    run(app, "python -m learned")


@app.callback()
def callback(version: Version = False):
    """Learned optimizers: training them on suites of tasks."""


@app.command("suite")
def suite_command(
    patterns: Annotated[list[str] | None, typer.Argument(help="Task names or globs.")] = None,
    output: Annotated[Path | None, typer.Option("--out", help="JSON file of the suite.")] = None,
    horizon: Annotated[int | None, typer.Option(min=1, help="Steps of the baselines that losses are normalized by.")] = None,
    name: Annotated[str | None, typer.Option(help="Default: the file's name.", show_default=False)] = None,
    source: Source = "synthetic",
    baselines: Baselines = None,
    max_ms: Annotated[
        float, typer.Option(help="Only tasks whose training step took at most so long in the baselines.")
    ] = math.inf,
    max_params: Annotated[float, typer.Option(help="Only tasks of at most so many parameters.")] = math.inf,
    unmeasured: Annotated[
        bool, typer.Option("--unmeasured", help="Without baselines, for `train --unmeasured measure`: all tasks that can run.")
    ] = False,
    rule: Annotated[
        str | None, typer.Option("--named", help="By a rule of the package instead of patterns.", show_default=False)
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="The rules that there are.")] = False,
    modules: Modules = None,
):
    """Make a suite: the matching tasks that can run, have a normalizer and are small enough; split by a hash of their names."""
    plugins.load(modules or [])
    if show:
        for one in named_suites.rules():
            out.print(f"{one}: {one.about}; source {one.source}, horizon {one.horizon}", markup=False)
        return
    if output is None or bool(patterns) == bool(rule) or (patterns and horizon is None):
        raise ConfigError(
            "allowed are `suite PATTERNS --horizon STEPS --out FILE`, `suite --named NAME --out FILE`, `suite --list`"
        )
    if rule:
        made = named_suites.rule(rule).suite(baselines)
    else:
        limits = {"max_milliseconds": max_ms, "max_parameters": max_params, "modules": modules or ()}
        if unmeasured:
            made = suites.make_unmeasured(name or output.stem, patterns, source, horizon, **limits)
        else:
            made = suites.make(name or output.stem, patterns, baselines, source, horizon, **limits)
    suites.save(made, output)
    counts = ", ".join(f"{split} {len(made.of_split(split))}" for split in suites.SPLITS)
    out.print(f"{output}: {len(made.tasks)} tasks of {len({e.family for e in made.tasks})} families; {counts}", markup=False)


@app.command()
def train(
    tasks: Annotated[str, typer.Option(help="Suite file, or the name of one (`python -m learned suite --list`).")],
    output: Annotated[Path, typer.Option("--out", help="Directory of checkpoints and log; one that has them is resumed.")],
    outer_steps: Annotated[
        int | None, typer.Option(min=1, help="Outer steps in all; either these or --hours.", show_default=False)
    ] = None,
    hours: Annotated[
        float | None, typer.Option(help="Hours of training in all, instead of steps: not reproducible.", show_default=False)
    ] = None,
    optimizer: Annotated[str, typer.Option(help="Learned optimizer.")] = DEFAULT.optimizer,
    estimator: Annotated[str, typer.Option(help="Outer-gradient estimator.")] = DEFAULT.estimator,
    objective: Annotated[str, typer.Option(help=f"Outer loss: {', '.join(OBJECTIVES)}.")] = DEFAULT.objective,
    lengths: Annotated[
        str, typer.Option(help="Length of episodes: 100, linear:FIRST:LAST:OVER or log_uniform:LOW:HIGH.")
    ] = DEFAULT.lengths,
    pairs: Annotated[int, typer.Option(help="Antithetic pairs of each estimate.")] = DEFAULT.pairs,
    steps: Annotated[int, typer.Option(help="Inner steps of a truncation.")] = DEFAULT.steps,
    sigma: Annotated[float, typer.Option(help="Standard deviation of the perturbations.")] = DEFAULT.sigma,
    differences: Annotated[
        str, typer.Option(help=f"How a pair's difference of losses counts: {', '.join(DIFFERENCES)}.")
    ] = DEFAULT.differences,
    first_lengths: Annotated[
        str, typer.Option(help="Pairs end their first episodes together, or spread.")
    ] = DEFAULT.first_lengths,
    late_restarts: Annotated[
        float, typer.Option(help="Probability that an episode is resumed at its end, with a longer length.")
    ] = DEFAULT.late_restarts,
    slots: Annotated[int, typer.Option(help="Tasks in training at a time.")] = DEFAULT.slots,
    tasks_per_step: Annotated[
        int, typer.Option(help="Tasks that an outer step averages over, of those in training.")
    ] = DEFAULT.tasks_per_step,
    family_weight: Annotated[list[str] | None, typer.Option(help="FAMILY=WEIGHT of drawing tasks; default 1.")] = None,
    cost_power: Annotated[
        float, typer.Option(help="Tasks are drawn in proportion to their cost to minus this power; 1: equal time for each.")
    ] = DEFAULT.cost_power,
    learning_rate: Annotated[float, typer.Option(help="Learning rate of AdamW.")] = DEFAULT.learning_rate,
    warm_up: Annotated[int, typer.Option(help="Outer steps over which the rate grows.")] = DEFAULT.warm_up,
    schedule: Annotated[
        str, typer.Option(help="Learning rate after the warm-up: constant, or a cosine down to a tenth.")
    ] = DEFAULT.schedule,
    schedule_steps: Annotated[
        int | None, typer.Option(min=1, help="Last outer step of the cosine; default: --outer-steps.", show_default=False)
    ] = None,
    weight_decay: Annotated[float, typer.Option(help="Decoupled weight decay of AdamW.")] = DEFAULT.weight_decay,
    clip: Annotated[float, typer.Option(help="Bound of the gradient, as --clipping says.")] = DEFAULT.clip,
    clipping: Annotated[str, typer.Option(help="What is bounded: entries of the gradient, or its norm.")] = DEFAULT.clipping,
    trained: Annotated[
        list[str] | None, typer.Option("--train", metavar="GLOB", help="Weights to train, such as controller/*; default: all.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="CHECKPOINT", help="Weights to start from: a file, or a name of `python -m learned pretrained`."
        ),
    ] = None,
    augment: Annotated[
        str, typer.Option(help=f"Rescaling of each episode's parameters: {', '.join(AUGMENTATIONS)}.")
    ] = DEFAULT.augment,
    seed: Annotated[int, typer.Option(help="Fixes every draw.")] = DEFAULT.seed,
    workers: Annotated[int, typer.Option(min=1, help="Processes; the result is the same for any number.")] = 1,
    memory: Annotated[
        int,
        typer.Option(help="MiB that a process may have for itself; above, unused programs are dropped, and rebuilt when needed."),
    ] = MEMORY_MIB,
    save_every: Annotated[int, typer.Option(min=1, help="Outer steps between checkpoints.")] = 50,
    keep_every: Annotated[
        int | None, typer.Option(min=1, help="Outer steps between weights that are kept.", show_default=False)
    ] = None,
    unmeasured: Annotated[
        str, typer.Option(help="Tasks without a normalizer: refuse, or measure first (Adam's sweep, in OUT/baselines).")
    ] = "refuse",
    baselines: Baselines = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, gpu, gpu:1, tpu, or several: gpu:0,gpu:1.", show_default="this process's CPU")
    ] = None,
    strategy: Annotated[str | None, typer.Option(help="one, mirrored (over several devices) or tpu.", show_default="one")] = None,
    data_dir: DataDir = None,
    modules: Modules = None,
):
    """Train a learned optimizer. Interrupt it at any moment; the same command resumes from the last checkpoint."""
    use_threads(1)  # before a module of one's own starts TensorFlow
    plugins.load(modules or [])
    if (outer_steps is None) == (hours is None) or (hours is not None and not 0 < hours < math.inf):
        raise ConfigError(
            f"outer steps {outer_steps}, hours {hours}: allowed is one of both, above 0; give --outer-steps or --hours"
        )
    planned = (schedule_steps or outer_steps or 0) if schedule == "cosine" else (schedule_steps or 0)
    weights = None
    if start:
        start_tensorflow(threads=1)
        from learned import optimizers
        from learned.outer_training import phases

        weights = phases.read(pretrained.find(start), optimizers.get(optimizer))
    options = Options(
        optimizer, estimator, objective, seed, pairs, steps, sigma, differences, first_lengths, lengths, slots, tasks_per_step,
        _weights(family_weight or []), learning_rate, warm_up, clip, augment,
        clipping, weight_decay, schedule, planned, late_restarts, list(trained or ["*"]),
        phases.digest(weights) if weights else "", cost_power,
    )  # fmt: skip
    suite = named_suites.find(tasks, baselines)
    options.check(suite)
    if (device or strategy) and workers > 1:
        raise ConfigError(f"workers is {workers}: allowed with --device or --strategy is 1; workers are processes on the CPU")
    start_tensorflow(threads=1)
    from learned import optimizers
    from learned.outer_training.trainer import Trainer
    from learned.unrolling import distributed

    spread = (
        distributed.strategy(strategy or "one", device or DEVICES.get(strategy or "one", "cpu")) if device or strategy else None
    )
    if spread:
        distributed.check_pairs(pairs, spread)
    suite = _measured(suite, unmeasured, output / "baselines", data_dir, workers, modules or [])
    with shared_arrays(), _slots(workers, suite, options, data_dir, modules or [], spread, memory, output, weights) as made:
        where = distributed.describe(spread) if spread else "cpu"
        trainer = Trainer(output, suite, options, made, optimizers.get(optimizer), where, start=weights)
        out.print(
            f"{optimizer} ({trainer.layout.size:,} weights) by {estimator} on {len(suite.of_split('train'))} tasks of "
            f"{suite.name}, objective {objective}; outer step {trainer.step} of {outer_steps or f'{hours} hours'}",
            markup=False,
        )
        with _progress(trainer.step, outer_steps) as report:
            if hours is None:
                trainer.train(outer_steps, save_every, keep_every, report)
            else:
                trainer.train_for(hours, save_every, keep_every, report)
    out.print(f"{output / 'checkpoint.npz'}: outer step {trainer.step}", markup=False)


@app.command("export")
def export_command(
    path: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="File, or a name of `python -m learned pretrained`.")],
    output: Annotated[Path, typer.Option("--out", help="The .npz; the reader numpy_update.py is put beside it.")],
):
    """Write trained weights, and the one file that uses them with NumPy alone."""
    start_tensorflow(threads=1)
    from learned.deploy.export import export

    for written in export(path, output):
        out.print(str(written), markup=False)


@app.command("pretrained")
def pretrained_command():
    """Names of the weights that come with the package, and how they were trained."""
    for name in pretrained.names():
        out.print(pretrained.describe(name), markup=False)


app.command()(evaluation.evaluate)
app.command()(evaluation.choose)
app.command()(evaluation.compare)


def _weights(texts):
    """{family: weight} of FAMILY=WEIGHT."""
    weights = {}
    for text in texts:
        family, _, weight = text.partition("=")
        try:
            weights[family] = float(weight)
        except ValueError as error:
            raise ConfigError(f"family weight {text!r}: allowed is FAMILY=NUMBER, such as mlp_family=2") from error
    return weights


def _measured(suite, unmeasured, root, data_dir, workers, modules):
    """The suite with all tasks measured, in the way that was chosen."""
    if unmeasured not in ("refuse", "measure"):
        raise ConfigError(f"unmeasured {unmeasured!r}: allowed are refuse and measure")
    if unmeasured == "refuse":
        suites.require_measured(suite)
        return suite
    from taskset.cli.progress import baseline_report
    from taskset.scoring import measuring

    def sweep(names, options, root):
        added = [*modules, learned.__name__]
        return baseline_report(names, options, root, data_dir, workers, None, added, out, err)

    return measuring.completed(suite, root, sweep)


def _slots(workers, suite, options, data_dir, modules, strategy, memory, output, start):
    if workers == 1:
        from learned.outer_training.task_pool import TaskPool

        return contextlib.nullcontext(TaskPool(suite, options, data_dir, strategy, memory, start))
    from learned.outer_training.trainer import kept_slots
    from learned.outer_training.workers import Workers

    return Workers(workers, suite, options, data_dir, [*modules, learned.__name__], memory, lambda: kept_slots(output), start)


@contextlib.contextmanager
def _progress(done, total):
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err) as bar:
        task = bar.add_task("", total=total, completed=done, loss="-")

        def report(line):
            loss = "-" if line["loss"] is None else f"{line['loss']:.4f}"
            bar.update(task, completed=line["step"], loss=loss)

        yield report
