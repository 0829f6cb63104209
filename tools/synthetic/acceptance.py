"""Whether optimizers rank on the synthetic data as on the real data: learning-rate sweeps of the same tasks on both.

    python -m tools.synthetic.acceptance --data-dir DIR --out runs/acceptance [--workers 2] [--publish]

18 image tasks (per data set, mnist, fashion_mnist and cifar10: the two cheapest published MLPs, convolutional networks and
autoencoders; steps 1000) and 4 text tasks (imdb_reviews; the two cheapest classifiers and one language model of each kind; steps
400), 17 Adam learning rates, two seeds, on four kinds of data:

    real           the prepared TFDS data
    other_seeds    the same data, two other seeds: how far the measures move by chance
    stand_in       source="synthetic"
    structureless  negative control: class means of the real images plus white noise; the real documents' tokens shuffled

Each swept (task, data) is a Parquet file under --out; what is there is not computed again. The tables are printed; --publish
writes them to docs/synthetic.md. L(rate) is the mean of the train loss over the last tenth of the steps and the seeds; non-finite
ranks worst. (The losses of the training steps themselves, each on a fresh batch: the cheapest tasks have batches of 8, and a few
batches of evaluation would be too small a sample.)
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import scipy.stats

from taskset import catalogue
from taskset.jobs import pool
from taskset.normalization import store
from taskset.samplers.optimizers import adam_rates
from tools import report

ADAM_RATES = adam_rates()
KINDS = ("real", "other_seeds", "stand_in", "structureless")
SETS = ("mnist", "fashion_mnist", "cifar10")
GROUPS = (("mlp_family",), ("conv_fc_family", "conv_pooling_family"), ("mlp_ae_family",))
DOCUMENT = report.DOCS / "synthetic.md"


def _cost(facts):
    """Multiplications of a step, roughly: each weight once an example, and the optimizer's work as that of 20 examples."""
    return (facts.data.batch_size + 20) * sum(np.prod(shape) for shape in facts.parameter_shapes.values())


def _cheapest(families, wanted, count, cost=_cost):
    """The `count` cheapest feasible tasks (published seeds 0 .. 199) whose data are wanted."""
    found = []
    for family in families:
        for seed in range(200):
            name = f"{family}_seed{seed}"
            facts = catalogue.facts(*catalogue.resolve(name))
            if facts.infeasible is None and wanted(facts.data):
                found.append((cost(facts), name))
    return [name for _, name in sorted(found)[:count]]


def _weights(facts):
    """The cost of convolutions goes with the area of the image as well."""
    shapes = [shape for shape in facts.parameter_shapes.values() if len(shape) == 4]
    return _cost(facts) + facts.data.batch_size * sum(np.prod(s) for s in shapes) * np.prod(facts.data.image_shape[:2])


def image_tasks():
    """The image tasks, by the rule above."""
    chosen = []
    for name in SETS:
        for families in GROUPS:
            chosen += _cheapest(families, lambda data, name=name: data.name == name, 2, _weights)
    return chosen


def text_tasks():
    """The text tasks, by the rule above."""
    steps = lambda facts: _cost(facts) * facts.data.patch_length  # noqa: E731
    chosen = _cheapest(("rnn_text_classification_family",), lambda data: True, 2, steps)
    for family in ("char_rnn_language_model_family", "word_rnn_language_model_family"):
        chosen += _cheapest((family,), lambda data: data.reads.startswith("imdb"), 1, steps)
    return chosen


def _steps(name):
    return 400 if "rnn" in name else 1000


def _structureless(task, data_dir):
    """The negative control of a task's data, opened."""
    from taskset.datasets import arrays, images, text
    from taskset.datasets.corpus import Corpus, Documents
    from tools.synthetic.accuracy import structureless

    rng = np.random.default_rng(0)
    origin = {"source": "structureless"}
    if isinstance(task.data, images.ImageData):
        real = arrays.load(task.data.name, "tfds", data_dir)
        made = structureless(*((real.images[s], real.labels[s]) for s in ("train", "test")), rng)
        stored = arrays.StoredImages(
            {s: pair[0] for s, pair in zip(("train", "test"), made)},
            {s: pair[1] for s, pair in zip(("train", "test"), made)},
            origin,
        )
        return images.ImageBatches(task.data, stored)
    real = text.open_corpus(task.data.reads, "tfds", data_dir)
    parts = [Documents(rng.permutation(d.tokens), d.offsets, d.labels) for d in (real.train, real.test)]
    return text.TextBatches(task.data, Corpus(*parts, origin), labelled="label" in task.data.batch)


