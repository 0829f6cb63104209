"""Trained for the train or for the validation loss, beside rules by hand tuned on either, with regularisation and without.

    TFDS_DATA_DIR=DIR python -m tools.experiments.objectives --out DIR | --publish --runs DIR [--minutes 4]

Question. Outer training can make the train loss small, or the loss on images that gradients never see. Does an optimizer that
was trained for the second one regularise, on problems that it has never seen? And is that more than what a search over Adam's
settings with penalties and decay of the rate finds?

Formula. The objective of outer training is the mean over a run of the loss of training batches (train) or of batches of
validation images at the same parameters (valid). A run is judged after every 50 steps by its loss on all training images and on
all test images. By hand, the setting is tuned on each problem by itself, by the loss at the end on training images, or on
validation images; the test images choose nothing.

Settings. Problems: an MLP 64-32-10 on the first 1,000 training images of the real mnist and fashion_mnist, averaged to 8x8
pixels, batches of 32, 1,000 steps (32 epochs), so that fitting the training images and doing well on others part. 300
validation and 500 test images. `anchored`, from the pretrained `anchored_wide`, is trained on by ES-Single on the same network
with three scales of its start, on the synthetic stand-ins of three other data sets: those of which validation images tell
anything at this size. Losses are normalized as in the suite tiny:1; episodes grow from 100 to 1,000 steps over 1,000 outer
steps, in truncations of 20 steps, so many core-minutes for each of the two objectives (--minutes). By hand: 95 settings of
momentum, 19 of Adam, 38 of RMSProp, 256 of adam8p (betas, epsilon, penalties on |w| and on w^2, two decays of the rate). 4
tuning seeds, 12 other seeds for the table. DIR of --runs keeps the trainings; the same command resumes them.
"""

import re

import numpy as np

from tools import report
from tools.experiments import page
from tools.experiments.judging import JUDGING, TUNING, by_hand
from tools.experiments.training import (
    HELD_OUT,
    SINGLE,
    loop_of,
    networks,
    over_networks,
    tiny_name,
    tiny_suite,
    train_for,
    training_command,
    whole,
)

STEPS, EVERY = 1000, 50
OBJECTIVES = ("train", "valid")
LENGTHS = "linear:100:1000:1000"  # of episodes
TRAINED_ON = ("cifar10", "deep_weeds_32x32", "colorectal_histology_32x32")
OPTIMIZERS = {"anchored": 0.001}  # outer learning rates
START = "anchored_wide"  # pretrained: what training goes on from
HANDS = ("momentum", "Adam, 19", "RMSProp", "adam8p")  # of `by_hand`, how their names begin
SPLITS = {"train": "train", "valid": "valid_outer", "test": "test"}
PICTURE = "objectives.png"
LONG = re.compile(r"\d+\.\d{4,}")  # a number with more digits than a table needs


def train(optimizer, objective, folder, minutes):
    """(outer steps, core-minutes) of training an optimizer for one objective."""
    import learned
    from learned.deploy import pretrained
    from learned.outer_training import checkpoint, start_weights

    start = start_weights.read(pretrained.find(START), learned.optimizers.get(optimizer))
    options = learned.Options(
        optimizer, **SINGLE, objective=objective, pairs=8, lengths=LENGTHS, slots=8, tasks_per_step=4,
        learning_rate=OPTIMIZERS[optimizer], start=checkpoint.digest(start),
    )  # fmt: skip
    return train_for(minutes, suite(), options, folder, start=start)


def suite():
    """The tasks to train on, with the scales of tiny:1."""
    from learned.tasks.tiny_images import STARTS

    return tiny_suite("objectives", [tiny_name("tiny_mlp", one, start) for one in TRAINED_ON for start in STARTS], STEPS)


def evaluation(task):
    """A function of parameters {path: tensor [networks, ..]}: {split: losses [networks] on all of its images}."""
    import tensorflow as tf

    run = over_networks(lambda params, batch: task.loss(params, batch, tf.zeros([2], tf.int32)))
    batches = {name: whole(task, split) for name, split in SPLITS.items()}
    return lambda params: {name: run(params, batch).numpy() for name, batch in batches.items()}


def curves(task, rules, seeds):
    """{split: losses [seeds, evaluations, rules]} at step 0 and after every EVERY steps.

    The rules differ in their hyperparameters only. A loss counts as at most 2 log 10, the double of guessing.
    """
    from taskset.execution.loop import calls

    (loop, hparams), evaluate = loop_of(task, rules, STEPS, EVERY), evaluation(task)
    found = {split: [] for split in SPLITS}
    for seed in seeds:
        run, each = loop.start(seed), []
        drawn = calls(loop, seed, STEPS, EVERY)
        for at in range(0, STEPS + 1, EVERY):
            each.append(evaluate(networks(loop, run, hparams, len(rules))))
            if at < STEPS:
                count, raw = next(drawn)
                loop.train(run, hparams, count, raw)
        for split, values in found.items():
            values.append([one[split] for one in each])
    worst = 2 * np.log(10)
    stacked = {split: np.array(values, np.float64) for split, values in found.items()}
    return {split: np.minimum(np.where(np.isfinite(values), values, worst), worst) for split, values in stacked.items()}


