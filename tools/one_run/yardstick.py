"""The published yardstick: trainings on real images for which the losses of tuned Adam are published, beside Adam's here.

    TFDS_DATA_DIR=DIR python -m tools.one_run.yardstick --runs DIR (--out DIR | --publish) [--only NAME ..]

Question. Are Adam's losses here those that others get on the same tasks, and how many steps does tuned Adam need for the loss of
an optimizer that has nothing to tune?

Formulas. A curve is the train loss of every step's batch, the mean over seeds, smoothed as the published ones: an exponential
moving average that begins at the first loss, with decay .95 for ten steps. Envelope: at each step the lowest loss that any rate
has had so far. Speed-up of a run of T steps: steps until the envelope is at the run's last smoothed loss, over T.

Settings. The tasks of YARDSTICKS, with batches of 128; the images of the train split are those that the package doesn't set aside
(published: 80 per cent). Adam: the 8 rates of the package's 17 from 10^-4.5 to 10^-1, 10,000 steps, so that its envelope has all
horizons. Beside it, to find out what a difference comes from, the same rates falling exponentially to a tenth and to a hundredth
at the last step, one seed. These and the optimizers of one run take the number of steps, and so are run for each horizon. DIR of
--runs keeps every run; the same command resumes. --only measures some tasks, --horizons runs the optimizers of one run for some
numbers of steps, and the section has what is there.

Source of the published numbers: the normalizers of the repository google/learned_optimization (Metz et al. 2022, arXiv
2203.11860): the envelope of 15 rates of Adam, of Adam with two falling rates and of RAdam in runs of 100,000 steps, 5 seeds.
"""

import argparse
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from taskset.datasets.in_memory import InMemoryData
from taskset.execution.runtime import start_tensorflow
from taskset.registry import Facts, register_builder, register_facts
from tools import report
from tools.experiments import page
from tools.experiments.training import train_losses_of_many

if TYPE_CHECKING:
    from taskset.tasks.base import Task

HORIZONS = (1000, 2000, 10_000)
EXPONENTS = np.arange(-9, -1) / 2  # of Adam's rates
FALLING = (0.1, 0.01)  # shares of a falling rate that are left at the end
DEFAULT_RATE = -3.0  # the exponent of the rate that most libraries start with
DECAY = 0.95 ** (1 / 10)
RULES = ("muon_mined", "muon_whole", "anchored_wide", "relative_muon", "relative_nadam", "the learned list's first")
SMALL = "image_mlp_8x8"  # the family of the task on 8x8 pixels
PICTURE, TITLE = "yardstick.png", "# An optimizer that works in one run\n"


@functools.cache
def small_fashion_mnist():
    """All images of fashion_mnist at 8x8 pixels: bilinear, without antialiasing, as published."""
    import tensorflow as tf

    from taskset.datasets.images import ImageData

    whole, images, labels, rows, end = ImageData("fashion_mnist", 1).open("tfds", None), [], [], {}, 0
    for split, cut in whole.cuts.items():
        chosen = slice(cut.rows.start, cut.rows.stop)
        images.append(tf.image.resize(whole.images[cut.stored][chosen], (8, 8)).numpy() / 255)
        labels.append(whole.labels[cut.stored][chosen])
        rows[split] = range(end, end + len(labels[-1]))
        end = rows[split].stop
    return InMemoryData({"image": np.concatenate(images), "label": np.concatenate(labels)}, rows, batch_size=128)


@register_facts(SMALL)
def facts(config):
    """The data; the parameters are found by building."""
    return Facts(data=small_fashion_mnist())


@register_builder(SMALL)
def build(config, data):
    """Flatten; an MLP of ReLUs with `layer_sizes` and a linear layer to the ten classes; cross-entropy in nats."""
    import sonnet as snt
    import tensorflow as tf

    from taskset.tasks import base, initializers
    from taskset.tasks.images import classification
    from taskset.tasks.linear import MLP

    def loss(batch, key):
        w_init = initializers.from_config(["lecun_normal", None])
        logits = MLP([*config["layer_sizes"], 10], w_init=w_init, activation=tf.nn.relu, name="mlp")(snt.flatten(batch["image"]))
        return classification(logits, batch["label"])

    return base.Model(loss, data)


def small_mlp():
    """Fashion-MNIST at 8x8 pixels, one hidden layer of 32: the package has no such set."""
    from taskset.catalogue import make_task

    return make_task(SMALL, {"layer_sizes": [32]}, "tfds")


def fixed(name):
    """A function that builds a task of the package."""

    def build():
        from taskset.catalogue import get_task

        return get_task(name, "tfds")

    return build


def fashion_like(name, **changes):
    """A function that builds a fixed task of the package on fashion_mnist, with changes of its config."""

    def build():
        from taskset.catalogue import get_config, make_task

        config, family = get_config(name)
        return make_task(family, {**config, **changes, "dataset": ["fashion_mnist", *config["dataset"][1:]]}, "tfds")

    return build


