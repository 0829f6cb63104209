"""Robustness to noise in the inputs: optimizers trained for the loss on noisy images, on real data.

    TFDS_DATA_DIR=DIR python -m tools.experiments.input_noise --out DIR | --publish --runs DIR [--minutes 4]

Question. The networks that an optimizer trains see clean images. If the optimizer itself was trained so that the loss on noisy
validation images becomes small, instead of the train loss, are the networks that come out more robust to noise? After Metz et
al. 2019 (arXiv 1906.03367).

Formula. The optimizer's objective at a step is the loss of the training batch, or the loss of a validation batch with N(0, s^2)
added to every pixel of [0, 1], s = 0 (none), .15 or .3. Reported: the accuracy of the networks at the end on noisy test images,
over noise levels, which are not those of the objectives alone.

Settings. Tiny_mlp_mnist_bs32_start1.0 on the real mnist: the first 1,000 training images, averaged to 8x8 pixels, a network of
one hidden layer of 32, 200 steps (6.4 epochs); 300 validation and 500 test images, two draws of noise of each. `mlp` and
`anchored` are trained by PES on this task alone, whole trainings of 200 steps in truncations of 20, so many core-minutes for
each of the four objectives (--minutes). By hand: for each noise level by itself, the setting with the best accuracy on
validation images of that level over 4 tuning seeds, of Adam's 19 rates, or of 256 drawn NAdamW settings with weight decay and
schedules. 12 other seeds for the table. Then, without further training, the same on fashion_mnist. DIR of --runs keeps the
trainings; the same command resumes them.
"""

import numpy as np

from tools import report
from tools.experiments import page
from tools.experiments.judging import ADAM_LABEL, JUDGING, SCALE, STEPS, TUNING, by_hand
from tools.experiments.tiny_problem import TASK
from tools.experiments.training import PES, loop_of, networks, over_networks, suite_of, train_for, training_command, whole

NOISE = {"noise 0.15": 0.15, "noise 0.3": 0.3}  # {objective: its standard deviation}
TRAINED_FOR = {"the train loss": "train", "noise 0": "valid"} | {name: f"noise_{stddev:g}" for name, stddev in NOISE.items()}
LEVELS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)  # of the test images'
TABLE = (0.0, 0.2, 0.4, 0.6)
OPTIMIZERS = {"mlp": {"pairs": 16, "learning_rate": 0.01}, "anchored": {"pairs": 32, "learning_rate": 0.003}}
NADAMW = "NAdamW with schedules, 256 drawn"
OTHER = "Tiny_mlp_fashion_mnist_bs32_start1.0"
SPLITS = ("valid_outer", "test")
DRAWS = 2  # of noise, for each image
PICTURE = "input_noise.png"


def register_objectives():
    """Register the noisy ones of TRAINED_FOR."""
    import learned
    from learned.outer_training.objectives import NoisyLoss

    for objective, stddev in NOISE.items():
        if TRAINED_FOR[objective] not in learned.registry.objectives.names():
            learned.register_objective(TRAINED_FOR[objective])(lambda stddev=stddev: NoisyLoss(stddev))


def train(optimizer, objective, folder, minutes):
    """(outer steps, core-minutes) of training an optimizer for one objective of TRAINED_FOR."""
    import learned

    register_objectives()
    options = learned.Options(
        optimizer, **PES, objective=TRAINED_FOR[objective], lengths=str(STEPS), slots=1, tasks_per_step=1, **OPTIMIZERS[optimizer]
    )
    return train_for(minutes, suite_of("input_noise", [TASK], STEPS, SCALE, "tfds"), options, folder)


def noisy(task, split, stddev):
    """All images of a split with noise, DRAWS times, as one batch; the same noise for every network, in units of `stddev`."""
    import tensorflow as tf

    from taskset.random import stateless

    batch = whole(task, split)
    images = tf.tile(batch["image"], [DRAWS, 1, 1, 1])
    noise = stateless.normal(stateless.as_key(SPLITS.index(split)), images.shape)
    return {"image": images + stddev * noise, "label": tf.tile(batch["label"], [DRAWS])}


def accuracies(task, split):
    """A function of parameters {path: tensor [networks, ..]}: accuracies [levels, networks] on the noisy images of a split."""
    import tensorflow as tf

    run = over_networks(lambda params, batch: task.loss_and_metrics(params, batch, tf.zeros([2], tf.int32))[1]["accuracy"])
    batches = [noisy(task, split, level) for level in LEVELS]
    return lambda params: np.array([run(params, batch).numpy() for batch in batches])


