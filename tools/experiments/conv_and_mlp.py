"""From convolutional to fully connected nets and back: is an optimizer that was trained on one kind of net any good on the
other?

    python -m tools.experiments.conv_and_mlp --out DIR | --publish --runs DIR [--minutes 5]

Question. `anchored`, which starts as NAdam, is trained on tiny convolutional nets alone, or on tiny fully connected nets
alone. How much does it lose on the other kind, beside Adam with a rate that was tuned on the other kind?

Formula. The score is the mean of the train losses in the last tenth of 200 steps, in nats.

Settings. Nets and data are those of `learned.tasks.tiny_images` (8x8 pixels, batches of 32, synthetic): Tiny_conv_* or Tiny_mlp_*
of eight data sets for training, with the loss scales of the suite tiny:1; mnist and fashion_mnist, which are not among them, for
the table. ES-Single for the mean of the loss, whole trainings of 200 steps in truncations of 20, four data sets with 8 pairs each
in an outer step, gradients with a norm of at most 1; a task stays until each pair has ended four trainings of it. Three outer
seeds for each kind, the same core-minutes for all (--minutes). Adam: 19 rates, tuned on 4 seeds of the same data set; 12 other
seeds for the table. DIR of --runs keeps the trainings; the same command resumes them.
"""

import numpy as np

from taskset.scoring import statistics
from tools import report
from tools.experiments import page
from tools.experiments.judging import ADAM_LABEL, JUDGING, STEPS, best_by_tuning, by_hand, scores
from tools.experiments.training import (
    HELD_OUT,
    SINGLE,
    tiny_name,
    tiny_suite,
    train_for,
    train_losses,
    train_losses_of_many,
    training_command,
    untrained,
)

KINDS = {"mlp": "fully connected", "conv": "convolutional"}
OUTER_SEEDS = (0, 1, 2)
PICTURE = "conv_and_mlp.png"


def label_of(kind, seed):
    """What an optimizer that was trained on nets of one kind is called."""
    return f"anchored, trained on {KINDS[kind]} nets, outer seed {seed}"


def train(kind, seed, folder, minutes):
    """(outer steps, core-minutes) of training on nets of one kind."""
    import learned
    from learned.tasks.tiny_image_data import SETS

    suite = tiny_suite(kind, [tiny_name(f"tiny_{kind}", one) for one in SETS if one not in HELD_OUT], STEPS)
    options = learned.Options(
        "anchored", **SINGLE, seed=seed, pairs=8, lengths=str(STEPS), slots=8, tasks_per_step=4, learning_rate=0.003
    )
    return train_for(minutes, suite, options, folder)


def measure(runs, minutes):
    """({label: (outer steps, core-minutes)}, {(kind, data set): {optimizer: scores [seeds]}})."""
    import learned
    from taskset.catalogue import get_task

    folders = {(kind, seed): runs / f"{kind}_{seed}" for kind in KINDS for seed in OUTER_SEEDS}
    spent = {label_of(*which): train(*which, folder, minutes) for which, folder in folders.items()}
    trained = {label_of(*which): learned.load(folder / "checkpoint.npz") for which, folder in folders.items()}
    tasks = {(kind, one): get_task(tiny_name(f"tiny_{kind}", one), "synthetic") for kind in KINDS for one in HELD_OUT}
    rules, best, found = by_hand()[ADAM_LABEL], {}, {}
    for place, task in tasks.items():
        best[place] = best_by_tuning(task, rules)
    for (kind, dataset), task in tasks.items():
        adam = scores(train_losses_of_many(task, rules, JUDGING, STEPS))["end"]
        found[kind, dataset] = {f"Adam, tuned on {KINDS[other]} nets": adam[:, best[other, dataset]] for other in KINDS}
        for label, rule in {"anchored, untrained (NAdam)": untrained("anchored"), **trained}.items():
            found[kind, dataset][label] = scores(train_losses(task, rule, JUDGING, STEPS))["end"]
        listed = ", ".join(f"{label} {x.mean():.4f}" for label, x in found[kind, dataset].items())
        print(f"{kind}, {dataset}: {listed}", flush=True)
    return spent, found


def draw(found, path):
    """One group of bars per kind of net and data set."""
    with page.figure(path, size=(9, 4.6)) as (figure, axes):
        names = list(next(iter(found.values())))
        kinds = list(dict.fromkeys(name.partition(", outer seed")[0] for name in names))
        width = 0.85 / len(names)
        for i, name in enumerate(names):
            middle = np.array([np.mean(chosen[name]) for chosen in found.values()])
            low, high = np.transpose([statistics.interval(chosen[name], statistics.mean) for chosen in found.values()])
            at = np.arange(len(found)) + width * (i - (len(names) - 1) / 2)
            kind, _, seed = name.partition(", outer seed ")
            label = f"{kind}, {len(OUTER_SEEDS)} outer seeds" if seed == "0" else None if seed else kind
            axes.bar(at, middle, 0.94 * width, yerr=[middle - low, high - middle], color=f"C{kinds.index(kind)}", label=label)
        axes.set_xticks(np.arange(len(found)), [f"{KINDS[kind]},\n{dataset}" for kind, dataset in found])
        axes.set(ylabel="train loss at the end, nats")
        figure.legend(loc="outside lower center", ncols=2, fontsize=8)


def section(spent, found):
    """Figure and numbers in Markdown."""
    header = ["optimizer", *(f"{KINDS[kind]}, {dataset}" for kind, dataset in found)]
    cells = [[name, *(page.with_interval(chosen[name]) for chosen in found.values())] for name in next(iter(found.values()))]
    steps = {kind: [spent[label_of(kind, seed)][0] for seed in OUTER_SEEDS] for kind in KINDS}
    trained = "; ".join(f"{KINDS[kind]}: {min(each):,} to {max(each):,} outer steps" for kind, each in steps.items())
    minutes = max(used for _, used in spent.values())
    return f"""![train loss at the end on both kinds of net](pictures/{PICTURE})

{report.table(header, cells)}

Train loss in the last tenth of {STEPS} steps, nats; brackets: 95% bootstrap intervals over {len(JUDGING)} seeds. Trained for
{minutes:.1f} core-minutes each, {trained}. Synthetic data;
{report.conditions("tensorflow", "numpy")}."""


def write(spent, found, out):
    """The picture, and the section of the document."""
    page.write("conv-and-mlp", PICTURE, lambda path: draw(found, path), section(spent, found), out)


if __name__ == "__main__":
    training_command(__doc__, 5.0, measure, write)