def run_one(job, root, data_dir, report):
    """Sweep one (kind, task); the body of a worker."""
    from taskset.execution.loop import Loop
    from taskset.optimizers import get_optimizer

    kind, name = json.loads(job)
    task, steps = catalogue.get_task(name, "synthetic" if kind == "stand_in" else "tfds", data_dir), _steps(name)
    if kind == "structureless":
        task = task.reading(_structureless(task, data_dir), kind)
    optimizers = [get_optimizer(rate) for rate in ADAM_RATES]
    loop, rows = Loop(task, optimizers[0], steps // 10), []
    for seed in (2, 3) if kind == "other_seeds" else (0, 1):
        initial = loop.evaluation(seed, 40)(loop.start(seed).params)["train"]
        runs = [loop.start(seed) for _ in optimizers]
        for first in range(0, steps, loop.chunk):
            raw, count = loop.draw(seed, first), min(loop.chunk, steps - first)
            losses = [loop.train(run, o.hparams(steps), count, raw) for run, o in zip(runs, optimizers)]
            for optimizer, part in zip(optimizers, losses):
                rows += [(optimizer.name, seed, first + i, initial, float(loss)) for i, loss in enumerate(part)]
            report((first + count) / steps)
    columns = dict(zip(("optimizer", "seed", "step", "initial", "train"), zip(*rows)))
    store.write_table(pa.table(columns), path(root, kind, name))


def path(root, kind, name):
    """Where the curves of a task on one kind of data are."""
    return Path(root) / kind / f"{name}.parquet"


def final_losses(root, kind, name):
    """(initial loss, L [17]) of a task on one kind of data; L is inf where a seed diverged."""
    frame = store.read_table(path(root, kind, name)).to_pandas()
    late = frame[frame["step"] >= 0.9 * _steps(name)]
    losses = late.groupby("optimizer")["train"].apply(lambda x: x.mean(skipna=False)).reindex(ADAM_RATES).to_numpy(np.float64)
    return frame["initial"].mean(), np.where(np.isfinite(losses), losses, np.inf)


def measures(real, other):
    """The measures of one task. real, other: (loss at the start, L [rates], inf where it is not finite) on two kinds of data."""
    (start, real), (other_start, other) = real, other
    scale = start - real.min()

    def profile(start, losses):
        return np.clip((start - losses) / (start - losses.min()), -0.5, 1.0)

    picked, best = int(np.argmin(other)), int(np.argmin(real))
    ratio = other.min() / real.min()
    return {
        "best loss ratio": ratio,
        "within 2x": 0.5 <= ratio <= 2.0,
        "regret": (real[picked] - real.min()) / scale,
        "profile distance": float(np.abs(profile(start, real) - profile(other_start, other)).mean()),
        "rank correlation": scipy.stats.spearmanr(*(np.where(np.isfinite(x), x, 1e30) for x in (real, other))).statistic,
        "rate within 3.2x": abs(picked - best) <= 1,
    }


def compare(root, kind, name):
    """The measures of one task: this kind of data against the real one."""
    return measures(final_losses(root, "real", name), final_losses(root, kind, name))


def _summary(results):
    n = len(results)
    return [
        f"{sum(r['within 2x'] for r in results)}/{n}",
        f"{sum(r['regret'] <= 0.05 for r in results)}/{n}",
        f"{np.median([r['profile distance'] for r in results]):.3f}",
        f"{np.median([r['rank correlation'] for r in results]):.3f}",
        f"{sum(r['rate within 3.2x'] for r in results)}/{n}",
    ]


def tables(root):
    """Markdown of everything that is complete under `root`."""
    parts = []
    for title, names in (("Image tasks", image_tasks()), ("Text tasks", text_tasks())):
        kinds = [k for k in KINDS[1:] if any(path(root, k, n).exists() for n in names)]
        done = [n for n in names if all(path(root, kind, n).exists() for kind in ("real", *kinds))]
        if not done:
            continue
        results = {kind: [compare(root, kind, n) for n in done] for kind in kinds}
        header = [
            "",
            "best loss within 2x",
            "regret <= .05",
            "profile distance, median",
            "rank correlation, median",
            "best rate within 3.2x",
        ]
        rows = [["wanted", "9 in 10", "9 in 10", "<= .06", ">= .95", "9 in 10"]]
        rows += [[kind.replace("_", " "), *_summary(results[kind])] for kind in kinds]
        parts.append(f"## {title} ({len(done)} of {len(names)})\n\n{report.table(header, rows)}")
        header = ["task", *(f"{k.replace('_', ' ')}: {m}" for k in kinds for m in ("ratio", "regret", "profile"))]
        rows = [
            [n, *(f"{results[k][i][m]:.3f}" for k in kinds for m in ("best loss ratio", "regret", "profile distance"))]
            for i, n in enumerate(done)
        ]
        parts.append(report.table(header, rows))
    return "\n\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True, help="TFDS directory of the real sets.")
    parser.add_argument("--out", required=True, type=Path, help="Folder of the curves.")
    parser.add_argument("--workers", type=int, default=2, help="Worker processes.")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="Kinds of data to sweep now, in this order.")
    report.publish_option(parser, "the section of docs/synthetic.md")
    arguments = parser.parse_args()
    names = image_tasks() + text_tasks()
    jobs = [(kind, name) for kind in arguments.kinds for name in names]
    waiting = [json.dumps(job) for job in jobs if not path(arguments.out, *job).exists()]
    reported = set()

    def say(progress):
        for job in set(progress.finished) | set(progress.failed):
            if job not in reported:
                reported.add(job)
                print(f"{len(jobs) - len(waiting) + len(reported)}/{len(jobs)} {job} {progress.failed.get(job, '')}", flush=True)

    done = pool.run(waiting, run_one, (str(arguments.out), arguments.data_dir), arguments.workers, say)
    if done.failed:
        raise SystemExit(f"{len(done.failed)} sweeps failed: without them the tables would be of other tasks")
    text = f"{tables(arguments.out)}\n\n{report.conditions('tensorflow', 'numpy')}"
    report.show(arguments, "sweeps", text, DOCUMENT)


if __name__ == "__main__":
    main()
