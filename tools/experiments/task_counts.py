"""More training tasks, better training: 1, 10, 100 or 1,000 tasks for the same computing.

    python -m tools.experiments.task_counts --out DIR | --publish --runs DIR [--minutes 60] [--train COUNT:SEED ..]

Question. With one training task an optimizer is made for that task, with a thousand it has to be good for all. Which is better on
tasks that it was not trained on, of the same families and of others, after the same core-minutes?

Formula. The score is the mean over the last tenth of 200 steps of the normalized train loss
min((L - best) / (initial - best), 2), with the scales of the suite tiny:1 (best: the best of 17 Adam rates in 2,000 steps), over
tasks and 4 seeds.

Settings. Training tasks are drawn, with another draw for each outer seed: Tiny_mlp or Tiny_autoencoder (8x8 pixels, batches of
32, synthetic) of eight data sets, the scale of the first weights log-uniform between .3 and 3; those of fewer tasks are the
first of those of more. They differ in data and starts, not in shapes, and so share two compiled programs, whatever their
number. Their loss scales are those of tiny:1, interpolated between its three starts. `anchored`, which starts as NAdam, is
trained by ES-Single for the mean of the loss, whole trainings of 200 steps in truncations of 20, four tasks with 8 pairs each
in an outer step, gradients with a norm of at most 1; a task stays until each pair has ended four trainings of it. So many
core-minutes, compilation included, for each of the four arms and two outer seeds (--minutes); the synthetic data sets are made
beforehand. Judged on mnist and fashion_mnist, which are in no training task: the same families with three starts each (12
tasks), and families that were left out (8 tasks: convolutional nets on images, recurrent nets on text, quadratics). Adam with
one rate: of 19, the best on 48 tasks of tiny:1 of the training's families and data sets. DIR of --runs keeps the trainings; the
same command resumes them. --train makes some of the trainings; the table is of those that there are, also in
tools/experiments/results, where --publish puts them.
"""

import argparse
import functools
import itertools
from pathlib import Path

import numpy as np

from taskset.catalogue import get_config, get_task
from taskset.errors import counted
from taskset.random import seeds
from taskset.registry import add_fixed
from tools import report
from tools.experiments import page
from tools.experiments.judging import ADAM_LABEL, STEPS, by_hand, last_tenth
from tools.experiments.kept import Results
from tools.experiments.training import (
    HELD_OUT,
    SHARES,
    SINGLE,
    kept_weights,
    tiny_name,
    train_for,
    train_losses,
    train_losses_of_many,
    untrained,
)

COUNTS, SEEDS, JUDGING = (1, 10, 100, 1000), (0, 1), range(4)
STARTS = (0.3, 1.0, 3.0)
FAMILIES = ("tiny_mlp", "tiny_autoencoder")
OTHERS = (
    "Tiny_rnn_imdb_start1.0", "Tiny_rnn_lm1b_start1.0", "Tiny_quadratic0_narrow0.0_noise0.02",
    "Tiny_quadratic0_narrow2.0_noise0.02", "Tiny_quadratic1_narrow0.5_noise0.1", "Tiny_quadratic1_narrow1.5_noise0.1",
)  # fmt: skip
SAME, LEFT_OUT = "the same families", "families left out"
KINDS = {"convolutional and recurrent nets": ("Tiny_conv", "Tiny_rnn"), "quadratics": ("Tiny_quadratic",)}  # of LEFT_OUT


@functools.cache
def scales():
    """{task of tiny:1: (initial, best) of its train loss}."""
    import learned  # noqa: F401
    from taskset.scoring.suites import by_name

    return {entry.task: tuple(entry.scales["train"]) for entry in by_name.get_suite("tiny:1").tasks}


def between(start, known):
    """(initial, best) at a start, from [(initial, best)] at STARTS: linear in the logarithms."""
    return tuple(float(np.exp(np.interp(np.log(start), np.log(STARTS), np.log(each)))) for each in zip(*known))


@functools.cache
def drawn(i, seed):
    """(name, family, scale) of training task i of an outer seed, registered."""
    from learned.tasks.tiny_image_data import SETS

    known, sets, rng = scales(), [one for one in SETS if one not in HELD_OUT], seeds.generator(seed, "task_counts", i)
    family, dataset = FAMILIES[rng.integers(len(FAMILIES))], sets[rng.integers(len(sets))]
    start = round(float(np.exp(rng.uniform(*np.log([STARTS[0], STARTS[-1]])))), 4)
    name, config = f"{tiny_name(family, dataset, start)}_drawn{seed}_{i}", {"dataset": dataset, "bs": 32, "start_scale": start}
    add_fixed(__name__, name, family, config)
    return name, family, between(start, [known[tiny_name(family, dataset, at)] for at in STARTS])


