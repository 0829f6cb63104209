"""The command line: `python -m learned suite | train | evaluate | compare | export | pretrained | recipe`.

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
from learned.cli.recipe import recipe
from learned.deploy import pretrained
from learned.outer_training.estimator_cache import MEMORY_MIB
from learned.outer_training.options import Options
from taskset import plugins
from taskset.cli.main import DataDir, Modules, Source, Version, err, is_script, out
from taskset.cli.main import main as run
from taskset.errors import ConfigError
from taskset.execution.runtime import start_tensorflow, use_threads
from taskset.scoring import named_suites, suites

app = typer.Typer(
    add_completion=is_script("learned"),
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Learned optimizers: train them on suites of tasks, judge them, use them elsewhere.",
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
    """Learned optimizers: train them on suites of tasks, judge them, use them elsewhere."""


@app.command("suite")
def suite_command(
    patterns: Annotated[list[str] | None, typer.Argument(help="Task names or globs.")] = None,
    output: Annotated[Path | None, typer.Option("--out", help="JSON file to write the suite to.")] = None,
    horizon: Annotated[
        int | None, typer.Option(min=1, help="Horizon of the baselines that losses are normalized by, in steps.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the suite; default: the file's name.", show_default=False)] = None,
    source: Source = "synthetic",
    baselines: Baselines = None,
    max_ms: Annotated[
        float, typer.Option(help="Only tasks whose training step took at most so many milliseconds in the baselines.")
    ] = math.inf,
    max_params: Annotated[float, typer.Option(help="Only tasks with at most so many parameters.")] = math.inf,
    unmeasured: Annotated[
        bool,
        typer.Option("--unmeasured", help="Use no baselines: take all tasks that can run, for `train --unmeasured measure`."),
    ] = False,
    rule: Annotated[
        str | None,
        typer.Option("--named", help="Make the suite by a rule of the package instead of patterns.", show_default=False),
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="List the rules.")] = False,
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
    tasks: Annotated[str, typer.Option(help="Suite file, or the name of a suite (`python -m learned suite --list`).")],
    output: Annotated[
        Path, typer.Option("--out", help="Directory for checkpoints and log; a training that is there is resumed.")
    ],
    outer_steps: Annotated[int, typer.Option(min=1, help="Total number of outer steps.")],
    optimizer: Annotated[str, typer.Option(help="Learned optimizer to train.")] = DEFAULT.optimizer,
    estimator: Annotated[str, typer.Option(help="Outer-gradient estimator.")] = DEFAULT.estimator,
    objective: Annotated[str, typer.Option(help="Loss to train for: train, valid or noise.")] = DEFAULT.objective,
    lengths: Annotated[
        str, typer.Option(help="Lengths of episodes: 100, linear:FIRST:LAST:OVER or log_uniform:LOW:HIGH.")
    ] = DEFAULT.lengths,
    pairs: Annotated[int, typer.Option(help="Antithetic pairs per estimate.")] = DEFAULT.pairs,
    steps: Annotated[int, typer.Option(help="Inner steps of a truncation.")] = DEFAULT.steps,
    sigma: Annotated[float, typer.Option(help="Standard deviation of the perturbations.")] = DEFAULT.sigma,
    differences: Annotated[
        str, typer.Option(help="Use the value or only the sign of a pair's difference in loss.")
    ] = DEFAULT.differences,
    first_lengths: Annotated[
        str, typer.Option(help="Whether pairs end their first episodes together, or spread over their length.")
    ] = DEFAULT.first_lengths,
    slots: Annotated[int, typer.Option(help="Tasks that are in training at a time.")] = DEFAULT.slots,
    tasks_per_step: Annotated[
        int, typer.Option(help="Tasks that an outer step averages over, of those in training.")
    ] = DEFAULT.tasks_per_step,
    family_weight: Annotated[
        list[str] | None, typer.Option(help="FAMILY=WEIGHT: how often tasks of a family are drawn; default 1.")
    ] = None,
    learning_rate: Annotated[float, typer.Option(help="Learning rate of the outer Adam.")] = DEFAULT.learning_rate,
    warm_up: Annotated[int, typer.Option(help="Outer steps over which the learning rate grows to its value.")] = DEFAULT.warm_up,
    clip: Annotated[
        float, typer.Option(help="Largest absolute value of an entry of the outer gradient; larger ones are clipped.")
    ] = DEFAULT.clip,
    seed: Annotated[int, typer.Option(help="Seed of every random draw.")] = DEFAULT.seed,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes; the weights are the same for any number.")] = 1,
    memory: Annotated[
        int,
        typer.Option(
            help="MiB that a process may have for itself; above it, compiled programs are dropped and rebuilt when needed."
        ),
    ] = MEMORY_MIB,
    save_every: Annotated[int, typer.Option(min=1, help="Outer steps between checkpoints.")] = 50,
    keep_every: Annotated[
        int | None, typer.Option(min=1, help="Outer steps between weights that are kept; default: none are.", show_default=False)
    ] = None,
    unmeasured: Annotated[
        str,
        typer.Option(
            help="What to do with tasks that have no normalizer: refuse, or measure them first (Adam's sweep, in OUT/baselines)."
        ),
    ] = "refuse",
    baselines: Baselines = None,
    device: Annotated[
        str | None, typer.Option(help="Device: cpu, gpu, gpu:1, tpu, or several, gpu:0,gpu:1.", show_default="this process's CPU")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(help="Distribution strategy: one, mirrored (over several devices) or tpu.", show_default="one")
    ] = None,
    data_dir: DataDir = None,
    modules: Modules = None,
):
    """Train a learned optimizer. If interrupted, run the same command again to resume from the last checkpoint."""
    use_threads(1)  # before a user's module starts TensorFlow
    plugins.load(modules or [])
    options = Options(
        optimizer, estimator, objective, seed, pairs, steps, sigma, differences, first_lengths, lengths, slots, tasks_per_step,
        _weights(family_weight or []), learning_rate, warm_up, clip,
    )  # fmt: skip
    suite = named_suites.find(tasks, baselines)
    options.check(suite)
    start_tensorflow(threads=1)
    from learned.outer_training import session

    spread = _strategy(strategy, device, workers, pairs)
    suite = _measured(suite, unmeasured, output / "baselines", data_dir, workers, modules or [])
    with session.open_trainer(
        suite, options, output, workers=workers, data_dir=data_dir, modules=modules or [], memory=memory, strategy=spread
    ) as trainer:
        out.print(
            f"{optimizer} ({trainer.layout.size:,} weights) by {estimator} on {len(suite.of_split('train'))} tasks of "
            f"{suite.name}, objective {objective}; outer step {trainer.step} of {outer_steps}",
            markup=False,
        )
        with _progress(trainer.step, outer_steps) as report:
            trainer.train(outer_steps, save_every, keep_every, report)
    out.print(f"{output / 'checkpoint.npz'}: outer step {trainer.step}", markup=False)


@app.command("export")
def export_command(
    path: Annotated[
        Path, typer.Argument(metavar="CHECKPOINT", help="Checkpoint file, or a name of `python -m learned pretrained`.")
    ],
    output: Annotated[Path, typer.Option("--out", help="The .npz to write; its reader numpy_update.py is put beside it.")],
):
    """Write trained weights, and the one file that uses them with NumPy alone."""
    start_tensorflow(threads=1)
    from learned.deploy.export import export

    for written in export(path, output):
        out.print(str(written), markup=False)


@app.command("pretrained")
def pretrained_command():
    """List the weights that come with the package, and how they were trained."""
    for name in pretrained.names():
        out.print(pretrained.describe(name), markup=False)


app.command()(evaluation.evaluate)
app.command()(evaluation.compare)
app.command()(recipe)


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


def _strategy(name, device, workers, pairs):
    """The `tf.distribute` strategy that was asked for, None where none was; checked before anything is measured."""
    if not (device or name):
        return None
    if workers > 1:
        raise ConfigError(f"workers is {workers}: allowed with --device or --strategy is 1; workers are processes on the CPU")
    from learned.unrolling import distributed

    found = distributed.strategy(name or "one", device or DEVICES.get(name or "one", "cpu"))
    distributed.check_pairs(pairs, found)
    return found


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
