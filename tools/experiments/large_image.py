"""A large image model: a ResNet of 14 layers on real CIFAR-10, one run of a learned optimizer against tuned Adam and momentum.

    TFDS_DATA_DIR=DIR python -m tools.experiments.large_image --out DIR | --publish --runs DIR [--steps N] [--train OPTIMIZER ..]

Question. `muon_mined` was trained on 2,035 tasks of synthetic data, six of them small residual nets, for at most 2,000 steps.
Does it train a residual net of 14 layers (160,074 weights) on real images, for 25 times as many steps, an hour of one core,
without tuning? After Metz et al. 2020 (arXiv 2009.11243).

Formula. Train loss at the end: the mean over the last tenth of the steps. Validation and test: mean loss and accuracy of 20
batches of 128, at 20 moments of the run.

Settings. ResNet14_cifar10_bs128, seed 0. Every run has --steps steps. Adam and momentum have 7 rates each, half a decade apart; a
tenth of the steps chooses, by the train loss at its end, and the best rate is run in full. Beside them the first of the learned
list, which has a schedule. DIR of --runs keeps every run, and each goes on where it was interrupted; what has ended is read from
tools/experiments/results/large_image, which --publish writes as well.
"""

import itertools
import time
from pathlib import Path

import numpy as np

from taskset.catalogue import get_task
from taskset.files import whole_file
from tools import report
from tools.experiments import page
from tools.experiments.judging import last_tenth
from tools.experiments.kept import Results

TASK, SEED, LEARNED, FIRST = "ResNet14_cifar10_bs128", 0, "muon_mined", "the learned list's first"
RATES = {"Adam": 10.0 ** (np.arange(-9, -2) / 2), "momentum": 10.0 ** (np.arange(-7, 0) / 2)}
MOMENTS, SHARE, BATCHES = 20, 10, 20  # evaluations of a run; steps over those that choose; batches of an evaluation
SPLITS = ("valid_outer", "test")
PICTURE = "large_image.png"


def rules():
    """{label: rule}, and {optimizer: labels}, of which the best is run in full."""
    import learned
    from taskset.optimizers import adaptive, descent, named

    found = {LEARNED: learned.load(LEARNED), FIRST: named.opt_list(1)[0]}
    labels = {label: [label] for label in found}
    for name, make in {"Adam": adaptive.adam, "momentum": descent.momentum}.items():
        of_rates = {f"{name}, rate {rate:.2g}": make(rate) for rate in RATES[name]}
        found |= of_rates
        labels[name] = list(of_rates)
    return found, labels


def evaluation(task):
    """A function of parameters: {split: [loss, accuracy]}, means over the same BATCHES batches at every call."""
    import tensorflow as tf

    def one(params, batch):
        loss, metrics = task.loss_and_metrics(params, batch, tf.zeros([2], tf.int32))
        return tf.stack([loss, metrics["accuracy"]])

    run = tf.function(one, autograph=False)
    batches = {split: list(itertools.islice(task.batches(split, SEED), BATCHES)) for split in SPLITS}

    def evaluate(params):
        means = {split: np.mean([run(params, batch).numpy() for batch in drawn], axis=0) for split, drawn in batches.items()}
        return {split: values.tolist() for split, values in means.items()}

    return evaluate


def trained(task, rule, steps, folder):
    """(train losses [steps], {split: [[loss, accuracy], ..]}, core-seconds, wall-clock seconds) of one run.

    It is kept in `folder` at every moment that it is evaluated at, and goes on from there.
    """
    import tensorflow as tf

    from taskset.execution.loop import Loop, Run
    from taskset.files import npz

    every, file = steps // MOMENTS, folder / "run.npz"
    loop, hparams, evaluate = Loop(task, rule, every), rule.hparams(steps), evaluation(task)
    run = loop.start(SEED)
    losses, moments, wall = np.zeros([0], np.float32), {split: [] for split in SPLITS}, 0.0
    if file.exists():
        kept = npz.read(file)
        flat = [tf.constant(kept[f"tensor_{i}"]) for i in range(len(tf.nest.flatten((run.params, run.state))))]
        params, state = tf.nest.pack_sequence_as((run.params, run.state), flat)
        run = Run(SEED, params, state, int(kept["step"]), float(kept["seconds"]))
        losses, wall = kept["losses"], float(kept["wall"])
        moments = {split: kept[split].tolist() for split in SPLITS}
    if run.step < steps:
        loop.compile(run, hparams)
    while run.step < steps:
        begun = time.perf_counter()
        for first in range(0, every, loop.chunk):
            losses = np.concatenate([losses, loop.train(run, hparams, min(loop.chunk, every - first))])
        wall += time.perf_counter() - begun
        for split, values in evaluate(loop.evaluated(run, hparams)).items():
            moments[split].append(values)
        tensors = {f"tensor_{i}": x.numpy() for i, x in enumerate(tf.nest.flatten((run.params, run.state)))}
        folder.mkdir(parents=True, exist_ok=True)
        with whole_file(file) as temporary, open(temporary, "wb") as opened:
            np.savez(opened, step=run.step, seconds=run.seconds, wall=wall, losses=losses, **moments, **tensors)
        print(f"{folder.name}: step {run.step:,} of {steps:,}, loss {losses[-every:].mean():.4f}", flush=True)
    return losses.astype(np.float64), moments, run.seconds, wall


