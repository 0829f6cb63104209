"""Task-specific: optimizers trained on one task against everything tuned on that task.

    python -m tools.experiments.one_task --out DIR | --publish --runs DIR [--minutes 2.7]

Question. The opening example of talks on learned optimizers: trained on a single task, a learned optimizer is much faster on
it than any rule by hand that was tuned on it as well. Does that hold here, for whom, and for how much computing?

Formula. Two scores of a training of T steps with train losses l_1 .. l_T: the mean of all (what outer training makes small)
and the mean of the last tenth. A rule by hand is tuned for each score by itself: the best mean over the tuning seeds of all
its settings. Speed-up: the T steps of tuned Adam over the steps that another takes to the loss where Adam ends; losses are
the means over the seeds, smoothed over 20 steps.

Settings. Tiny_mlp_mnist_bs32_start1.0 (2,410 weights, synthetic data), T = 200. Trained for the mean of the normalized train
loss, whole trainings of 200 steps in truncations of 20, so many core-minutes each (--minutes): `anchored`, which starts as
NAdam; `mlp`, which starts as nothing; `learnable_adam`, Adam with four weights. Each by two recipes: PES with entries of the
gradient clipped at .1, and the best recipe of outer_recipes.py, ES-Single with gradients of norm 1 at most. Tuned by hand: see
`by_hand`. 4 tuning seeds, 12 other seeds for the table. Then the trained ones elsewhere, without further training: on another
data set, on a convolutional net, over 1,000 steps. DIR of --runs keeps the trainings; the same command resumes them.
"""

import itertools

import numpy as np

from tools import report
from tools.experiments import page
from tools.experiments.judging import (
    ADAM_LABEL,
    JUDGING,
    SCALE,
    STEPS,
    TUNING,
    best_by_tuning,
    by_hand,
    first_step_at,
    moving_mean,
    scores,
)
from tools.experiments.tiny_problem import TASK
from tools.experiments.training import PES, SINGLE, suite_of, train_for, train_losses, train_losses_of_many, training_command

RECIPES = {"PES": PES, "ES-Single": SINGLE}
RULES = {
    "anchored": {"pairs": 32, "learning_rate": 0.003},
    "mlp": {"pairs": 16, "learning_rate": 0.01},
    "learnable_adam": {"pairs": 32, "learning_rate": 0.02},
}
TRAINED = {f"{rule} by {recipe}": (rule, recipe) for rule, recipe in itertools.product(RULES, RECIPES)}
PRETRAINED = ("anchored_wide", "anchored_controller", "mlp_pes")
SCORES = ("mean", "end")
ELSEWHERE = {  # {place: (task, steps)}
    "another data set": ("Tiny_mlp_cifar10_bs32_start1.0", STEPS),
    "a convolutional net": ("Tiny_conv_mnist_bs32_start1.0", STEPS),
    "five times the steps": (TASK, 5 * STEPS),
}
PICTURE = "one_task.png"


def suite():
    """The task by itself, as what is trained on."""
    return suite_of("one_task", [TASK], STEPS, SCALE)


def folder_of(runs, name):
    """Where one of TRAINED is trained: the folder "anchored_es_single" of "anchored by ES-Single"."""
    rule, recipe = TRAINED[name]
    return runs / f"{rule}_{RECIPES[recipe]['estimator']}"


def train(name, runs, minutes):
    """(outer steps, core-minutes) of training one of TRAINED until its minutes are spent, those of earlier calls included."""
    import learned

    rule, recipe = TRAINED[name]
    options = learned.Options(rule, **RECIPES[recipe], lengths=str(STEPS), slots=1, tasks_per_step=1, **RULES[rule])
    return train_for(minutes, suite(), options, folder_of(runs, name))


def tuned(task, rules):
    """{score: (train losses [judging seeds, steps] of the best setting, its name)}."""
    tuning = scores(train_losses_of_many(task, rules, TUNING, STEPS))
    best = {score: rules[values.mean(axis=0).argmin()] for score, values in tuning.items()}
    judged = train_losses_of_many(task, list(best.values()), JUDGING, STEPS)
    return {score: (judged[..., i], rule.name) for i, (score, rule) in enumerate(best.items())}


def measure(runs, minutes):
    """[(label, settings tried, note, {score: (losses [seeds, steps], name)})]; the learned ones come last."""
    import learned
    from taskset.catalogue import get_task

    spent = {name: train(name, runs, minutes) for name in TRAINED}
    task, found = get_task(TASK, "synthetic"), []
    for label, rules in by_hand().items():
        found.append((label, len(rules), "", tuned(task, rules)))
    for name in PRETRAINED:
        losses = train_losses(task, learned.load(name), JUDGING, STEPS)
        found.append((f"{name}, pretrained", 1, "", {score: (losses, name) for score in SCORES}))
    for name, (steps, used) in spent.items():
        losses = train_losses(task, learned.load(folder_of(runs, name) / "weights.npz"), JUDGING, STEPS)
        note = f"{steps:,} outer steps, {used:.1f} core-minutes"
        found.append((f"{name}, on the task", 1, note, dict.fromkeys(SCORES, (losses, name))))
    for label, _, _, chosen in found:
        values = {score: scores(chosen[score][0])[score].mean() for score in SCORES}
        print(f"{label}: mean {values['mean']:.4f}, end {values['end']:.4f} ({chosen['end'][1]})", flush=True)
    return found


