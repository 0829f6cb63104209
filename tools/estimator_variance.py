"""The variance of gradient estimates against the length of the unroll: evolution strategies and reparameterization.

    python tools/estimator_variance.py CHECKPOINT [--out docs]

CHECKPOINT: of an optimizer trained on Digits_mlp32_bs128 (`make demo-learned` leaves demo-learned/training/checkpoint.npz). Each
length is a whole episode from the start; estimates are those of single pairs (a reparameterized one averages both signs), and
their total variance is the sum over all weights of the unbiased variance over the pairs. Writes
OUT/pictures/estimator_variance.png and a section of OUT/learned.md.
After figure 2 of Metz et al. 2019 (arXiv 1810.10180).
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import report
from taskset.execution.runtime import start_tensorflow

LENGTHS = (5, 10, 20, 50, 100, 200, 300)
TASK = "Digits_mlp32_bs128"


def estimates(checkpoint, length, pairs, calls, sigma):
    """(ES [n, P], reparameterization [n, P]) of n = pairs * calls pairs, and how many of them were not finite."""
    import learned  # noqa: F401
    from learned import optimizers
    from learned.estimators import base, reparam, truncated_unroll
    from learned.outer_training import objectives
    from learned.unrolling.backpropagation import BackpropagatedUnroll
    from learned.unrolling.problem import Problem
    from taskset.catalogue import get_task
    from taskset.scoring.suites import from_json

    suite = from_json(checkpoint.meta["suite"], "the checkpoint's suite")
    scale = objectives.LossScale(*suite.entry(TASK).scales["train"])
    problem = Problem(get_task(TASK, suite.source), optimizers.get(checkpoint.optimizer), objectives.get("train"), scale)
    settings = base.Settings(pairs, length, sigma)
    truncations = truncated_unroll.TruncatedUnroll(BackpropagatedUnroll, problem, settings, 2)
    theta, es, rp, lost = problem.layout.vector(checkpoint.theta), [], [], 0
    for seed in range(calls):
        state = truncations.init(seed)
        e = truncations.perturbations(state)
        losses, gradients, _ = truncations.gradients(base.both_signs(theta, e), state, lambda rng, n: np.full(n, length))
        d, finite_d = base.differences(base.by_sign(losses), np.ones([length, pairs], bool), settings)
        rows, finite_rp = truncated_unroll.finite_rows(reparam.pair_gradients(gradients))
        es.append(d[:, None] * e / (2 * sigma**2))
        rp.append(rows)
        lost += int(np.sum(~finite_d)) + int(np.sum(~finite_rp))
    return np.concatenate(es), np.concatenate(rp), lost


def measure(checkpoint, lengths, pairs, calls, sigma):
    """Rows (length, total variance of ES, of reparameterization, mean weight of ES in the combination, not finite)."""
    from learned.estimators.combined import combine

    rows = []
    for length in lengths:
        es, rp, lost = estimates(checkpoint, length, pairs, calls, sigma)
        _, weight = combine(es, rp)
        rows.append((length, es.var(axis=0, ddof=1).sum(), rp.var(axis=0, ddof=1).sum(), weight.mean(), lost))
        print("%d steps: ES %.3g, reparameterization %.3g, weight of ES %.3f, not finite %d" % rows[-1], flush=True)
    return rows


def draw(rows, path):
    """The figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    lengths, es, rp = zip(*[row[:3] for row in rows])
    figure, axes = plt.subplots(figsize=(5, 3.5), constrained_layout=True)
    axes.loglog(lengths, es, "o-", label="evolution strategies")
    axes.loglog(lengths, rp, "s-", label="reparameterization")
    axes.set(xlabel="steps of the unroll", ylabel="total variance of one pair's estimate")
    axes.legend()
    figure.savefig(path, dpi=150)


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
    parser.add_argument("checkpoint")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    parser.add_argument("--lengths", type=int, nargs="+", default=LENGTHS)
    parser.add_argument("--pairs", type=int, default=4, help="in one program: memory grows with pairs x steps")
    parser.add_argument("--calls", type=int, default=8)
    parser.add_argument("--sigma", type=float, default=0.01)
    arguments = parser.parse_args()
    start_tensorflow(threads=1)
    from learned.outer_training import checkpoint

    rows = measure(checkpoint.load(arguments.checkpoint), arguments.lengths, arguments.pairs, arguments.calls, arguments.sigma)
    write(rows, arguments.pairs * arguments.calls, arguments.sigma, arguments.out)


if __name__ == "__main__":
    main()