@dataclass(frozen=True)
class Yardstick:
    """One task. name: of its folder; published: tuned Adam's losses after HORIZONS steps; horizons: those that are run; falling:
    whether Adam is run with falling rates as well."""

    name: str
    title: str
    task: Callable[[], "Task"]
    published: tuple[float, float, float]
    seeds: int
    horizons: tuple[int, ...] = HORIZONS
    falling: bool = True


# The cheapest first.
YARDSTICKS = {
    one.name: one
    for one in (
        Yardstick("fashion_mnist_8x8", "Fashion-MNIST, 8x8 pixels, MLP 32", small_mlp, (0.551, 0.495, 0.418), 5),
        Yardstick(
            "fashion_mnist_mlp", "Fashion-MNIST, MLP 128-128",
            fashion_like("FixedMLP_mnist_ce_128x128x128_relu_bs128", layer_sizes=[128, 128]), (0.370, 0.299, 0.1225), 5,
        ),
        Yardstick(
            "mnist_mlp", "MNIST, MLP 128-128-128", fixed("FixedMLP_mnist_ce_128x128x128_relu_bs128"),
            (0.107, 0.0498, 0.0005), 5,
        ),
        Yardstick(
            "fashion_mnist_autoencoder", "Fashion-MNIST, autoencoder 128-32-128",
            fashion_like("FixedMLPAE_mnist_128x32x128_bs128"), (0.0164, 0.0130, 0.0101), 5,
        ),
        Yardstick(
            "cifar10_mlp", "CIFAR-10, MLP 128-128-128", fixed("FixedMLP_cifar10_ce_128x128x128_relu_bs128"),
            (1.624, 1.479, 1.010), 3,
        ),
        Yardstick(
            "cifar10_conv", "CIFAR-10, convolutions 32-64-64", fixed("FixedImageConv_cifar10_32x64x64_bs128"),
            (1.410, 1.121, 0.403), 1, (1000, 2000), falling=False,
        ),
    )
}  # fmt: skip


def rule_of(label):
    """An optimizer of RULES."""
    import learned
    from learned.deploy import pretrained
    from taskset.optimizers import named

    if label == "the learned list's first":
        return named.opt_list(1)[0]
    return learned.load(label) if label in pretrained.names() else named.get_optimizer(label)


def adam_rules():
    """Adam at each of EXPONENTS."""
    from taskset.optimizers import named

    return [named.get_optimizer(f"adam_lr_{exponent:.2f}") for exponent in EXPONENTS]


def falling_rules():
    """Adam at each of EXPONENTS, with rates that fall exponentially to each of FALLING at the last step of a run."""
    from taskset.optimizers import adaptive

    decays = [-np.log(share) / 10_000 for share in FALLING]  # `adam6p` takes them for 10,000 steps, and scales them with a run
    return [adaptive.adam6p(10.0**exponent, exponential_decay=decay) for exponent in EXPONENTS for decay in decays]


def kept(file, measure):
    """The array in a file, which is measured and written where it is not there."""
    from taskset.files import whole_file

    if not file.exists():
        values = measure()
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(file) as temporary, open(temporary, "wb") as opened:
            np.save(opened, values)
        print(f"{file.parent.name}: {file.stem}", flush=True)
    return np.load(file)


def measure(yardstick, runs, horizons=HORIZONS):
    """({horizon: {rule: losses [seeds, steps]}}, Adam's losses [seeds, steps, rates], {horizon: falling rates' losses}) of a
    task. horizons: those at which rules are run; at the others a rule is there where its runs are."""
    task, seeds = functools.cache(yardstick.task), range(yardstick.seeds)

    def file(name, steps, seed):
        return runs / yardstick.name / f"{name.replace(' ', '_')}_{steps}_{seed}.npy"

    def losses(name, rules, steps, seeds=seeds):
        def of_seed(seed):
            run = lambda: train_losses_of_many(task(), rules(), [seed], steps)[0].astype(np.float32)  # noqa: E731
            return kept(file(name, steps, seed), run)

        return np.stack([of_seed(seed) for seed in seeds])

    def alone(label, steps):
        return losses(label, lambda: [rule_of(label)], steps)[..., 0]

    def is_wanted(label, steps):
        return steps in horizons or all(file(label, steps, seed).exists() for seed in seeds)

    one_run = {h: {label: alone(label, h) for label in RULES if is_wanted(label, h)} for h in yardstick.horizons}
    falling = {steps: losses("falling", falling_rules, steps, range(1)) for steps in yardstick.horizons if yardstick.falling}
    return one_run, losses("adam", adam_rules, max(yardstick.horizons)), falling


def averaged(curves):
    """Exponential moving averages of curves [steps, ..] that begin at their first values."""
    smoothed = np.empty(np.shape(curves))
    smoothed[0] = curves[0]
    for i, values in enumerate(curves[1:], 1):
        smoothed[i] = DECAY * smoothed[i - 1] + (1 - DECAY) * values
    return smoothed


