"""Trainings that several experiments make: of one task, with one optimizer or many settings of one rule, and outer trainings."""

import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from taskset.errors import StoreError
from tools.experiments import page

# Of `learned.Options`: how the experiments train on tiny tasks, whole trainings in truncations of 20 steps.
# One task: after the first episodes, cut so that pairs do not end together, all are whole trainings. Of many tasks one leaves
# when each pair has ended an episode, so that first episodes, all of them cut, are most of the training (docs/learned.md).
PES = {"estimator": "pes", "steps": 20, "sigma": 0.01, "first_lengths": "spread", "warm_up": 20, "clip": 0.1}
# For many tasks: what the pretrained `muon_mined` was trained by, and of the recipes of outer_recipes.py the best.
SINGLE = {**PES, "estimator": "es_single", "episodes": 4, "clipping": "norm", "clip": 1.0}
HELD_OUT = ("mnist", "fashion_mnist")  # data sets of tiny tasks that are judged, and that no training sees
SHARES = (1 / 8, 1 / 4, 1 / 2, 1)  # of a training's minutes, after which weights are kept to be judged


def training_command(description, minutes, measure, write):
    """Run an experiment with outer trainings, by default of so many core-minutes each.

    measure: `(folder of the trainings, minutes) -> what was found`, a tuple; write: called
    with its entries and the folder of the results.
    """
    parser = page.parser_of(description)
    parser.add_argument("--runs", type=Path, metavar="DIR", required=True, help="Folder of the trainings, which resume from it.")
    parser.add_argument("--minutes", type=float, default=minutes, help="Core-minutes of each training, compilation included.")
    arguments, folder = page.started(parser)
    write(*measure(arguments.runs, arguments.minutes), folder)


def tiny_name(family, dataset, start=1.0):
    """The name of a tiny task of a family, "tiny_mlp", with batches of 32; start: what its first parameters are multiplied by."""
    return f"{family.capitalize()}_{dataset.replace('/', '_')}_bs32_start{start}"


def suite_of(name, tasks, horizon, scale, source="synthetic"):
    """Tasks to train on, all in the split train and with one scale of losses (initial, best)."""
    from taskset.catalogue import get_config
    from taskset.scoring.suites.suite import Entry, Suite

    scales = {"train": scale, "valid_outer": scale}
    return Suite(name, 1, source, horizon, tuple(Entry(task, get_config(task)[1], "train", scales) for task in tasks))


def tiny_suite(name, tasks, horizon):
    """Tasks of the suite tiny:1 to train on, all in the split train, with its scales of losses."""
    from taskset.scoring.suites import by_name

    whole = by_name.get_suite("tiny:1")
    chosen = tuple(replace(entry, split="train") for entry in whole.tasks if entry.task in tasks)
    if len(chosen) != len(set(tasks)):
        raise ValueError(f"{len(set(tasks)) - len(chosen)} of the tasks are not in tiny:1")
    return replace(whole, name=name, horizon=horizon, tasks=chosen)


def train_for(minutes, suite, options, folder, every=50, keep_at=(), **settings):
    """(outer steps, core-minutes) of an outer training in a folder, until its core-minutes are spent.

    Compilation counts, and so do earlier calls, which are resumed. every: outer steps between checkpoints and printed lines;
    keep_at: core-minutes after which weights are kept (`kept_weights`); settings: of `learned.open_trainer`. The weights at the
    end are in weights.npz.
    """
    import learned
    from learned.estimators.base import finite_mean
    from learned.outer_training import checkpoint

    if (folder / "spent.json").exists():
        raise StoreError(f"{folder} has a training of an earlier version, timed by its spent.json: begin again in another folder")
    losses, end = [], folder / "weights.npz"
    kept_at = {folder / f"weights_{at:g}.npz": at / 60 for at in keep_at}

    def after_step(line):
        losses.append(math.nan if line["loss"] is None else line["loss"])
        if line["step"] % every == 0:
            spent, recent = trainer.plan.seconds, finite_mean(losses[-every:])
            print(f"{folder.name}: outer step {line['step']}, {spent:.0f} s, loss {recent:.4f}", flush=True)

    if not end.exists() or checkpoint.load(end).seconds < 60 * minutes:
        with learned.open_trainer(suite, options, folder, clock=time.process_time, **settings) as trainer:
            trainer.train_for(minutes / 60, every, report=after_step, keep_at=kept_at)
            trainer.keep(end)
    found = checkpoint.load(end)
    return found.step, found.seconds / 60


def untrained(name):
    """A learned optimizer with the weights that training starts from."""
    import learned

    made = learned.optimizers.get(name)
    return learned.with_weights(made, made.init_theta(0))


def kept_weights(folder):
    """{core-minutes: (outer steps, file of the weights)} that `train_for` kept, in order."""
    from learned.outer_training import checkpoint

    files = {float(path.stem.removeprefix("weights_")): path for path in folder.glob("weights_*.npz")}
    return {at: (checkpoint.load(files[at]).step, files[at]) for at in sorted(files)}


def loop_of(task, rules, steps, interval):
    """(loop, its hyperparameters) of the rules, which differ in their hyperparameters only, side by side.

    One rule is trained by itself, without an axis of runs: a learned optimizer has no form for several.
    """
    from taskset.execution.copies import CopiesLoop
    from taskset.execution.loop import Loop

    hparams = [rule.hparams(steps) for rule in rules]
    if len(rules) == 1:
        return Loop(task, rules[0], interval), hparams[0]
    return CopiesLoop(task, rules[0], len(rules), interval), {
        name: np.array([one[name] for one in hparams]) for name in hparams[0]
    }


def networks(loop, run, hparams, count):
    """The parameters at which a run of `loop_of` with so many rules is judged: {path: tensor [count, ..]}."""
    params = loop.evaluated(run, hparams)
    return {path: w[None] for path, w in params.items()} if count == 1 else params


def whole(task, split):
    """All images of a split of a tiny task as one batch."""
    import tensorflow as tf

    data = task.data.open(task.source, task.data_dir)
    return {"image": tf.constant(data.images[split]), "label": tf.constant(data.labels[split])}


def over_networks(of_one):
    """`of_one(params, batch)` for many networks {path: tensor [networks, ..]} and one batch, compiled once for equal shapes."""
    import tensorflow as tf

    def of_each(params, batch):
        return tf.vectorized_map(lambda one: of_one(one, batch), params)

    return tf.function(of_each, autograph=False)


def train_losses(task, rule, seeds, steps, interval=None):
    """Train losses [seeds, steps] of a task under one optimizer.

    interval: steps in one call; tasks with the same network, batches and interval share a compiled program.
    """
    return train_losses_of_many(task, [rule], seeds, steps, interval)[..., 0]


def train_losses_of_many(task, rules, seeds, steps, interval=None):
    """Train losses [seeds, steps, rules] of a task; the rules differ in their hyperparameters only.

    They run in one program where the task's operations have a form for several copies, else one after the other.
    """
    from taskset.execution.copies import NotBatched

    try:
        return _losses_of_all(task, rules, seeds, steps, interval)
    except NotBatched:
        return np.concatenate([_losses_of_all(task, [rule], seeds, steps, interval) for rule in rules], axis=-1)


def _losses_of_all(task, rules, seeds, steps, interval):
    from taskset.execution.loop import calls

    loop, hparams = loop_of(task, rules, steps, interval or steps)
    found = []
    for seed in seeds:
        run = loop.start(seed)
        found.append(np.concatenate([loop.train(run, hparams, count, raw) for count, raw in calls(loop, seed, steps, steps)]))
    return np.array(found, np.float64).reshape([len(found), steps, len(rules)])