def trained(task, rules, seed):
    """Parameters at the end {path: [rules, ..]}, all of one seed; the rules differ in their hyperparameters only."""
    from taskset.execution.loop import calls

    loop, hparams = loop_of(task, rules, STEPS, STEPS)
    run = loop.start(seed)
    for count, raw in calls(loop, seed, STEPS, STEPS):
        loop.train(run, hparams, count, raw)
    return networks(loop, run, hparams, len(rules))


def by_seed(task, split, rules, seeds):
    """Accuracies [seeds, levels, rules]."""
    judged = accuracies(task, split)
    return np.array([judged(trained(task, rules, seed)) for seed in seeds])


def judge(task, runs):
    """{label: accuracies on test images [judging seeds, levels]}; by hand, each level has its own setting."""
    import learned

    found = {}
    for label, rules in by_hand().items():
        if label not in (ADAM_LABEL, NADAMW):
            continue
        best = by_seed(task, "valid_outer", rules, TUNING).mean(axis=0).argmax(axis=1)
        chosen = sorted(set(best.tolist()))
        judged = by_seed(task, "test", [rules[i] for i in chosen], JUDGING)
        found[label] = np.stack([judged[:, level, chosen.index(i)] for level, i in enumerate(best.tolist())], axis=1)
    for optimizer in OPTIMIZERS:
        for objective in TRAINED_FOR:
            rule = learned.load(runs / folder_of(optimizer, objective) / "checkpoint.npz")
            found[title(optimizer, objective)] = by_seed(task, "test", [rule], JUDGING)[..., 0]
    for label, values in found.items():
        print(f"{task.name}, {label}: {', '.join(f'{x:.3f}' for x in values.mean(axis=0))}", flush=True)
    return found


def folder_of(optimizer, objective):
    """The folder of a training."""
    return f"{optimizer}_{TRAINED_FOR[objective]}"


def title(optimizer, objective):
    """What a trained optimizer is called."""
    return f"{optimizer}, trained for {objective}"


def measure(runs, minutes):
    """({title: (outer steps, core-minutes)}, {task: {label: accuracies [seeds, levels]}})."""
    from taskset.catalogue import get_task

    spent = {}
    for optimizer in OPTIMIZERS:
        for objective in TRAINED_FOR:
            spent[title(optimizer, objective)] = train(optimizer, objective, runs / folder_of(optimizer, objective), minutes)
    return spent, {name: judge(get_task(name, "tfds"), runs) for name in (TASK, OTHER)}


def draw(found, path):
    """Test accuracy against the noise of the test images, a panel for each task."""
    with page.figure(path, size=(10, 4.6), columns=len(found), sharex=True, sharey=True) as (figure, panels):
        styles = {"Adam": ("k", "--"), "NAdamW": ("0.5", "--")}
        for axes, (name, labels) in zip(panels, found.items()):
            for label, values in labels.items():
                optimizer, _, objective = label.partition(", trained for ")
                if objective:
                    color, line = f"C{list(TRAINED_FOR).index(objective)}", "-" if optimizer == "mlp" else ":"
                else:
                    color, line = styles[label.split()[0].rstrip(",")]
                axes.plot(LEVELS, 100 * values.mean(axis=0), line, color=color, label=label, marker=".")
            axes.set(
                xlabel="noise of the test images (standard deviation)", ylabel="test accuracy, %", title=name, ylim=(0, None)
            )
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower center", ncols=3, fontsize=8)


def section(spent, found):
    """Figure and numbers in Markdown."""
    parts = []
    for name, labels in found.items():
        rows = []
        for label, values in labels.items():
            cells = [page.with_interval(100 * values[:, LEVELS.index(level)]) for level in TABLE]
            steps = f"{spent[label][0]:,}" if label in spent else ""
            rows.append([label, steps, *cells])
        parts += [f"Test accuracy in per cent on `{name}`, by the noise of the test images:",
                  report.table(["optimizer", "outer steps", *(f"noise {level:g}" for level in TABLE)], rows)]  # fmt: skip
    minutes = max(used for _, used in spent.values())
    return f"""![test accuracy against the noise of the test images](pictures/{PICTURE})

{(chr(10) * 2).join(parts)}

Brackets: 95% bootstrap intervals over {len(JUDGING)} seeds. By hand, each noise level has the setting that was best on
validation images with that noise on {len(TUNING)} tuning seeds of the same task. Each outer training: {minutes:.1f}
core-minutes on the first task alone. Real images of mnist and fashion_mnist, averaged to 8x8 pixels;
{report.conditions("tensorflow", "numpy")}."""


def write(spent, found, out):
    """The picture, and the section of the document."""
    page.write("input-noise", PICTURE, lambda path: draw(found, path), section(spent, found), out)


if __name__ == "__main__":
    training_command(__doc__, 4.0, measure, write)
