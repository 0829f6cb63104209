"""Ladders away from the training distribution: pretrained optimizers beside Adam, one property of the task changed at a time.

    python -m tools.experiments.ladders --out DIR | --publish [--runs DIR]

Question. On a task like those that they were trained on, three pretrained optimizers need no tuning. How far may width, depth,
activation, batch size, horizon, the scale of parameters, noise in the inputs and the data set be from there? The ladders are
those that talks on learned optimizers (Metz et al. 2020, arXiv 2009.11243) announce as out of distribution.

Formula. The base is a network of two hidden layers of 32 ReLUs on images of 8x8 pixels (`learned.tasks.tiny_images`), 10 classes,
batches of 32, 200 steps. A rung changes one of:

    parameter scale s     w_0 = w0 / s, loss L(s w): the same losses for a rule that scales with its parameters
    input noise           N(0, stddev^2) is added to every pixel of [0, 1], in every step anew
    horizon               the number of steps; it is reported to optimizers that read it

The score is the mean loss of the training batches in the last tenth of the steps, in nats; 2 log 10 = 4.6 counts for what is
higher or not finite. Adam tuned has the best mean score of 13 rates on each rung; Adam with one rate has that of the base on
all.

Settings. Rates 1e-5, 3e-5 .. 10; 3 seeds, all optimizers with the same starts and batches; synthetic data. --runs DIR keeps
finished rungs in DIR/rungs.jsonl, and the same command resumes.
"""

import json
import math
from pathlib import Path

import numpy as np

from tools import report
from tools.experiments import page
from tools.experiments.judging import last_tenth
from tools.experiments.training import train_losses, train_losses_of_many

BASE = {
    "width": 32, "depth": 2, "activation": "relu", "batch": 32, "horizon": 200, "scale": 1.0, "noise": 0.0, "dataset": "mnist",
}  # fmt: skip
LADDERS = {
    "width": (8, 16, 32, 64, 128, 256),
    "depth": (1, 2, 4, 7, 10),
    "activation": ("relu", "elu", "tanh", "sigmoid"),
    "batch": (2, 8, 32, 128, 256),
    "horizon": (40, 200, 1000, 5000),
    "scale": (0.01, 0.1, 1.0, 10.0, 100.0),
    "noise": (0.0, 0.1, 0.3, 1.0),
    "dataset": ("mnist", "fashion_mnist", "cifar10", "coil100_32x32"),
}
TITLES = {"batch": "batch size", "scale": "parameter scale", "noise": "input noise", "dataset": "data set"}
RATES = tuple(10.0 ** (k / 2) for k in range(-10, 3))
SEEDS, WORST = 3, 2 * math.log(10)
LEARNED = ("anchored_wide", "anchored_controller", "mlp_pes")
TUNED, ONE = "Adam, tuned on each rung", "Adam, one rate"
PICTURE = "ladders.png"


def task(config):
    """The task of a rung; config: as BASE."""
    import sonnet as snt
    import tensorflow as tf

    from learned.tasks.tiny_image_data import CLASSES, TinyImages
    from taskset.random import stateless
    from taskset.tasks import initializers
    from taskset.tasks.base import Model, Task
    from taskset.tasks.images import classification

    scale, w_init = config["scale"], initializers.variance_scaling(2.0 / config["scale"] ** 2, "fan_in", "truncated_normal")
    activation = {"relu": tf.nn.relu, "elu": tf.nn.elu, "tanh": tf.tanh, "sigmoid": tf.sigmoid}[config["activation"]]

    def layer(x, units, name):
        return scale * snt.Linear(units, w_init=w_init, name=name)(x)

    def loss(batch, key):
        x = snt.flatten(batch["image"])
        if config["noise"]:
            x += config["noise"] * stateless.normal(key, x.shape, x.dtype)
        for i in range(config["depth"]):
            x = activation(layer(x, config["width"], f"hidden_{i}"))
        return classification(layer(x, CLASSES, "logits"), batch["label"])

    return Task("ladder", "ladder", config, Model(loss, TinyImages(config["dataset"], config["batch"])), "synthetic")


def score(losses):
    """The mean of the last tenth of losses [steps, ..]; the mean, and each loss that is not finite, counts as WORST at most."""
    end = last_tenth(losses)
    return np.minimum(np.where(np.isfinite(end), end, WORST).mean(axis=0), WORST)


def scores(config, seeds=SEEDS, rates=RATES):
    """{optimizer: scores [seeds]} of one rung; Adam's are [seeds][rates], under "Adam"."""
    import learned
    from taskset.optimizers import adaptive

    # One interval for all: the program is the same for all horizons.
    built, settings = task(config), (range(seeds), config["horizon"], BASE["horizon"])
    adam = train_losses_of_many(built, [adaptive.adam(rate) for rate in rates], *settings)
    found = {"Adam": [score(one).tolist() for one in adam]}
    for name in LEARNED:
        found[name] = [float(score(one)) for one in train_losses(built, learned.load(name), *settings)]
    return found