def train(count, seed, folder, minutes):
    """(outer steps, core-minutes) of a training on so many tasks, keeping weights after each of SHARES."""
    import learned
    from taskset.scoring.suites.suite import Entry, Suite

    entries, sets = [], {}
    for name, family, scale in (drawn(i, seed) for i in range(count)):
        entries.append(Entry(name, family, "train", {"train": scale, "valid_outer": scale}))
        sets[get_config(name)[0]["dataset"]] = name
    for name in sets.values():
        get_task(name, "synthetic").raw_batches("train", 0, 0, 1)  # making images is no training: not in its minutes
    suite = Suite(f"tiny_{count}", 1, "synthetic", STEPS, tuple(entries))
    options = learned.Options(
        "anchored", **SINGLE, seed=seed, pairs=8, lengths=str(STEPS), slots=16, tasks_per_step=4, learning_rate=0.003
    )
    return train_for(minutes, suite, options, folder, keep_at=[share * minutes for share in SHARES])


def judged():
    """{SAME: names, LEFT_OUT: names}."""
    return {
        SAME: [tiny_name(family, one, start) for family in FAMILIES for one in HELD_OUT for start in STARTS],
        LEFT_OUT: [*(tiny_name("tiny_conv", one) for one in HELD_OUT), *OTHERS],
    }


def score(name, losses, known):
    """Scores [seeds, ..] of train losses [seeds, steps, ..]."""
    initial, best = known[name]
    normalized = (last_tenth(losses, 1) - best) / (initial - best)
    return np.minimum(np.where(np.isfinite(normalized), normalized, 2.0), 2.0).mean(axis=1)


def scored(rule, names):
    """Scores [seeds, tasks] of a rule."""
    known = scales()
    each = [score(name, train_losses(get_task(name, "synthetic"), rule, JUDGING, STEPS), known) for name in names]
    return np.stack(each, axis=1)


def adam():
    """Adam with the one rate that is best on tasks of the training's families and data sets."""
    from learned.tasks.tiny_image_data import SETS

    rules, known, found = by_hand()[ADAM_LABEL], scales(), []
    for family in FAMILIES:
        for dataset in (one for one in SETS if one not in HELD_OUT):
            for start in STARTS:
                name = tiny_name(family, dataset, start)
                losses = train_losses_of_many(get_task(name, "synthetic"), rules, range(1), STEPS)
                found.append(score(name, losses, known)[0])
    return rules[int(np.mean(found, axis=0).argmin())]


def arm(count, seed, folder, minutes):
    """What a training gave: {core-minutes: {steps: outer steps, scores: {place: [seeds][tasks]}}}."""
    import learned

    train(count, seed, folder, minutes)
    found, places = {}, judged()
    for at, (steps, file) in kept_weights(folder).items():
        rule = learned.load(file)
        found[f"{at:g}"] = {"steps": steps, "scores": {place: scored(rule, names).tolist() for place, names in places.items()}}
    *_, last = found.values()
    listed = ", ".join(f"{place} {np.mean(scores):.4f}" for place, scores in last["scores"].items())
    print(f"{counted(count, 'task')}, outer seed {seed}, {last['steps']} outer steps: {listed}", flush=True)
    return found


def hand_designed():
    """{rule: {place: scores [seeds][tasks]}}."""
    rate = adam()
    rules = {
        f"Adam, one rate, {rate.hparams(STEPS)['learning_rate']:.2g}": rate,
        "anchored, untrained (NAdam)": untrained("anchored"),
    }
    return {label: {p: scored(rule, names).tolist() for p, names in judged().items()} for label, rule in rules.items()}


def measure(results, minutes, wanted):
    """({(count, seed): result of `arm`} of those that there are or that are wanted, result of `hand_designed`)."""
    settings, found = {"minutes": minutes}, {}
    for count, seed in itertools.product(COUNTS, SEEDS):
        name = f"{minutes:g}/{count}_{seed}"
        if (count, seed) in wanted:
            found[count, seed] = results.make(name, settings, arm, count, seed, results.runs / name, minutes)
        elif kept := results.find(name, settings):
            found[count, seed] = kept
    return found, results.make("hand_designed", {}, hand_designed)


