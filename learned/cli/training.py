"""`python -m learned train`."""

import contextlib
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from learned import registry
from learned.choices import AUGMENTATIONS, DIFFERENCES
from learned.deploy import pretrained
from learned.outer_training import checkpoint, time_plan
from learned.outer_training.estimator_cache import MEMORY_MIB
from learned.outer_training.options import Options
from taskset import plugins
from taskset.cli.options import Address, Baselines, DataDir, EngineName, Modules, err, out
from taskset.errors import ConfigError, counted
from taskset.execution.runtime import start_tensorflow, use_threads
from taskset.jobs import engines
from taskset.scoring import suites
from taskset.scoring.suites import by_name

DEFAULT = Options("mlp")
DEVICES = {"mirrored": "gpu", "tpu": "tpu"}  # of a strategy given without a device


def train(
    tasks: Annotated[str, typer.Option(help="Suite file, or the name of a suite (`python -m learned suite --list`).")],
    output: Annotated[
        Path, typer.Option("--out", help="Directory for checkpoints and log; a training that is there is resumed.")
    ],
    outer_steps: Annotated[
        int | None, typer.Option(min=1, help="Total number of outer steps; give either these or --hours.", show_default=False)
    ] = None,
    hours: Annotated[
        float | None, typer.Option(help="Total hours of training, instead of steps: not reproducible.", show_default=False)
    ] = None,
    optimizer: Annotated[
        str, typer.Option(help="Learned optimizer to train, such as anchored or mlp; an unknown name is answered by all names.")
    ] = DEFAULT.optimizer,
    estimator: Annotated[
        str, typer.Option(help="Outer-gradient estimator, such as pes; an unknown name is answered by all names.")
    ] = DEFAULT.estimator,
    objective: Annotated[str, typer.Option(help="Loss to train for: train, valid or noise.")] = DEFAULT.objective,
    lengths: Annotated[
        str, typer.Option(help="Lengths of episodes: 100, linear:FIRST:LAST:OVER or log_uniform:LOW:HIGH.")
    ] = DEFAULT.lengths,
    pairs: Annotated[int, typer.Option(help="Antithetic pairs per estimate.")] = DEFAULT.pairs,
    steps: Annotated[int, typer.Option("--truncation", "--steps", help="Inner steps of a truncation.")] = DEFAULT.steps,
    sigma: Annotated[float, typer.Option(help="Standard deviation of the perturbations.")] = DEFAULT.sigma,
    differences: Annotated[
        str, typer.Option(help=f"How a pair's difference of losses counts: {', '.join(DIFFERENCES)}.")
    ] = DEFAULT.differences,
    first_lengths: Annotated[
        str, typer.Option(help="Whether pairs end their first episodes together, or spread over their length.")
    ] = DEFAULT.first_lengths,
    late_restarts: Annotated[
        float, typer.Option(help="Probability that an episode is resumed at its end, with a longer length.")
    ] = DEFAULT.late_restarts,
    slots: Annotated[
        int, typer.Option("--pool", "--slots", help="Tasks of the task pool, those in training at a time.")
    ] = DEFAULT.slots,
    tasks_per_step: Annotated[
        int, typer.Option(help="Tasks that an outer step averages over, of those in training.")
    ] = DEFAULT.tasks_per_step,
    episodes: Annotated[
        int, typer.Option(help="Episodes that every pair ends before another task takes the place of its task.")
    ] = DEFAULT.episodes,
    groups: Annotated[
        int, typer.Option(help="Programs that compute the pairs of a task; with as many workers, all have the same work.")
    ] = DEFAULT.groups,
    family_weight: Annotated[
        list[str] | None, typer.Option(help="FAMILY=WEIGHT: how often tasks of a family are drawn; default 1.")
    ] = None,
    cost_power: Annotated[
        float, typer.Option(help="Tasks are drawn in proportion to their cost to minus this power; 1: equal time for each.")
    ] = DEFAULT.cost_power,
    learning_rate: Annotated[float, typer.Option(help="Learning rate of the outer AdamW.")] = DEFAULT.learning_rate,
    warm_up: Annotated[int, typer.Option(help="Outer steps over which the learning rate grows to its value.")] = DEFAULT.warm_up,
    schedule: Annotated[
        str, typer.Option(help="Learning rate after the warm-up: constant, or a cosine down to a tenth.")
    ] = DEFAULT.schedule,
    schedule_steps: Annotated[
        int | None, typer.Option(min=1, help="Last outer step of the cosine; default: --outer-steps.", show_default=False)
    ] = None,
    weight_decay: Annotated[float, typer.Option(help="Decoupled weight decay of AdamW.")] = DEFAULT.weight_decay,
    clip: Annotated[float, typer.Option(help="Largest value of what --clipping bounds.")] = DEFAULT.clip,
    clipping: Annotated[
        str, typer.Option(help="What is bounded: the entries of the outer gradient, or its norm.")
    ] = DEFAULT.clipping,
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
    seed: Annotated[int, typer.Option(help="Seed of every random draw.")] = DEFAULT.seed,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Worker processes; the weights are the same for any number. Default: 1, of a cluster one per core.",
            show_default=False,
        ),
    ] = None,
    engine: EngineName = "local",
    address: Address = None,
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
        str | None,
        typer.Option(
            help="Device: cpu, gpu, gpu:1, tpu, or several, gpu:0,gpu:1. Default: this process's CPU.", show_default=False
        ),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            help="Distribution strategy: one (the default), mirrored (over several devices) or tpu.", show_default=False
        ),
    ] = None,
    data_dir: DataDir = None,
    modules: Modules = None,
) -> None:
    """Train a learned optimizer.

    If interrupted, run the same command again to resume from the last checkpoint.
    """
    use_threads(1)  # before a user's module starts TensorFlow
    plugins.load(modules or [])
    _check_end(outer_steps, hours)
    begun = _started_from(start, optimizer, output, seed) if start else None
    options = Options(
        optimizer, estimator=estimator, objective=objective, seed=seed, pairs=pairs, steps=steps, sigma=sigma,
        differences=differences, first_lengths=first_lengths, lengths=lengths, late_restarts=late_restarts,
        slots=slots, tasks_per_step=tasks_per_step, episodes=episodes, groups=groups,
        family_weights=_family_weights(family_weight or []), cost_power=cost_power,
        learning_rate=learning_rate, warm_up=warm_up, weight_decay=weight_decay, schedule=schedule,
        schedule_steps=schedule_steps or (schedule == "cosine" and outer_steps) or 0,
        clip=clip, clipping=clipping, augment=augment,
        trained=list(trained or ["*"]),
    )  # fmt: skip
    chosen = by_name.get_suite(tasks, baselines)
    options.check(chosen)
    start_tensorflow(threads=1)
    from learned.outer_training import session

    spread = _strategy(strategy, device, workers, pairs, groups)
    with contextlib.ExitStack() as stack:
        opened = stack.enter_context(engines.opened(engine, address))
        chosen = _measured(chosen, unmeasured, output / "baselines", data_dir, workers, modules or [], opened)
        trainer = stack.enter_context(
            session.open_trainer(
                chosen, options, output, workers=workers, data_dir=data_dir, modules=modules or [], memory=memory,
                strategy=spread, start=begun, engine=opened,
            )
        )  # fmt: skip
        _run(trainer, outer_steps, hours, save_every, keep_every)
    out.print(f"{output / 'checkpoint.npz'}: outer step {trainer.step}", markup=False)