def elsewhere(runs):
    """{place: {optimizer: losses at the end [judging seeds]}} on ELSEWHERE, of the trained ones and of Adam.

    Adam has the rate that was best at the end on TASK, or the best of its rates in each place, both on the tuning seeds.
    """
    import learned
    from taskset.catalogue import get_task

    rules, found, here = by_hand()[ADAM_LABEL], {}, None
    for place, (name, steps) in {"": (TASK, STEPS), **ELSEWHERE}.items():
        task = get_task(name, "synthetic")
        best = best_by_tuning(task, rules, steps)
        if not place:
            here = best
            continue
        adam = scores(train_losses_of_many(task, rules, JUDGING, steps, STEPS))["end"]
        found[place] = {"Adam, tuned there": adam[:, best], "Adam, tuned on the one task": adam[:, here]}
        for trained in TRAINED:
            rule = learned.load(folder_of(runs, trained) / "weights.npz")
            found[place][f"{trained}, on the one task"] = scores(train_losses(task, rule, JUDGING, steps, STEPS))["end"]
        print(f"{place}: {', '.join(f'{label} {x.mean():.4f}' for label, x in found[place].items())}", flush=True)
    return found


def nearest(found):
    """What the best trained optimizer has less than the best rule by hand, by the loss at the end, paired over the seeds."""
    hands = set(by_hand())
    ranked = sorted(found, key=lambda entry: scores(entry[3]["end"][0])["end"].mean())
    (trained, *_), (hand, *_) = [e for e in ranked if e[2]], [e for e in ranked if e[0] in hands]
    gains = {}
    for score in SCORES:
        ours, theirs = (scores(entry[3][score][0])[score] for entry in (trained, hand))
        gains[score] = page.with_interval(theirs - ours)
    return f"{trained[0]}: {gains['mean']} less in the mean of the run and {gains['end']} less at the end than {hand[0]}"


def rows(found):
    """Rows of the table."""
    (adam,) = [chosen for label, _, _, chosen in found if label == ADAM_LABEL]
    goal = moving_mean(adam["end"][0].mean(axis=0))[-1]
    for label, tried, note, chosen in found:
        cells = [page.with_interval(scores(chosen[score][0])[score]) for score in SCORES]
        steps = first_step_at(chosen["end"][0].mean(axis=0), goal)
        yield [label, f"{tried:,}", note, *cells, f"{STEPS / steps:.2f}" if np.isfinite(steps) else "not reached"]


def style_of(label, names):
    """(line style, colour) of a curve: solid and dash-dotted by recipe in the colour of the rule, dotted where pretrained, else
    broken. names: of the rules by hand that are drawn."""
    trained = label.removesuffix(", on the task")
    if trained in TRAINED:
        rule, recipe = TRAINED[trained]
        return {"PES": "-.", "ES-Single": "-"}[recipe], f"C{list(RULES).index(rule)}"
    if label in names:
        return "--", "black" if label == ADAM_LABEL else f"C{len(RULES) + len(PRETRAINED) + names.index(label)}"
    return ":", f"C{len(RULES) + PRETRAINED.index(label.removesuffix(', pretrained'))}"


def draw(found, path):
    """Mean train loss against steps: the trained ones, the pretrained ones, the three best by hand, and Adam."""
    names = list(by_hand())
    hands = sorted((e for e in found if e[0] in names), key=lambda e: scores(e[3]["end"][0])["end"].mean())
    hands = [entry for i, entry in enumerate(hands) if i < 3 or entry[0] == ADAM_LABEL]
    drawn = [entry[0] for entry in hands]
    with page.figure(path, size=(9.6, 4.4), dpi=100) as (_, axes):
        for label, _, _, chosen in [e for e in found if e[0] not in names] + hands:
            style, colour = style_of(label, drawn)
            curve = moving_mean(chosen["end"][0].mean(axis=0))
            axes.plot(np.arange(1, STEPS + 1), curve, style, color=colour, label=label)
        axes.set(xlabel="steps", ylabel="train loss, nats (mean of 12 seeds)", yscale="log", title=TASK)
        axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)


def section(found, others):
    """Figure and numbers in Markdown."""
    places = [[name, *(page.with_interval(place[name]) for place in others.values())] for name in next(iter(others.values()))]
    header = ["optimizer", "settings tried", "trained for", "mean loss of the run", "loss at the end", "speed-up"]
    return f"""![train loss against steps](pictures/{PICTURE})

{report.table(header, list(rows(found)))}

Train loss in nats, {len(JUDGING)} seeds that were not tuned on; brackets: 95% bootstrap intervals over them. By hand, each
column has the setting that was best in it on {len(TUNING)} tuning seeds; speed-up: of the setting tuned for the end,
against {ADAM_LABEL}. Paired over the seeds,
{nearest(found)}.

{report.table(["loss at the end", *others], places)}

The same optimizers elsewhere, {len(JUDGING)} seeds. Synthetic data;
{report.conditions("tensorflow", "numpy")}."""


def write(found, others, out):
    """The picture, and the section of the document."""
    page.write("one-task", PICTURE, lambda path: draw(found, path), section(found, others), out)


if __name__ == "__main__":
    training_command(__doc__, 2.7, lambda runs, minutes: (measure(runs, minutes), elsewhere(runs)), write)