def draw(found, others, path):
    """Score against core-minutes, a panel for each kind of judged tasks."""
    with page.figure(path, size=(10, 4.2), columns=2) as (figure, panels):
        minutes = sorted({float(at) for kept in found.values() for at in kept})
        for axes, place in zip(panels, (SAME, LEFT_OUT)):
            labelled = set()
            for (count, seed), kept in found.items():
                values = [np.mean(one["scores"][place]) for one in kept.values()]
                label = None if count in labelled else f"{counted(count, 'task', form=',')}"
                labelled.add(count)
                line = "o-" if seed == SEEDS[0] else "o--"
                axes.plot([float(at) for at in kept], values, line, color=f"C{COUNTS.index(count)}", label=label)
            for label, color in zip(others, ("0.4", "0.7")):
                axes.axhline(np.mean(others[label][place]), color=color, linestyle=":", label=label)
            axes.set(xlabel="core-minutes of outer training", xscale="log", yscale="log", title=f"held-out tasks: {place}")
            axes.set_xticks(minutes, [f"{at:g}" for at in minutes])
            axes.minorticks_off()
        panels[0].set(ylabel="normalized train loss at the end")
        figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)


def of_kinds(scores):
    """{kind of KINDS: scores [its tasks], means over the seeds} of the families left out."""
    means, names = np.mean(scores[LEFT_OUT], axis=0), judged()[LEFT_OUT]
    return {kind: means[[name.startswith(begins) for name in names]] for kind, begins in KINDS.items()}


def table(found, others, columns, of_columns):
    """A row for each training at its end, and for each of the others. of_columns: of scores, {column: scores [tasks]}."""

    def cells(scores):
        return [page.with_interval(of_columns(scores)[column]) for column in columns]

    rows = []
    for (count, seed), kept in found.items():
        at, last = list(kept.items())[-1]
        rows.append([f"{count:,}", seed, at, f"{last['steps']:,}", *cells(last["scores"])])
    rows += [[label, "", "", "", *cells(scores)] for label, scores in others.items()]
    return report.table(["training tasks", "outer seed", "core-minutes", "outer steps", *columns], rows)


def kinds_section(found, others):
    """The families left out, by kind, in Markdown."""
    return f"""{table(found, others, KINDS, of_kinds)}

Of the families left out, by kind: {", ".join(judged()[LEFT_OUT])}. Otherwise as above;
{report.conditions("tensorflow", "numpy")}."""


def section(found, others, picture):
    """Figure and numbers in Markdown."""

    def means(scores):
        return {place: np.mean(scores[place], axis=0) for place in (SAME, LEFT_OUT)}

    return f"""![score on held-out tasks against core-minutes](pictures/{picture})

{table(found, others, (SAME, LEFT_OUT), means)}

Normalized train loss in the last tenth of {STEPS} steps; brackets: 95% bootstrap intervals over the tasks. Broken lines: the
second outer seed. {len(found)} of {len(COUNTS) * len(SEEDS)} trainings. Synthetic data;
{report.conditions("tensorflow", "numpy")}."""


def pair(text):
    """(count, seed) of COUNT:SEED."""
    arms = {f"{count}:{seed}": (count, seed) for count, seed in itertools.product(COUNTS, SEEDS)}
    if text not in arms:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(arms)}")
    return arms[text]


def main():
    parser = page.parser_of(__doc__)
    parser.add_argument("--runs", type=Path, metavar="DIR", required=True, help="Folder of the trainings, which resume from it.")
    parser.add_argument("--minutes", type=float, default=60.0, help="Core-minutes of each training, compilation included.")
    whole = list(itertools.product(COUNTS, SEEDS))
    parser.add_argument("--train", type=pair, nargs="*", default=whole, metavar="COUNT:SEED", help="Trainings to make: all.")
    arguments, folder = page.started(parser)
    results = Results("task_counts", arguments.runs)
    found, others = measure(results, arguments.minutes, arguments.train)
    if arguments.publish:
        results.publish()
    name, picture = f"task-counts-{arguments.minutes:g}", f"task_counts_{arguments.minutes:g}.png"
    page.write(name, picture, lambda path: draw(found, others, path), section(found, others, picture), folder)
    document = folder / "experiments.md"
    if not arguments.publish or f"<!-- {name}-kinds -->" in document.read_text(encoding="utf-8"):  # of an hour's trainings
        report.write_section(f"{name}-kinds", kinds_section(found, others), document, page.TITLE)


if __name__ == "__main__":
    main()
