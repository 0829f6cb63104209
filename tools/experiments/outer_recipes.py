"""Estimator, clipping and persistence of an outer training: what a few core-minutes make of each.

    python -m tools.experiments.outer_recipes --out DIR | --publish --runs DIR [--minutes 2.5]

Question. An outer gradient is estimated by PES or by ES-Single, its entries are cut to +-.1 or its norm to 1 before AdamW sees
it, and a task leaves after one episode of every pair or after four. Which of these matters, after the same core-minutes?

Formula. The score of a task is the mean of the normalized train losses in the last tenth of 200 steps; that of a training the
mean over its eight tasks.

Settings. `anchored`, which starts as NAdam, trained on Tiny_mlp_* of eight data sets (8x8 pixels, batches of 32, synthetic) with
the scales of tiny:1, whole trainings of 200 steps in truncations of 20, spread first lengths, four tasks with 8 pairs each in an
outer step, outer rate .003, sigma .01. All eight combinations, two outer seeds each, judged on the tasks that they were trained
on, by four seeds: how to train is chosen here, and data sets that other experiments judge on stay out of it.
"""

import itertools

from taskset.errors import counted
from tools import report
from tools.experiments import page
from tools.experiments.judging import STEPS
from tools.experiments.task_counts import scored
from tools.experiments.training import HELD_OUT, PES, tiny_name, tiny_suite, train_for, training_command, untrained

OUTER_SEEDS = (0, 1)
ESTIMATORS = {"PES": "pes", "ES-Single": "es_single"}
CLIPPINGS = {"entries, .1": ("entries", 0.1), "norm, 1": ("norm", 1.0)}
EPISODES = (1, 4)
PICTURE = "outer_recipes.png"


def tasks():
    """The names of the tasks."""
    from learned.tasks.tiny_image_data import SETS

    return [tiny_name("tiny_mlp", one) for one in SETS if one not in HELD_OUT]


def train(recipe, seed, folder, minutes):
    """(outer steps, core-minutes) of a training; recipe: names of ESTIMATORS and CLIPPINGS, and one of EPISODES."""
    import learned

    estimator, clipping, episodes = recipe
    how = dict(zip(("clipping", "clip"), CLIPPINGS[clipping]))
    options = learned.Options(
        "anchored", **{**PES, **how, "estimator": ESTIMATORS[estimator]}, episodes=episodes, seed=seed, pairs=8,
        lengths=str(STEPS), slots=8, tasks_per_step=4, learning_rate=0.003,
    )  # fmt: skip
    return train_for(minutes, tiny_suite("recipes", tasks(), STEPS), options, folder)


def measure(runs, minutes):
    """({recipe: [(outer steps, scores [seeds, tasks]) of each outer seed]}, scores before training, minutes)."""
    import learned

    found = {}
    for recipe in itertools.product(ESTIMATORS, CLIPPINGS, EPISODES):
        for seed in OUTER_SEEDS:
            folder = runs / f"{ESTIMATORS[recipe[0]]}_{CLIPPINGS[recipe[1]][0]}_{recipe[2]}_{seed}"
            steps, _ = train(recipe, seed, folder, minutes)
            scores = scored(learned.load(folder / "checkpoint.npz"), tasks())
            found.setdefault(recipe, []).append((steps, scores))
            print(f"{', '.join(map(str, recipe))}, outer seed {seed}, {steps} outer steps: {scores.mean():.4f}", flush=True)
    return found, scored(untrained("anchored"), tasks()), minutes


def draw(found, start, path):
    """The score of every training, by recipe."""
    with page.figure(path, size=(8, 4)) as (_, axes):
        for i, each in enumerate(found.values()):
            axes.plot([i] * len(each), [scores.mean() for _, scores in each], "o", color="C0")
        axes.axhline(start.mean(), color="0.5", linestyle=":", label="before training (NAdam)")
        labels = [f"{estimator}\n{clipping}\n{counted(count, 'episode')}" for estimator, clipping, count in found]
        axes.set_xticks(range(len(found)), labels, fontsize=8)
        axes.set(ylabel="normalized train loss at the end")
        axes.legend(fontsize=8)


def section(found, start, minutes):
    """Figure and numbers in Markdown."""
    rows = []
    for (estimator, clipping, episodes), each in found.items():
        steps = ", ".join(f"{steps:,}" for steps, _ in each)
        cells = [page.with_interval(scores.mean(axis=0)) for _, scores in each]
        rows.append([estimator, clipping, episodes, steps, *cells])
    rows.append(["before training (NAdam)", "", "", "", page.with_interval(start.mean(axis=0)), ""])
    header = ["estimator", "clipped", "episodes", "outer steps", *(f"outer seed {seed}" for seed in OUTER_SEEDS)]
    return f"""![score of each training](pictures/{PICTURE})

{report.table(header, rows)}

Normalized train loss in the last tenth of {STEPS} steps, on the eight tasks of the training; brackets: 95% bootstrap intervals
over them. {minutes:g} core-minutes each. Synthetic data; {report.conditions("tensorflow", "numpy")}."""


def write(found, start, minutes, out):
    """The picture, and the section of the document."""
    page.write("outer-recipes", PICTURE, lambda path: draw(found, start, path), section(found, start, minutes), out)


if __name__ == "__main__":
    training_command(__doc__, 2.5, measure, write)