def envelope(adam):
    """(losses [steps], number of the best rate at each step [steps]) of Adam's losses [seeds, steps, rates]."""
    curves = averaged(adam.mean(axis=0))
    curves = np.where(np.isfinite(curves), curves, np.inf)
    return np.minimum.accumulate(curves.min(axis=1)), curves.argmin(axis=1)


def first_step_at(losses, wanted):
    """Steps until falling losses [steps] are at most `wanted`; None where they never are."""
    reached = np.flatnonzero(losses <= wanted)
    return int(reached[0]) + 1 if len(reached) else None


def rows_of(yardstick, one_run, adam, falling):
    """The rows of one task in both tables."""
    lowest, best = envelope(adam)
    default = averaged(adam.mean(axis=0))[:, list(EXPONENTS).index(DEFAULT_RATE)]
    against, ours = [], []
    for horizon in yardstick.horizons:
        published, here = yardstick.published[HORIZONS.index(horizon)], lowest[horizon - 1]
        rate = f"10^{EXPONENTS[best[horizon - 1]]:g}"
        fell = f"{envelope(falling[horizon])[0][-1]:.3g}" if horizon in falling else ""
        cells = [f"{published:.3g}", f"{here:.3g}", f"{here / published - 1:+.0%}", rate, fell]
        against.append([yardstick.title, f"{horizon:,}", *cells])
        cells = [yardstick.title, f"{horizon:,}", f"{here:.3g}", f"{default[horizon - 1]:.3g}"]
        for label in RULES:
            if label not in one_run[horizon]:
                cells.append("")
                continue
            losses = one_run[horizon][label]
            end = averaged(losses.mean(axis=0))[-1]
            steps = first_step_at(lowest, end)
            more = f"{steps / horizon:.2f}" if steps else f"> {len(lowest) / horizon:g}"
            cells.append(f"{end:.3g} ({more})")
        ours.append(cells)
    return against, ours


def draw(found, path):
    """Smoothed losses against steps, a panel for each task: Adam's envelope, what is published, the runs of the first rule."""
    columns = 3
    with page.figure(path, size=(12, 7), rows=-(-len(found) // columns), columns=columns, squeeze=False) as (_, panels):
        for axes in panels.flat[len(found) :]:
            axes.axis("off")
        for axes, (yardstick, one_run, adam, _) in zip(panels.flat, found):
            lowest = envelope(adam)[0]
            steps = np.arange(1, len(lowest) + 1)
            axes.plot(steps, lowest, color="0.4", label="Adam's envelope here")
            axes.plot(HORIZONS, yardstick.published, "kx", label="published envelope")
            for i, (horizon, runs) in enumerate(one_run.items()):
                if RULES[0] in runs:
                    axes.plot(
                        steps[:horizon],
                        averaged(runs[RULES[0]].mean(axis=0)),
                        f"C{i}",
                        label=f"{RULES[0]}, {horizon:,} steps",
                    )
            axes.set(xscale="log", yscale="log", xlim=(100, None), title=yardstick.title, xlabel="steps")
        for axes in panels[:, 0]:
            axes.set(ylabel="train loss, smoothed")
        panels[0, 0].legend(fontsize=8)


def section(found):
    """Both tables in Markdown. found: [(yardstick, one_run, adam, falling)]."""
    against, ours = ([row for rows in tables for row in rows] for tables in zip(*(rows_of(*one) for one in found)))
    seeds = sorted({yardstick.seeds for yardstick, *_ in found}, reverse=True)
    fewer = "".join(f", {yardstick.title}: {yardstick.seeds}" for yardstick, *_ in found if yardstick.seeds < seeds[0])
    header = ["task", "steps", "published", "Adam's envelope here", "difference", "best rate", "with falling rates"]
    return f"""![smoothed train losses against steps](pictures/{PICTURE})

{report.table(header, against)}

In brackets: steps until Adam's envelope has that loss, over the steps of the run.

{report.table(["task", "steps", "Adam's envelope", "Adam, 10^-3", *RULES], ours)}

Smoothed train losses, means over {seeds[0]} seeds{fewer}; with falling rates: 1. Real
data; {report.conditions("tensorflow", "numpy")}."""


def write(found, out):
    """The picture, and the section of OUT/one_run.md."""
    page.write("yardstick", PICTURE, lambda path: draw(found, path), section(found), out, "one_run.md", TITLE)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    report.folder_options(parser)
    parser.add_argument(
        "--runs", type=Path, metavar="DIR", required=True, help="Folder of the runs; those in it are not repeated."
    )
    parser.add_argument(
        "--only", nargs="+", choices=YARDSTICKS, default=[*YARDSTICKS], help="The tasks to measure. Default: all."
    )
    parser.add_argument(
        "--horizons", nargs="+", type=int, choices=HORIZONS, default=HORIZONS, help="Steps of the runs. Default: all."
    )
    arguments = parser.parse_args()
    start_tensorflow(threads=1)
    wanted = [one for one in YARDSTICKS.values() if one.name in arguments.only]
    found = [(one, *measure(one, arguments.runs, arguments.horizons)) for one in wanted]
    write(found, report.folder(arguments))


if __name__ == "__main__":
    main()