def _check_end(outer_steps, hours):
    """Raise `ConfigError` unless it is said when the training ends, in one way."""
    if (outer_steps is None) == (hours is None):
        raise ConfigError(
            f"outer steps {outer_steps}, hours {hours}: allowed is one of both, above 0; give --outer-steps or --hours"
        )
    if hours is not None:
        time_plan.check_hours(hours)


def _run(trainer, outer_steps, hours, save_every, keep_every):
    """Say what is trained, and train, with a bar."""
    if outer_steps is not None:
        trainer.reached(outer_steps)  # more steps than asked for are refused before anything is printed
    options, chosen = trainer.options, trainer.suite
    size, trained_on = counted(trainer.layout.size, "weight", form=","), counted(len(chosen.of_split("train")), "task")
    out.print(
        f"{options.optimizer} ({size}) by {options.estimator} on {trained_on} of {chosen.name}, objective {options.objective}; "
        f"outer step {trainer.step} of {outer_steps or f'{hours} hours'}",
        markup=False,
    )
    before = trainer.step
    with _progress(before, outer_steps) as report:
        if outer_steps is not None:
            trainer.train(outer_steps, save_every, keep_every, report)
        else:
            trainer.train_for(hours, save_every, keep_every, report)
    if hours is not None and trainer.step == before:
        spent = trainer.plan.seconds / 3600
        more = "start from these weights (--from) with another --out" if trainer.options.by_time else "give more --hours"
        out.print(f"nothing left to train: {spent:.3g} of {hours:g} hours are over; {more}", markup=False)


def _started_from(start, optimizer, output, seed):
    """The file of a checkpoint with weights of this optimizer; a new training by the checkpoint's own seed is warned of."""
    start_tensorflow(threads=1)
    from learned import optimizers
    from learned.outer_training import start_weights, trainer

    path = pretrained.find(start)
    found = checkpoint.load(path)
    start_weights.of_checkpoint(found, optimizers.get(optimizer))
    if not (output / trainer.LATEST).exists() and start_weights.repeats(found, seed):
        err.print(f"{start} was trained with seed {seed}, whose draws come again: give another --seed for new ones", markup=False)
    return path


def _family_weights(texts):
    """{family: weight} of FAMILY=WEIGHT."""
    weights = {}
    for text in texts:
        family, _, weight = text.partition("=")
        if family in weights:
            raise ConfigError(f"family weight {text!r}: {family} has one already; give each family once")
        try:
            weights[family] = float(weight)
        except ValueError as error:
            raise ConfigError(f"family weight {text!r}: allowed is FAMILY=NUMBER, such as mlp_family=2") from error
    return weights


def _measured(chosen, unmeasured, root, data_dir, workers, modules, engine):
    """The suite with all tasks measured, in the way that was chosen."""
    if unmeasured not in ("refuse", "measure"):
        raise ConfigError(f"unmeasured {unmeasured!r}: allowed are refuse and measure")
    if unmeasured == "refuse":
        suites.require_measured(chosen)
        return chosen
    from taskset.cli.progress import show_sweep
    from taskset.scoring.suites import baseline_protocol

    def sweep(names, options, root):
        added = [*modules, registry.PACKAGE]
        count = workers or (1 if engine is engines.LOCAL else None)
        how = {"data_dir": data_dir, "workers": count, "modules": added, "engine": engine}
        return show_sweep(names, options, root, out, err, **how).progress.failed

    return baseline_protocol.completed(chosen, root, sweep)


def _strategy(name, device, workers, pairs, groups):
    """The chosen `tf.distribute` strategy, None where none was chosen; checked before anything is measured."""
    if not (device or name):
        return None
    if workers not in (None, 1):
        raise ConfigError(f"workers is {workers}: allowed with --device or --strategy is 1; workers are processes on the CPU")
    from learned.unrolling import distributed

    found = distributed.strategy(name or "one", device or DEVICES.get(name or "one", "cpu"))
    distributed.check_pairs(pairs, found, groups)
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