def end(losses):
    """The mean of the last tenth of losses [steps]; None where one of them is not finite."""
    last = last_tenth(losses)
    return float(last.mean()) if np.isfinite(last).all() else None


def finite(tree):
    """Dicts and lists with None for numbers that are not finite, which JSON does not have."""
    if isinstance(tree, dict):
        return {key: finite(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [finite(value) for value in tree]
    return tree if np.isfinite(tree) else None


def number(x, places):
    """A cell of the table."""
    return "not finite" if x is None else f"{x:.{places}f}"


def summary(losses, moments, seconds, wall):
    """What is kept of a run of `trained`: its end, mean losses before each moment, the moments, its time. None: not finite."""
    means = losses.reshape(MOMENTS, -1).mean(axis=1).tolist()
    return {"end": end(losses), "means": finite(means), "moments": finite(moments), "seconds": seconds, "wall": wall}


def results_of(runs, steps):
    """The results of all runs for a number of steps, those that choose a rate among them."""
    return Results(f"large_image/{steps}_steps", runs / f"{steps}_steps")


def measure(runs, steps, optimizers=None):
    """{label: (rates tried, summary of the run)}. optimizers: those to be run alone; None: all."""
    results, task, (made, labels) = results_of(runs, steps), get_task(TASK, "tfds"), rules()

    def run(label, steps, *parents):
        name = "/".join([*parents, "".join(letter for letter in label.replace(" ", "_") if letter not in ",'")])
        return results.make(name, {"steps": steps}, lambda: summary(*trained(task, made[label], steps, results.runs / name)))

    def short(label):
        found = run(label, steps // SHARE, "short")["end"]
        return float("inf") if found is None else found

    found = {}
    for name in optimizers or labels:
        rates = labels[name]
        best = min(rates, key=short) if len(rates) > 1 else rates[0]
        found[best] = len(rates), run(best, steps)
    return found


def draw(steps, found, path):
    """Train loss and test accuracy against steps, and train loss against core-hours."""
    with page.figure(path, size=(12, 4), columns=3) as (figure, panels):
        at = steps // MOMENTS * np.arange(1, MOMENTS + 1)
        for label, (_, run) in found.items():
            means = np.array(run["means"], dtype=float)
            panels[0].plot(at, means, label=label)
            panels[1].plot(at, [100 * share for _, share in run["moments"]["test"]])
            panels[2].plot(at / steps * run["seconds"] / 3600, means)
        panels[0].set(xlabel="steps", ylabel="train loss, nats", title="train loss", yscale="log")
        panels[1].set(xlabel="steps", ylabel="test accuracy, %", title="test accuracy")
        panels[2].set(xlabel="core-hours of training steps", ylabel="train loss, nats", title="train loss by time", yscale="log")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)


def section(steps, found):
    """Figure and numbers in Markdown."""
    rows = []
    for label, (tried, run) in found.items():
        last = [run["moments"][split][-1] for split in SPLITS]
        cells = [number(run["end"], 4), *(number(loss, 3) for loss, _ in last), *(f"{100 * share:.1f}" for _, share in last)]
        rows.append([label, tried, *cells, f"{run['seconds'] / steps:.3f}", f"{run['wall'] / 3600:.2f}"])
    header = [
        "optimizer", "rates tried", "train loss", "validation loss", "test loss", "validation accuracy, %", "test accuracy, %",
        "core-seconds a step", "hours",
    ]  # fmt: skip
    return f"""![train loss and test accuracy against steps, train loss against core-hours](pictures/{PICTURE})

{report.table(header, rows)}

One run of {steps:,} steps of each, seed {SEED}: no intervals. Rates were chosen in runs of {steps // SHARE:,} steps. Real
CIFAR-10; {report.conditions("tensorflow", "numpy")}."""


def main():
    parser = page.parser_of(__doc__)
    parser.add_argument("--runs", type=Path, metavar="DIR", required=True, help="Folder of the runs, which resume from it.")
    parser.add_argument("--steps", type=int, default=50_000, help="Steps of a run, a multiple of 200.")
    known = [LEARNED, FIRST, *RATES]
    parser.add_argument("--train", nargs="+", choices=known, metavar="OPTIMIZER", help=f"Run these alone, draw nothing: {known}.")
    arguments, folder = page.started(parser)
    if arguments.steps < 1 or arguments.steps % (SHARE * MOMENTS):
        parser.error(f"--steps {arguments.steps} is no multiple of {SHARE * MOMENTS}")
    if arguments.train and arguments.publish:
        parser.error("--train draws nothing that could be published: give --out")
    found = measure(arguments.runs, arguments.steps, arguments.train)
    if arguments.train:
        return
    if arguments.publish:
        results_of(arguments.runs, arguments.steps).publish()
    page.write("large-image", PICTURE, lambda path: draw(arguments.steps, found, path), section(arguments.steps, found), folder)


if __name__ == "__main__":
    main()