def tuned(task, rules):
    """{objective: (name of the setting, {split: losses [judging seeds, evaluations]})}."""
    ends = {split: values[:, -1].mean(axis=0) for split, values in curves(task, rules, TUNING).items()}
    best = {objective: int(ends[objective].argmin()) for objective in OBJECTIVES}
    chosen = sorted(set(best.values()))
    judged = curves(task, [rules[i] for i in chosen], JUDGING)
    return {
        objective: (rules[i].name, {split: values[..., chosen.index(i)] for split, values in judged.items()})
        for objective, i in best.items()
    }


def judge(task, trained, hands=HANDS):
    """{label: {split: losses [judging seeds, evaluations]}}, and {label: name of the setting} of rules by hand.

    trained: {label: weights of a learned optimizer}; hands: of `by_hand`, how their names begin.
    """
    import learned

    found, settings = {}, {}
    for label, rules in by_hand().items():
        if label.startswith(hands):
            for objective, (name, values) in tuned(task, rules).items():
                settings[title(label, objective)], found[title(label, objective)] = name, values
    for label, weights in trained.items():
        values = curves(task, [learned.load(weights)], JUDGING)
        found[label] = {split: each[..., 0] for split, each in values.items()}
    for label, values in found.items():
        ends = ", ".join(f"{split} {each[:, -1].mean():.4f}" for split, each in values.items())
        print(f"{task.name}, {label}: {ends} {settings.get(label, '')}", flush=True)
    return found, settings


def folder_of(optimizer, objective):
    """The folder of a training."""
    return f"{optimizer}_{objective}"


def title(label, objective):
    """What an optimizer is called: by hand it is tuned, else trained."""
    return f"{label}, {'trained' if label in OPTIMIZERS else 'tuned'} for {objective}"


def whose(label):
    """The optimizer of a label, whatever it was tuned or trained for."""
    return label.rpartition(", ")[0] or label


def measure(runs, minutes):
    """({label: (outer steps, core-minutes)}, {task: (losses, settings) of `judge`})."""
    from taskset.catalogue import get_task

    spent, trained = {}, {START: START}
    for optimizer in OPTIMIZERS:
        for objective in OBJECTIVES:
            folder = runs / folder_of(optimizer, objective)
            spent[title(optimizer, objective)] = train(optimizer, objective, folder, minutes)
            trained[title(optimizer, objective)] = folder / "checkpoint.npz"
    names = [tiny_name("tiny_mlp", one) for one in HELD_OUT]
    return spent, {name: judge(get_task(name, "tfds"), trained) for name in names}


def draw(found, path):
    """Losses on training and on test images against steps; a row for each problem."""
    with page.figure(path, size=(10, 4 * len(found)), rows=len(found), columns=2, squeeze=False) as (figure, panels):
        at = np.arange(0, STEPS + 1, EVERY)
        for row, (name, (labels, _)) in zip(panels, found.items()):
            for axes, split in zip(row, ("train", "test")):
                colours = {name: f"C{i}" for i, name in enumerate(dict.fromkeys(map(whose, labels)))}
                for label in labels:
                    style = {"train": "-", "valid": "--"}.get(label.rpartition(" for ")[2], ":")
                    axes.plot(at, labels[label][split].mean(axis=0), style, color=colours[whose(label)], label=label)
                axes.set(xlabel="steps", ylabel=f"loss on {split} images, nats", yscale="log", title=name)
        handles, names = panels[0][0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=3, fontsize=8)


def section(spent, found):
    """Figure and numbers in Markdown."""
    parts = []
    for name, (labels, settings) in found.items():
        rows = []
        for label, values in labels.items():
            ends = [page.with_interval(values[split][:, -1]) for split in ("train", "test")]
            least = page.with_interval(values["test"].min(axis=1))
            setting = LONG.sub(lambda digits: f"{float(digits[0]):.3g}", settings.get(label, label))
            note = f"{spent[label][0]:,} outer steps" if label in spent else f"`{setting}`"
            rows.append([label, note, *ends, least])
        header = ["optimizer", "setting, or training", "train loss at the end", "test loss at the end", "least test loss"]
        parts += [f"On `{name}`:", report.table(header, rows)]
    minutes = max(used for _, used in spent.values())
    return f"""![losses on training and on test images](pictures/{PICTURE})

{(chr(10) * 2).join(parts)}

Losses in nats on all training or test images, {len(JUDGING)} seeds that were not tuned on; brackets: 95% bootstrap intervals over
them. Least: of each run by itself, what stopping early at the best moment would give. Each outer training: {minutes:.1f}
core-minutes, on synthetic data. Real images of mnist and fashion_mnist;
{report.conditions("tensorflow", "numpy")}."""


def write(spent, found, out):
    """The picture, and the section of the document."""
    page.write("objectives", PICTURE, lambda path: draw(found, path), section(spent, found), out)


if __name__ == "__main__":
    training_command(__doc__, 4.0, measure, write)
