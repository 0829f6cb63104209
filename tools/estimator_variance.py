"""The variance of gradient estimates against the length of the unroll: evolution strategies and reparameterization.

    python -m tools.estimator_variance CHECKPOINT --out DIR | --publish

CHECKPOINT: of an optimizer trained on Digits_mlp32_bs128 (`make demo-learned` leaves demo-learned/training/checkpoint.npz). Each
length is a whole episode from the start; estimates are those of single pairs (a reparameterized one averages both signs), and
their total variance is the sum over all weights of the unbiased variance over the pairs. Writes
DIR/pictures/estimator_variance.png and a section of DIR/learned.md; --publish those of docs/.
After figure 2 of Metz et al. 2019 (arXiv 1810.10180).
"""

import argparse

import numpy as np

from taskset.execution.runtime import start_tensorflow
from tools import report
from tools.experiments import page

LENGTHS = (5, 10, 20, 50, 100, 200, 300)
TASK = "Digits_mlp32_bs128"


def estimates(checkpoint, length, pairs, calls, sigma):
    """(ES [n, P], reparameterization [n, P]) of those of pairs * calls pairs that are finite, and how many estimates are not."""
    import learned  # noqa: F401
    from learned import optimizers
    from learned.estimators import base, combined
    from learned.outer_training import objectives
    from learned.unrolling.problem import Problem
    from taskset.catalogue import get_task
    from taskset.scoring.suites.suite import from_json

    suite = from_json(checkpoint.meta["suite"], "the checkpoint's suite")
    scale = objectives.LossScale(*suite.entry(TASK).scales["train"])
    problem = Problem(get_task(TASK, suite.source), optimizers.get(checkpoint.optimizer), objectives.get("train"), scale)
    settings = base.Settings(pairs, length, sigma)
    estimator, theta = combined.Combined(problem, settings), problem.layout.vector(checkpoint.theta)
    each = [estimator.of_pairs(theta, estimator.init(seed), lambda rng, n: np.full(n, length))[:2] for seed in range(calls)]
    es, rp = map(np.concatenate, zip(*each))
    kept = combined.finite(es), combined.finite(rp)
    return es[kept[0]], rp[kept[1]], sum(int(np.sum(~one)) for one in kept)


def measure(checkpoint, lengths, pairs, calls, sigma):
    """Rows (length, total variance of ES, of reparameterization, mean weight of ES in the combination, not finite)."""
    from learned.estimators.combined import combine

    rows = []
    for length in lengths:
        es, rp, lost = estimates(checkpoint, length, pairs, calls, sigma)
        _, weight = combine(es, rp)
        rows.append((length, es.var(axis=0, ddof=1).sum(), rp.var(axis=0, ddof=1).sum(), weight.mean(), lost))
        _, es_variance, rp_variance, mean_weight, _ = rows[-1]
        print(
            f"{length} steps: ES {es_variance:.3g}, reparameterization {rp_variance:.3g}, weight of ES {mean_weight:.3f}, "
            f"not finite {lost}",
            flush=True,
        )
    return rows


def draw(rows, path):
    """The figure."""
    lengths, es, rp = zip(*[row[:3] for row in rows])
    with page.figure(path, size=(5, 3.5), dpi=150) as (_, axes):
        axes.loglog(lengths, es, "o-", label="evolution strategies")
        axes.loglog(lengths, rp, "s-", label="reparameterization")
        axes.set(xlabel="steps of the unroll", ylabel="total variance of one pair's estimate")
        axes.legend()


def section(rows, pairs, sigma):
    """Figure and numbers in Markdown, with what they were measured with."""
    header = ["steps", "variance, ES", "variance, reparameterization", "weight of ES when combined", "not finite"]
    cells = [[row[0], f"{row[1]:.3g}", f"{row[2]:.3g}", f"{row[3]:.3f}", row[4]] for row in rows]
    return f"""![variance against length of the unroll](pictures/estimator_variance.png)

{report.table(header, cells)}

{pairs} pairs, sigma {sigma}; {report.conditions("tensorflow", "numpy")}."""


def write(rows, pairs, sigma, out):
    """The picture, and the section of the document."""
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    draw(rows, out / "pictures" / "estimator_variance.png")
    report.write_section("estimator-variance", section(rows, pairs, sigma), out / "learned.md")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", help="Checkpoint of an optimizer that was trained on the task.")
    report.folder_options(parser)
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS, help="Lengths of the unrolls, in steps.")
    parser.add_argument("--pairs", type=int, default=4, help="Pairs in one program; memory grows with pairs x steps.")
    parser.add_argument("--calls", type=int, default=8, help="Calls per length; each has --pairs pairs.")
    parser.add_argument("--sigma", type=float, default=0.01, help="Standard deviation of the perturbations.")
    arguments = parser.parse_args()
    folder = report.folder(arguments)
    start_tensorflow(threads=1)
    from learned.outer_training import checkpoint

    rows = measure(checkpoint.load(arguments.checkpoint), arguments.lengths, arguments.pairs, arguments.calls, arguments.sigma)
    write(rows, arguments.pairs * arguments.calls, arguments.sigma, folder)


if __name__ == "__main__":
    main()