def measure(kept=None):
    """{ladder: {rung: scores}}; kept: a file of finished rungs, or None."""
    done = {}
    if kept and kept.exists():
        for line in map(json.loads, kept.read_text().splitlines()):
            done[json.dumps(line["measured"])] = line["scores"]
    found = {}
    for ladder, rungs in LADDERS.items():
        found[ladder] = {}
        for rung in rungs:
            config = {**BASE, ladder: rung}
            measured = {"config": config, "seeds": SEEDS, "rates": RATES, "learned": LEARNED}
            key = json.dumps(measured)
            if key not in done:
                done[key] = scores(config)
                if kept:
                    kept.parent.mkdir(parents=True, exist_ok=True)
                    with kept.open("a") as file:
                        file.write(json.dumps({"measured": measured, "scores": done[key]}) + "\n")
            found[ladder][rung] = done[key]
            listed = ", ".join(f"{name} {np.mean(x):.3g}" for name, x in curves(done[key], best_rate(found)).items())
            print(f"{ladder} {rung}: {listed}", flush=True)
    return found


def best_rate(found, ladder="width"):
    """The index of the rate with the best mean score on the base (or, before it is measured, on the first rung)."""
    rungs = found[ladder]
    return int(np.mean(rungs.get(BASE[ladder], next(iter(rungs.values())))["Adam"], axis=0).argmin())


def curves(rung, one):
    """{optimizer: scores [seeds]} of a rung, with Adam tuned and Adam at the rate of index `one`."""
    adam = np.array(rung["Adam"])
    return {
        TUNED: adam[:, adam.mean(axis=0).argmin()],
        ONE: adam[:, one],
        **{name: np.array(rung[name]) for name in LEARNED},
    }


def named(rung):
    """A rung as text."""
    return rung if isinstance(rung, str) else f"{rung:g}"


def draw(found, path):
    """One panel per ladder: score against rung."""
    one = best_rate(found)
    with page.figure(path, size=(14, 6.4), rows=2, columns=4) as (figure, axes):
        for panel, (ladder, rungs) in zip(axes.flat, found.items()):
            places = np.arange(len(rungs))
            for i, (name, mark) in enumerate(zip((TUNED, ONE, *LEARNED), "osv^D")):
                values = np.array([curves(rung, one)[name] for rung in rungs.values()])
                middle = values.mean(axis=1)
                spread = np.maximum(0, [middle - values.min(axis=1), values.max(axis=1) - middle])
                at = places + 0.06 * (i - 2)
                panel.errorbar(at, middle, spread, fmt=f"{mark}-", color=f"C{i}", markersize=4, linewidth=1, label=name)
            panel.axvline(list(rungs).index(BASE[ladder]), color="0.85", linewidth=6, zorder=0)
            panel.set_xticks(places, [named(rung).split("_")[0] for rung in rungs])
            panel.set(title=TITLES.get(ladder, ladder), yscale="log")
        for panel in axes[:, 0]:
            panel.set_ylabel("train loss at the end, nats")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=9)


def rows(found):
    """Rows of the table: means, lowest and highest over the seeds."""
    one = best_rate(found)
    for ladder, rungs in found.items():
        for rung, rung_scores in rungs.items():
            cells = [f"{x.mean():.3g} [{x.min():.3g}, {x.max():.3g}]" for x in curves(rung_scores, one).values()]
            rate = RATES[int(np.mean(rung_scores["Adam"], axis=0).argmin())]
            shown = f"**{named(rung)}**" if rung == BASE[ladder] else named(rung)
            yield [TITLES.get(ladder, ladder), shown, *cells, f"{rate:.0e}"]


def section(found):
    """Figure and numbers in Markdown."""
    header = ["ladder", "rung", TUNED, f"{ONE}, {RATES[best_rate(found)]:.0e}", *LEARNED, "best rate of Adam"]
    return f"""![train loss at the end along eight ladders; gray: the base](pictures/{PICTURE})

{report.table(header, list(rows(found)))}

Mean loss of the training batches in the last tenth of the steps, nats, at most {WORST:.1f}; bold: the base.
Means, and in brackets the lowest and the highest, of {SEEDS} seeds; synthetic data;
{report.conditions("tensorflow", "numpy")}."""


def write(found, out):
    """The picture, and the section of the document."""
    page.write("ladders", PICTURE, lambda path: draw(found, path), section(found), out)


def main():
    parser = page.parser_of(__doc__)
    parser.add_argument("--runs", type=Path, metavar="DIR", help="Keep finished rungs in this folder, and resume from it.")
    arguments, folder = page.started(parser)
    write(measure(arguments.runs and arguments.runs / "rungs.jsonl"), folder)


if __name__ == "__main__":
    main()
