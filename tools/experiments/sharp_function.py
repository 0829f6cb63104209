"""The variance of evolution strategies and of reparameterization on a smooth and on a sharp function of one variable.

    python -m tools.experiments.sharp_function --out DIR | --publish

Question. Both estimate the gradient of the smoothed loss E L(theta + e), e ~ N(0, sigma^2). Which has the smaller variance?

Formula. L(x) = x^2 / 2 + b sin(w x), c = b cos(w theta), k = w sigma. One pair (both signs of e) has the mean
theta + c w exp(-k^2 / 2) in both, and the variances

    reparameterization    c^2 w^2 (1 - exp(-k^2))^2 / 2
    ES                    3 theta^2 + 2 theta c w (3 - k^2) exp(-k^2 / 2)
                          + c^2 (1 - (1 - 4 k^2) exp(-2 k^2)) / (2 sigma^2) - mean^2

Where b = 0 these are 0 and 2 theta^2. The estimates are combined with weights by their inverse variances, after Metz et al. 2019
(arXiv 1810.10180, section 4); the function and its formulas are ours.

Settings. theta = 0.5, b = 0.05; w = 0 (smooth) and w = 200 (sharp); sigma from 0.0003 to 1, 20,000 pairs each.
"""

import numpy as np

from taskset.scoring import statistics
from tools import report
from tools.experiments import page

THETA, HEIGHT, SMOOTH, SHARP, PAIRS = 0.5, 0.05, 0.0, 200.0, 20_000
SIGMAS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
PICTURE = "sharp_function.png"


def variances(sigma, w, theta=THETA, b=HEIGHT):
    """(variance of ES, of reparameterization) of one pair, by the formulas; b is 0 where w is."""
    c, k = (b * np.cos(w * theta) if w else 0.0), w * sigma
    mean = theta + c * w * np.exp(-(k**2) / 2)
    square = 3 * theta**2 + 2 * theta * c * w * (3 - k**2) * np.exp(-(k**2) / 2)
    square += c**2 * (1 - (1 - 4 * k**2) * np.exp(-2 * k**2)) / (2 * sigma**2)
    return square - mean**2, c**2 * w**2 * (1 - np.exp(-(k**2))) ** 2 / 2


def estimates(sigma, w, theta=THETA, b=HEIGHT, pairs=PAIRS):
    """(ES [pairs, 1], reparameterization [pairs, 1])."""
    e = sigma * np.random.default_rng(0).standard_normal([pairs, 1])
    above, below = theta + e, theta - e
    d = (above**2 - below**2) / 2 + b * (np.sin(w * above) - np.sin(w * below))
    reparam = (above + below) / 2 + b * w * (np.cos(w * above) + np.cos(w * below)) / 2
    return d * e / (2 * sigma**2), reparam


def measure():
    """Rows (w, sigma, variances by formula (2), measured (2), interval of ES, of reparameterization, weight of ES)."""
    from learned.estimators.combined import combine

    rows = []
    for w in (SMOOTH, SHARP):
        for sigma in SIGMAS:
            both = estimates(sigma, w)
            blocks = [x.reshape(20, -1).var(axis=1, ddof=1) for x in both]
            drawn = np.random.default_rng(1).integers(20, size=(1000, 20))
            intervals = [np.quantile(x[drawn].mean(axis=1), [0.025, 0.975]) for x in blocks]
            rows.append((w, sigma, variances(sigma, w), [x.var(ddof=1) for x in both], intervals, combine(*both)[1][0]))
    return rows


def draw(rows, path):
    """Variance against sigma: lines by the formulas, marks measured."""
    with page.figure(path, size=(9, 3.5), columns=2, dpi=100, sharey=True) as (_, axes):
        for panel, w, name in zip(axes, (SMOOTH, SHARP), ("smooth", "sharp")):
            fine = np.geomspace(SIGMAS[0], SIGMAS[-1], 200)
            for i, label in enumerate(("evolution strategies", "reparameterization")):
                panel.plot(fine, [variances(sigma, w)[i] for sigma in fine], color=f"C{i}", label=label)
                panel.plot(SIGMAS, [row[3][i] for row in rows if row[0] == w], "os"[i], color=f"C{i}")
            panel.set_xscale("log")
            panel.set_yscale("symlog", linthresh=1e-3)
            panel.set(title=f"{name}: w = {w:g}", xlabel="sigma")
        axes[0].set_ylabel("variance of one pair's estimate")
        axes[1].legend()


def section(rows):
    """Figure and numbers in Markdown."""
    header = ["w", "sigma", "ES, formula", "ES, measured", "reparam., formula", "reparam., measured", "weight of ES"]
    cells = [
        [
            f"{w:g}",
            f"{sigma:g}",
            *(f"{x}" for i in (0, 1) for x in (f"{exact[i]:.3g}", statistics.Estimate(found[i], *around[i]).text(page.FORM))),
            f"{weight:.3f}",
        ]
        for w, sigma, exact, found, around, weight in rows
    ]
    return f"""![variance against sigma; lines: formulas, marks: measured](pictures/{PICTURE})

{report.table(header, cells)}

{PAIRS:,} pairs; brackets: 95% bootstrap interval over 20 blocks of pairs; {report.conditions("numpy")}."""


def write(rows, out):
    """The picture, and the section of the document."""
    page.write("sharp-function", PICTURE, lambda path: draw(rows, path), section(rows), out)


if __name__ == "__main__":
    page.command(__doc__, measure, write)
