"""The variance of evolution strategies, of reparameterization and of their combination, against the length of the unroll.

    python -m tools.experiments.gradient_variance --out DIR | --publish

Question. Metz et al. 2019 (arXiv 1810.10180) weigh both estimates by their inverse variances, as reparameterization is better
on short unrolls and explodes on long ones. On which unrolls, with which weights, and is the combination better than both?

Formula. One pair e ~ N(0, sigma^2 I) has d = M(theta + e) - M(theta - e), M being the mean outer loss of an unroll from the
start:

    ES                    d e / (2 sigma^2)
    reparameterization    (grad M(theta + e) + grad M(theta - e)) / 2

Both are unbiased for the gradient of the smoothed loss. Their variance here is the sum over theta of the unbiased variance
over all pairs, each with its own start and batches. An estimate of N pairs has 1/N of it. The combination
(`learned.estimators.combined`) estimates weights from the same N pairs: its variance is that over groups of N, times N.

Settings. Task, outer loss and momentum: tools.experiments.tiny_problem; three places: lr = .01 and .1, where the surface is
smooth, and lr = 1, where it is rough (tools.experiments.outer_surface). sigma = .01, lengths 5 to 500, 20 groups of N = 8
pairs.
"""

import numpy as np

from taskset.scoring import statistics
from tools import report
from tools.experiments import page, tiny_problem

LENGTHS, RATES = (5, 20, 50, 100, 200, 500), (0.01, 0.1, 1.0)
GROUPS, PAIRS, SIGMA = 20, 8, 0.01
NAMES = ("evolution strategies", "reparameterization", "combination")
PICTURE = "gradient_variance.png"


class Estimates:
    """The estimates of both kinds for unrolls of one length: one compiled program for all theta."""

    def __init__(self, problem, length, pairs=PAIRS, sigma=SIGMA, **execution):
        from learned.estimators import base
        from learned.estimators.combined import Combined

        self.length, self.estimator = length, Combined(problem, base.Settings(pairs, length, sigma), **execution)

    def __call__(self, theta, seed):
        """(ES [pairs, P], reparameterization [pairs, P]); rows of pairs that are not finite have entries that are not."""
        return self.estimator.of_pairs(theta, self.estimator.init(seed), lambda rng, n: np.full(n, self.length))[:2]


def variances(es, reparam):
    """((ES, reparameterization, combination) of groups [G, N, P]: variances of one pair; mean weight of ES [P]).

    Of the combination: N times the variance over the groups. Pairs that are not finite are left out.
    """
    from learned.estimators.combined import combine
    from learned.estimators.truncated_unroll import finite

    each = [x.reshape(-1, x.shape[-1]) for x in (es, reparam)]
    single = [x[finite(x)].var(axis=0, ddof=1).sum() for x in each]
    combined, weights = zip(*(combine(*group) for group in zip(es, reparam)))
    return (*single, es.shape[1] * np.var(combined, axis=0, ddof=1).sum()), np.mean(weights, axis=0)


def with_intervals(es, reparam, resamples=300):
    """As `variances`, and the quantiles .025 and .975 over resampled groups: [3, 2]."""
    drawn = np.random.default_rng(0).integers(len(es), size=(resamples, len(es)))
    many = np.array([variances(es[rows], reparam[rows])[0] for rows in drawn])
    return *variances(es, reparam), np.quantile(many, [0.025, 0.975], axis=0).T


def measure():
    """Rows (lr, length, variances (3), weight of ES [2], quantiles [3, 2], pairs that were not finite)."""
    problem, rows = tiny_problem.problem(), []
    for length in LENGTHS:
        estimates = Estimates(problem, length)
        for rate in RATES:
            groups = [estimates(tiny_problem.theta(rate), seed) for seed in range(GROUPS)]
            es, reparam = (np.array(x) for x in zip(*groups))
            lost = int(np.isnan(reparam).any(axis=-1).sum())
            rows.append((rate, length, *with_intervals(es, reparam), lost))
            _, _, found, weight, _, _ = rows[-1]
            print(
                f"lr {rate:g}, {length} steps: {', '.join(f'{name} {x:.3g}' for name, x in zip(NAMES, found))}, "
                f"weight of ES {weight}, not finite {lost}",
                flush=True,
            )
    return sorted(rows, key=lambda row: row[:2])


def draw(rows, path):
    """Variances against length, and the weight of ES."""
    with page.figure(path, size=(14, 3.6), columns=len(RATES) + 1) as (_, axes):
        for k, rate in enumerate(RATES):
            chosen = [row for row in rows if row[0] == rate]
            lengths = [row[1] for row in chosen]
            for i, (name, mark) in enumerate(zip(NAMES, "os^")):
                axes[k].fill_between(lengths, *np.array([row[4][i] for row in chosen]).T, color=f"C{i}", alpha=0.2)
                axes[k].plot(lengths, [row[2][i] for row in chosen], f"{mark}-", color=f"C{i}", markersize=4, label=name)
            axes[k].set(xscale="log", yscale="log", xlabel="steps of the unroll", title=f"lr {rate:g}")
            axes[-1].plot(
                lengths, [row[3][0] for row in chosen], f"{'os^'[k]}-", color=f"C{k + 3}", markersize=4, label=f"lr {rate:g}"
            )
        axes[0].set_ylabel("variance of one pair's estimate")
        axes[0].legend(fontsize=8)
        axes[-1].set(xscale="log", ylim=(-0.03, 1.03), xlabel="steps of the unroll", title="weight of ES, d / d log lr")
        axes[-1].legend(fontsize=8)


def section(rows):
    """Figure and numbers in Markdown."""
    header = ["lr", "steps", *NAMES, "weight of ES, log lr", "weight of ES, log(1 - beta)", "not finite"]
    cells = [
        [
            f"{rate:g}",
            length,
            *(statistics.Estimate(x, *between).text(page.FORM) for x, between in zip(found, quantiles)),
            *(f"{w:.3f}" for w in weight),
            lost,
        ]
        for rate, length, found, weight, quantiles, lost in rows
    ]
    return f"""![variance against length of the unroll at three learning rates, and the weight of ES](pictures/{PICTURE})

{report.table(header, cells)}

Variance of one pair's estimate, summed over both weights of theta; {GROUPS * PAIRS} pairs, sigma {SIGMA}; brackets: 95%
bootstrap intervals over {GROUPS} groups of {PAIRS} pairs; synthetic data; {report.conditions("tensorflow", "numpy")}."""


def write(rows, out):
    """The picture, and the section of the document."""
    page.write("gradient-variance", PICTURE, lambda path: draw(rows, path), section(rows), out)


if __name__ == "__main__":
    page.command(__doc__, measure, write)
