"""Architectures of learned optimizers against the computing that training them took.

    python -m tools.experiments.architectures --out DIR | --publish --runs DIR [--minutes 5]

Question. A rule that computes more for each parameter can express more, and gets fewer outer steps for the same computing. Four
rules, trained in the same way for the same core-minutes: which gives the lowest loss on tasks that it was not trained on, by
outer steps, and by core-minutes?

Formula. The score is the mean of the train losses in the last tenth of 200 steps, in nats, over 12 seeds and the held-out tasks.

Settings. Training tasks: Tiny_mlp_* of eight data sets (8x8 pixels, batches of 32, synthetic); held out: the same on mnist and
fashion_mnist, and a convolutional net on mnist, from no family of the training. ES-Single for the mean of the loss, whole
trainings of 200 steps in truncations of 20, four tasks with 8 pairs each in an outer step, gradients with a norm of at most 1; a
task stays until each pair has ended four trainings of it. Each rule starts from its own initial weights,
of which those of `anchored` are NAdam's, and is trained with three outer learning rates; the best counts, by its score at the
end on two of the training tasks. Core-minutes include compilation. Adam: the best of 19 rates on each held-out task, tuned on
4 other seeds. DIR of --runs keeps the trainings; the same command resumes them.
"""

import numpy as np

from tools import report
from tools.experiments import page
from tools.experiments.judging import ADAM_LABEL, JUDGING, SCALE, STEPS, TUNING, best_by_tuning, by_hand, scores
from tools.experiments.training import (
    HELD_OUT,
    SHARES,
    SINGLE,
    kept_weights,
    suite_of,
    tiny_name,
    train_for,
    train_losses,
    training_command,
)

MARKS = "os^D"  # of the rules, in their order
RULES = ("mlp", "adafac_mlp", "hierarchical", "anchored")
RATES = (0.001, 0.003, 0.01)
CHOOSING = ("cifar10", "food101_32x32")  # training tasks, on which the outer learning rate is chosen
JUDGED = (*(("mlp", one) for one in HELD_OUT), ("conv", "mnist"))
PICTURE = "architectures.png"


def train(rule, rate, folder, minutes):
    """Train a rule with an outer learning rate, keeping weights after each of SHARES."""
    import learned
    from learned.tasks.tiny_image_data import SETS

    suite = suite_of("architectures", [tiny_name("tiny_mlp", one) for one in SETS if one not in HELD_OUT], STEPS, SCALE)
    options = learned.Options(rule, **SINGLE, pairs=8, lengths=str(STEPS), slots=8, tasks_per_step=4, learning_rate=rate)
    return train_for(minutes, suite, options, folder, keep_at=[share * minutes for share in SHARES])


def ends(rule, places, seeds):
    """Scores [seeds, places] of a rule on tasks (kind, data set)."""
    from taskset.catalogue import get_task

    tasks = [get_task(tiny_name(f"tiny_{kind}", dataset), "synthetic") for kind, dataset in places]
    return np.stack([scores(train_losses(task, rule, seeds, STEPS))["end"] for task in tasks], axis=1)


def adam():
    """Scores [seeds, places] of Adam, tuned on each of JUDGED."""
    from taskset.catalogue import get_task

    found = []
    for kind, dataset in JUDGED:
        task, rules = get_task(tiny_name(f"tiny_{kind}", dataset), "synthetic"), by_hand()[ADAM_LABEL]
        best = best_by_tuning(task, rules)
        found.append(scores(train_losses(task, rules[best], JUDGING, STEPS))["end"])
    return np.stack(found, axis=1)


def measure(runs, minutes):
    """({rule: (outer rate, {core-minutes: (outer steps, scores [seeds, places])})}, Adam's scores [seeds, places])."""
    import learned

    found = {}
    for rule in RULES:
        chosen = {}
        for rate in RATES:
            folder = runs / f"{rule}_{rate:g}"
            train(rule, rate, folder, minutes)
            *_, (_, last) = kept_weights(folder).values()
            chosen[rate] = ends(learned.load(last), [("mlp", one) for one in CHOOSING], TUNING).mean()
        rate = min(chosen, key=chosen.get)
        kept = kept_weights(runs / f"{rule}_{rate:g}")
        found[rule] = rate, {at: (steps, ends(learned.load(file), JUDGED, JUDGING)) for at, (steps, file) in kept.items()}
        listed = ", ".join(f"{at:g} min ({steps}): {values.mean():.4f}" for at, (steps, values) in found[rule][1].items())
        tried = ", ".join(f"{one:g}: {score:.3f}" for one, score in chosen.items())
        print(f"{rule}, outer rate {rate:g} (scores of all: {tried}): {listed}", flush=True)
    return found, adam()


def draw(found, adam_scores, path):
    """Held-out loss against core-minutes, and against outer steps."""
    with page.figure(path, size=(10, 4.2), columns=2, sharey=True) as (_, panels):
        for i, (rule, (_, kept)) in enumerate(found.items()):
            values = [scored.mean() for _, scored in kept.values()]
            for axes, at in zip(panels, (list(kept), [steps for steps, _ in kept.values()])):
                axes.plot(at, values, f"{MARKS[i]}-", color=f"C{i}", label=rule)
        for axes, label in zip(panels, ("core-minutes of outer training", "outer steps")):
            axes.axhline(adam_scores.mean(), color="0.5", linestyle="--", label="Adam, tuned on each task")
            axes.set(xlabel=label, xscale="log")
        minutes = sorted({at for _, kept in found.values() for at in kept})
        panels[0].set_xticks(minutes, [f"{at:g}" for at in minutes])
        panels[0].set_xticks([], minor=True)
        panels[0].set(ylabel="train loss at the end, nats", yscale="log")
        panels[0].legend(fontsize=8)


def section(found, adam_scores):
    """Figure and numbers in Markdown."""
    names = [f"{kind}, {dataset}" for kind, dataset in JUDGED]
    rows = []
    for rule, (rate, kept) in found.items():
        for at, (steps, values) in kept.items():
            cells = [page.with_interval(values[:, i]) for i in range(len(JUDGED))]
            rows.append([rule, f"{rate:g}", f"{at:g}", f"{steps:,}", page.with_interval(values.mean(axis=1)), *cells])
    cells = [page.with_interval(adam_scores[:, i]) for i in range(len(JUDGED))]
    rows.append(["Adam, tuned on each task", "", "", "", page.with_interval(adam_scores.mean(axis=1)), *cells])
    header = ["rule", "outer rate", "core-minutes", "outer steps", "mean of the three", *names]
    return f"""![held-out loss against core-minutes and outer steps](pictures/{PICTURE})

{report.table(header, rows)}

Train loss in the last tenth of {STEPS} steps, nats; brackets: 95% bootstrap intervals over {len(JUDGING)} seeds of the inner
trainings; one outer training of each rule and rate. Synthetic data; {report.conditions("tensorflow", "numpy")}."""


def write(found, adam_scores, out):
    """The picture, and the section of the document."""
    page.write("architectures", PICTURE, lambda path: draw(found, adam_scores, path), section(found, adam_scores), out)


if __name__ == "__main__":
    training_command(__doc__, 5.0, measure, write)
